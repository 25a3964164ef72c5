"""Logits as a job leaves them, and the scores that a choice on validation needs."""

import os

import numpy as np

from ftbench.base.errors import InputError


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


def load_folds(path: str | os.PathLike) -> np.ndarray | None:
    """The fold (N,) int64 of each image of a `*_logits.npz` that is pooled of several; None of any other."""
    with np.load(path) as saved:
        return saved.get("fold", None)


def validation_scores(logits: np.ndarray, labels: np.ndarray) -> dict:
    """Accuracy, balanced accuracy (mean recall of the classes present) and NLL (mean, natural log) of logits (N, C).

    In numpy: importing scikit-learn would cost a training job more than the score does.
    """
    right = logits.argmax(1) == labels
    images = np.bincount(labels)
    recalls = np.bincount(labels, weights=right)[images > 0] / images[images > 0]
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    nll = (np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]).mean()
    return {
        "validation_accuracy": float(right.mean()),
        "validation_balanced_accuracy": float(recalls.mean()),
        "validation_nll": float(nll),
    }
