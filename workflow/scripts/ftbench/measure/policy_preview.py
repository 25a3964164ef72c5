"""A few training images under every augmentation policy, to look at before anything is trained."""

import numpy as np
import torch

from ftbench.base.files import write_npz
from ftbench.base.pixel_rows import PixelRows
from ftbench.pixels import policies

IMAGES = 6
REPEATS = 4
SEED = 0


def preview_augmentations(images: str, labels: str, split: str, names: list[str], out: str) -> None:
    """Write `original`, (k, H, W, 3) uint8, and per policy an array (k, r, H, W, 3) of r draws for each image.

    The images are the first training row of each of the first k classes.
    """
    stored, target, rows = PixelRows(images), np.load(labels), np.load(split)["train"]
    chosen = [rows[target[rows] == label][0] for label in np.unique(target[rows])[:IMAGES]]
    original = np.stack([stored[row] for row in chosen])
    pictures = {}
    for name in names:
        generator = torch.Generator().manual_seed(SEED)
        batch = torch.from_numpy(original).repeat_interleave(REPEATS, 0)
        pictures[name] = (
            policies.load(name)(batch, generator).numpy().reshape(len(chosen), REPEATS, *original.shape[1:])
        )
    write_npz(out, original=original, **pictures)
