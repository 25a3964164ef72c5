"""Score one run's test logits: `test_logits.npz` in, `metrics.json` out. No model is loaded."""

import os

import numpy as np

from ftbench.errors import InputError
from ftbench.files import read_json, write_json
from ftbench.metrics import scores
from ftbench.tta import tta_accuracy

# What a diverged run has None for, so that every metrics.json has the same keys.
SCORES = (
    "accuracy",
    "accuracy_bootstrap_low",
    "accuracy_bootstrap_high",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "nll",
    "ece",
    "brier",
    "worst_class",
    "worst_class_accuracy",
    "per_class",
    "confusion",
    "tta_accuracy",
)


def load_logits(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (N, C) float32, labels (N,) int64 and ids (N,) int64 of a `*_logits.npz`.

    Raises InputError where an array is missing, lengths differ, no image is there, or a label is outside [0, C).
    """
    with np.load(path) as saved:
        missing = [name for name in ("logits", "labels", "ids") if name not in saved]
        if missing:
            raise InputError(f"{path} lacks {missing[0]}: a logits file holds logits, labels and ids.")
        logits, labels, ids = saved["logits"], saved["labels"], saved["ids"]
    if not len(logits) == len(labels) == len(ids) or not len(labels):
        raise InputError(
            f"{path} holds {len(logits)} logits, {len(labels)} labels and {len(ids)} ids: the counts must be equal, at least 1."
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise InputError(
            f"{path} holds labels from {labels.min()} to {labels.max()}: valid ones are 0 to {logits.shape[1] - 1}."
        )
    return logits, labels, ids


def evaluate(logits_path, run_path, classes_path, out, flipped_path=None) -> None:
    """Write the scores of a run as JSON: the scalars of `ftbench.metrics.scores` and these.

    status "finished" or "diverged" (as in run.json; a diverged run has None for every score), images, per_class (a list of {class,
    precision, recall, f1, support} in class order), confusion (list of rows, true by predicted), worst_class (its name), tta_accuracy
    (with the logits of the mirrored images, `flipped_path`; None without them).
    Raises InputError where the logits do not fit the classes, or a finished run's logits are not finite.
    """
    logits, labels, _ = load_logits(logits_path)
    status = read_json(run_path)["status"]
    classes = read_json(classes_path)
    if logits.shape[1] != len(classes):
        raise InputError(
            f"{logits_path} has logits for {logits.shape[1]} classes and {classes_path} names {len(classes)}: they must agree."
        )
    if status == "diverged":
        write_json(out, {"status": status, "images": len(labels), **dict.fromkeys(SCORES)})
        return
    if not np.isfinite(logits).all():
        raise InputError(
            f"{logits_path} holds values that are not finite although {run_path} says {status!r}: train this run again."
        )
    result = scores(logits, labels)
    columns = {name: values.tolist() for name, values in result["per_class"].items()}
    result["per_class"] = [
        {"class": name, **{key: values[number] for key, values in columns.items()}}
        for number, name in enumerate(classes)
    ]
    result["confusion"] = result["confusion"].tolist()
    result["worst_class"] = classes[result["worst_class"]]
    result["tta_accuracy"] = tta_accuracy(logits, load_logits(flipped_path)[0], labels) if flipped_path else None
    write_json(out, {"status": status, **result})
