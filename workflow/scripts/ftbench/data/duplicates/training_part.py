"""Near duplicates within the images that a study trains and validates with, from their pixels alone.

The split waits for this, so no feature of a pretrained network serves it; the audit, which comes beside, looks with features too.
"""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ftbench.base.pixel_rows import PixelRows
from ftbench.data.duplicates.alignment import reduced
from ftbench.data.duplicates.find import byte_digests, clusters, find_duplicates


def clusters_of(
    images: str | os.PathLike, labels: str | os.PathLike, mirrored: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """A function of rows (N,) of images.npy that returns (N,) int64: the position of the first of all that show the same picture."""

    def find(rows: np.ndarray) -> np.ndarray:
        stored = PixelRows(images)
        found = find_duplicates(reduced(stored, rows), byte_digests(stored, rows), np.load(labels)[rows], mirrored)
        return clusters(len(rows), found)

    return find


def ranked(issues: str | os.PathLike) -> np.ndarray:
    """The rows of a CSV of suspected labels, the worst first."""
    with Path(issues).open(newline="", encoding="utf-8") as stream:
        return np.array([int(line["row"]) for line in csv.DictReader(stream)], np.int64)
