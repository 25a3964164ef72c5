"""The images of a data set, batch by batch, as uint8 on the device.

A set that fits in half of the free memory is loaded onto the device once; a larger one is read from its file one row at
a time. A memory map would do the same with less code, but a shuffled epoch over one fills the resident set with the
whole file.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ftbench.base.digests import damaged, refuse_damaged
from ftbench.machine.free_memory import free_memory

PART = 1024  # images hashed at a time: 200 MB at 256 px


class Images:
    """images.npy, (N, H, W, 3) uint8; `batch(ids)` gives the rows `ids` on `device`, whichever way they are kept."""

    def __init__(self, path: str | Path, device: torch.device, resident: bool | None = None):
        try:
            mapped = np.load(path, mmap_mode="r")
        except (ValueError, EOFError) as error:
            raise damaged(path, f"it is cut short or no .npy file ({error})") from error
        if mapped.dtype != np.uint8 or mapped.ndim != 4 or mapped.shape[3] != 3 or not mapped.flags.c_contiguous:
            raise ValueError(f"{path} is {mapped.dtype} {mapped.shape}, not a contiguous (N, H, W, 3) uint8 array")
        self.path, self.shape = path, mapped.shape
        self.device = device
        self.resident = mapped.nbytes <= _free_bytes(device) // 2 if resident is None else resident
        if self.resident:
            self._tensor = torch.from_numpy(np.load(path)).to(device)
        else:
            self._offset = mapped.offset
            print(f"{path} exceeds half of the free memory: its images are read batch by batch")
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115, kept open for the life of the object
        del mapped

    def __len__(self) -> int:
        return self.shape[0]

    def check(self, written: str) -> None:
        """Raise InputError unless all pixels have the sha256 that `prepare_train` notes.

        Pixels that are not in memory pass unseen, which spares every job a second reading of a large file.
        """
        if self.resident:
            total = hashlib.sha256()
            for part in self._tensor.split(PART):
                total.update(part.cpu().numpy())
            refuse_damaged(self.path, written, total.hexdigest())

    def batch(self, ids: np.ndarray) -> torch.Tensor:
        """Rows `ids` (B,) int64 as a (B, H, W, 3) uint8 tensor on the device."""
        if self.resident:
            return self._tensor.index_select(0, torch.from_numpy(ids).to(self.device))
        rows = np.empty((len(ids), *self.shape[1:]), np.uint8)
        row_bytes = rows[0].nbytes
        for row, i in zip(rows, ids.tolist()):
            read = os.preadv(self._file.fileno(), [row], self._offset + i * row_bytes)
            if read != row_bytes:
                raise OSError(f"{self._file.name} ends inside row {i}")
        return torch.from_numpy(rows).to(self.device)


def _free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()


@dataclass
class Data:
    """What a run sees: images, their labels (N,), and the rows of each part. No test image is among them."""

    images: Images
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    classes: int


def read_data(inputs: dict, device: torch.device) -> Data:
    split = np.load(inputs["split"])
    images, classes = Images(inputs["images"], device), int(split["classes"])
    images.check(str(split["images_sha256"]))
    return Data(images, split["labels"], split["train"], split["validation"], classes)
