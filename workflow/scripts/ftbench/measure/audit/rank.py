"""Rank the labels of the training images by how little a probe trusts them, for a split that leaves the worst out.

Only what the study may train and validate on is read: this comes before the split, and no test image has a part in it.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, read_json
from ftbench.data.split import training_rows
from ftbench.measure.audit.labels import judge, ranking
from ftbench.model.features import extract_features


def rank_labels(
    run: dict, images: str, labels: str, classes: str, split: str, weights: str, record: str, out: str
) -> None:
    """Write `out`, a CSV of row, label, label_probability over all images of `split`, the least trusted label first.

    `run` is what extracts features (see `ftbench.study.settings.machine`), `split` one that leaves no label out; images of one of its
    groups judge each other never. Raises InputError if there are too few images.
    """
    rows, groups = training_rows(split), np.load(split)["groups"]
    given, names = np.load(labels)[rows], read_json(classes)
    with tempfile.TemporaryDirectory(dir=Path(out).parent) as folder:
        features, cost = (str(Path(folder) / name) for name in ("features.npy", "cost.json"))
        extract_features(run, images, weights, record, features, cost, split=split)
        judged = judge({run["network"]["model"]: (np.load(features), None)}, given, groups[rows], len(names))
    if judged is None:
        raise InputError("drop_label_issues: there are too few images to judge labels by one another; set it to 0.")
    order = ranking(given, judged.train)
    table = {
        "row": rows,
        "label": [names[label] for label in given],
        "label_probability": judged.train[np.arange(len(rows)), given],
    }
    with atomic_write(out) as temporary:
        pd.DataFrame(table).iloc[order].to_csv(temporary, index=False)
