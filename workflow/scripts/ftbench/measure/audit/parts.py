"""The training and the test images of a data set side by side, numbered from the training images on."""

import csv
from pathlib import Path

import numpy as np

from ftbench.base.files import read_json
from ftbench.base.pixel_rows import PixelRows
from ftbench.data.duplicates.alignment import reduced
from ftbench.data.duplicates.find import byte_digests


class Images:
    """Training images that the split uses, in the order of their rows, then all test images, if there is a test part; N + M in all.

    `rows`, `labels`, `parts` are arrays over all; `files` names the file of one; `train` counts the training images.
    """

    def __init__(self, images, labels, files, test_images, test_labels, test_files, split, classes):
        self.names = read_json(classes)
        parts = np.load(split)
        used = np.sort(np.concatenate([parts["train"], parts["validation"]]))
        self._stored = [PixelRows(path) for path in (images, test_images) if path]
        listed = [_listed(path) for path in (files, test_files) if path]
        self._files = [[line["file"] for line in lines] for lines in listed]
        self._sizes = [
            np.array([(int(line["width"]), int(line["height"])) for line in lines]).reshape(-1, 2) for lines in listed
        ]
        self.train, count = len(used), len(self._stored[1]) if test_images else 0
        self.rows = np.concatenate([used, np.arange(count)])
        tested = [np.load(test_labels)] if test_labels else []
        self.labels = np.concatenate([np.load(labels)[used], *tested])
        own = np.where(np.isin(used, parts["train"]), "train", "validation")
        self.parts = np.concatenate([own, np.full(count, "test")])

    def __len__(self) -> int:
        return len(self.rows)

    def sides(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(array of images, rows of it that count) of training and of test."""
        return list(zip(self._stored, (self.rows[: self.train], self.rows[self.train :])))

    def sizes(self) -> list[np.ndarray]:
        """(N, 2) and (M, 2): width and height of the files of training and of test, before they were resized."""
        return [sizes[rows] for sizes, (_, rows) in zip(self._sizes, self.sides())]

    def small(self) -> np.ndarray:
        """(N + M, h, w, 3) uint8, at most 32 px; both parts have one size, as all that a study prepares."""
        return np.concatenate([reduced(stored, rows) for stored, rows in self.sides()])

    def digests(self) -> list[bytes]:
        return [digest for stored, rows in self.sides() for digest in byte_digests(stored, rows)]

    def file(self, number: int) -> str:
        return self._files[number >= self.train][self.rows[number]]

    def label(self, number: int) -> str:
        return self.names[self.labels[number]]

    def describe(self, number: int) -> tuple[int, str, str, str]:
        """Row, file, part and class of an image."""
        return int(self.rows[number]), self.file(number), str(self.parts[number]), self.label(number)


def _listed(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
