"""Test images mirrored left and right: what test-time augmentation sees beside the images as they are.

A module of its own, so that no job which trains or selects depends on its code.
"""

from pathlib import Path

import numpy as np
import torch

from ftbench.base.files import read_json, write_npy
from ftbench.data.images import Images
from ftbench.machine import devices
from ftbench.model import backbones
from ftbench.model.features import BATCH


class Flipped:
    """The images of a store, mirrored; `batch(ids)` as `ftbench.data.images.Images` has it."""

    def __init__(self, images: Images):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, ids: np.ndarray) -> torch.Tensor:
        """Rows `ids` (B,) int64 as a (B, H, W, 3) uint8 tensor on the device, columns reversed."""
        return self.images.batch(ids).flip(2)


def extract_flipped_features(run: dict, images: str, weights: str, record: str, out: str) -> None:
    """Write the frozen backbone's features (N, D) float32 of all images mirrored; arguments as `extract_features` has them."""
    device = devices.set_up(run)
    backbone = backbones.build(run["network"], 2, 0, Path(weights), read_json(record))
    backbones.prepare(backbone, run, device)
    store = Flipped(Images(images, device))
    rows = np.arange(len(store))
    batches = (store.batch(rows[first : first + BATCH]) for first in range(0, len(rows), BATCH))
    _, vectors = backbones.predict(backbone, batches, devices.autocast(device, run["precision"]), features=True)
    write_npy(out, vectors)
