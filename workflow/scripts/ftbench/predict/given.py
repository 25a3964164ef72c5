"""Test logits of a cell whose predictions come from outside, from the user's file. No network runs here."""

import numpy as np

from ftbench.base.digests import refuse_damaged
from ftbench.base.files import read_json, write_npz
from ftbench.train.given.file import read_predictions
from ftbench.train.given.images import image_names, rows_of_images


def take_test_predictions(predictions: dict, files: str, labels: str, classes: str, data: str, out: str) -> None:
    """Write test_logits.npz, logits (N, C) float32, labels (N,) and ids (N,), of all test images.

    `predictions` is `ftbench.study.settings.predictions`, `files` test_files.csv, `data` test.json. Raises InputError as
    `ftbench.train.given.file` does, and on a test image without a prediction.
    """
    refuse_damaged(labels, read_json(data)["sha256"]["labels"])
    target, names = np.load(labels), image_names(files)
    found, ids = read_predictions(predictions, read_json(classes)), np.arange(len(target))
    rows = rows_of_images(found, names, ids, predictions, "test")
    write_npz(out, logits=found.logits[rows], labels=target, ids=ids)
    print(" ".join(filter(None, (f"{out}: {len(ids):,} images.", found.note))))
