"""Logits of all folds in one file: those of the test images in the order of the whole data set, each answered by its own fold's network."""

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.files import write_npz
from ftbench.base.logits import load_logits

CORRUPTED = ("logits", "kinds", "severities", "labels", "ids")


def pool_test(folds: list[str], split: str, out: str) -> None:
    """Write `out`, an npz with logits (N, C) float32, labels (N,), ids (N,) = 0 ... N - 1 and fold (N,), from those of every fold.

    `folds` are the test_logits.npz of fold 1, 2, ..., `split` is the split.npz that dealt them. Raises InputError where a fold was
    predicted on other images than it tests: every image has one answer.
    """
    parts = np.load(split)
    fold, truth = parts["fold"], parts["labels"]
    pooled = None
    for number, path in enumerate(folds, start=1):
        logits, labels, ids = load_logits(path)
        rows = np.flatnonzero(fold == number)
        if not (np.array_equal(ids, np.arange(len(rows))) and np.array_equal(labels, truth[rows])):
            raise InputError(
                f"{path} was predicted on other images than those that fold {number} tests: delete it and start again."
            )
        if pooled is None:
            pooled = np.full((len(fold), logits.shape[1]), np.nan, np.float32)
        pooled[rows] = logits
    write_npz(out, logits=pooled, labels=truth, ids=np.arange(len(fold)), fold=fold)


def pool_validation(folds: list[str], split: str, out: str) -> tuple[np.ndarray, np.ndarray]:
    """Write `out`, the validation logits of fold 1, 2, ... one after the other, with `fold`; an image is there once for each fold that it
    validates in. ids are rows of the whole data set. Returns logits and labels."""
    fold = np.load(split)["fold"]
    found = [load_logits(path) for path in folds]
    rows = [np.flatnonzero(fold != number)[ids] for number, (_, _, ids) in enumerate(found, start=1)]
    logits, labels = (np.concatenate([one[place] for one in found]) for place in (0, 1))
    of_fold = np.repeat(np.arange(1, len(found) + 1), [len(ids) for ids in rows])
    write_npz(out, logits=logits, labels=labels, ids=np.concatenate(rows), fold=of_fold)
    return logits, labels


def pool_corrupted(folds: list[str], split: str, out: str) -> None:
    """Write `out`, a corrupted_logits.npz (see `ftbench.predict.corrupted`) with the chosen images of all folds, in the order of their rows."""
    fold = np.load(split)["fold"]
    found = []
    for path in folds:
        with np.load(path) as saved:
            found.append({name: saved[name] for name in CORRUPTED})
    rows = np.concatenate([np.flatnonzero(fold == number)[one["ids"]] for number, one in enumerate(found, start=1)])
    order = np.argsort(rows)
    logits = np.concatenate([one["logits"] for one in found], axis=2)[:, :, order]
    labels = np.concatenate([one["labels"] for one in found])[order]
    about = {name: found[0][name] for name in ("kinds", "severities")}
    write_npz(out, logits=logits, **about, labels=labels, ids=rows[order])
