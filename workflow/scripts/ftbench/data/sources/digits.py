"""scikit-learn's 1,797 handwritten digits of 8x8 pixels: ships with the library, needs no download.

The test set of the UCI "Optical Recognition of Handwritten Digits", https://doi.org/10.24432/C50P49. Rows come in the
order of the file; the last 597 are the test part. Small enough for a study of minutes on a laptop.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ftbench.data.sources import refuse_folder_settings, require_part

DECLARES = {"needs": None, "options": [], "download": False, "listing": None, "sizes": {None: (1200, 597, 10)}}
TRAIN_ROWS = 1200  # of 1,797: two thirds
CLASSES = [str(digit) for digit in range(10)]


def archives(settings: dict) -> list[dict]:
    return []


def about(settings: dict) -> dict:
    return {"homepage": "https://doi.org/10.24432/C50P49", "licence": "CC BY 4.0"}


def read(settings: dict, root: str | Path | None, part: str) -> tuple[list[str], Iterator]:
    """Classes "0" to "9" and 1,200 train or 597 test items, each image (8, 8, 3) uint8, scaled from 0..16 to 0..255."""
    require_part(part)
    refuse_folder_settings(settings)
    values, target = _load()
    pixels = np.round(values * (255 / 16)).astype(np.uint8)
    rows = range(TRAIN_ROWS) if part == "train" else range(TRAIN_ROWS, len(pixels))
    items = ((f"{row:04d}", int(target[row]), lambda row=row: np.stack([pixels[row]] * 3, axis=2)) for row in rows)
    return CLASSES, items


def _load() -> tuple[np.ndarray, np.ndarray]:
    """(images (1797, 8, 8) of 0 to 16, their digits (1797,)) from scikit-learn's file, without importing scikit-learn: that takes a second."""
    (folder,) = importlib.util.find_spec("sklearn").submodule_search_locations
    file = Path(folder, "datasets", "data", "digits.csv.gz")
    if not file.exists():  # another version keeps it elsewhere
        from sklearn.datasets import load_digits

        data = load_digits()
        return data.images, data.target
    table = np.loadtxt(file, delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(int)


def group_keys(settings: dict, root: str | Path | None, names: list[str]) -> list[None]:
    return [None] * len(names)


def remarks(settings: dict, root: str | Path | None) -> dict:
    return {"notes": [], "left_out": {}}
