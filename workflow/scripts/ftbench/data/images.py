"""The images of a data set, batch by batch, as uint8 on the device, and other arrays with a row per image.

A set that fits in half of the free memory is loaded onto the device once; a larger one is read from its file one row at
a time (`ftbench.base.pixel_rows`).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ftbench.base.digests import refuse_damaged
from ftbench.base.pixel_rows import PixelRows, Rows
from ftbench.machine.devices import free_bytes
from ftbench.machine.upload import upload

PART = 1024  # images hashed at a time: 200 MB at 256 px


class Stored:
    """The array (N, ...) of a file; `batch(ids)` gives the rows `ids` on `device`, whichever way they are kept."""

    def __init__(self, path: str | Path, device: torch.device, resident: bool | None = None):
        self._rows = self._open(path)
        self.path, self.shape, self.device = path, self._rows.shape, device
        self.resident = self._rows.nbytes <= free_bytes(device) // 2 if resident is None else resident
        if self.resident:
            self._tensor = torch.from_numpy(self._rows[:]).to(device)
        elif resident is None:
            print(f"{path} exceeds half of the free memory: its images are read batch by batch")

    def _open(self, path: str | Path) -> Rows:
        return Rows(path)

    def __len__(self) -> int:
        return self.shape[0]

    def check(self, written: str) -> None:
        """Raise InputError unless all values have the sha256 that the job which wrote them notes.

        Values that are not in memory pass unseen, which spares every job a second reading of a large file.
        """
        if self.resident:
            total = hashlib.sha256()
            for part in self._tensor.split(PART):
                total.update(part.cpu().numpy())
            refuse_damaged(self.path, written, total.hexdigest())

    def batch(self, ids: np.ndarray) -> torch.Tensor:
        """Rows `ids` (B,) int64 as a (B, ...) tensor on the device."""
        if self.resident:
            return self._tensor.index_select(0, upload(torch.from_numpy(ids), self.device))
        return upload(torch.from_numpy(self._rows[ids]), self.device, large=True)


class Images(Stored):
    """images.npy, (N, H, W, 3) uint8."""

    def _open(self, path: str | Path) -> Rows:
        return PixelRows(path)


@dataclass
class Data:
    """What a run sees: images, their labels (N,), and the rows of each part. No test image is among them."""

    images: Images
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    classes: int


def read_data(inputs: dict, device: torch.device, resident: bool | None = None) -> Data:
    split = np.load(inputs["split"])
    images, classes = Images(inputs["images"], device, resident), int(split["classes"])
    images.check(str(split["images_sha256"]))
    return Data(images, split["labels"], split["train"], split["validation"], classes)
