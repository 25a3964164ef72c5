"""From which confidence on a model may answer alone, if so many of its answers must be right.

The threshold is chosen on validation images by selection with guaranteed risk (Geifman & El-Yaniv 2017, "Selective Classification
for Deep Neural Networks", algorithm 1): a binary search over the images, sorted by confidence, for the largest group whose precision
is proven. Its proof is an exact binomial bound, at a level that is shared among the steps of the search.
"""

import math

import numpy as np
from scipy.stats import beta, binomtest

LEVEL = 0.95  # of the proof
PROMISES = (0.9, 0.95, 0.99)


def proven(right: int, answered: int, delta: float) -> float:
    """The precision that so many right answers prove with probability 1 - delta: Clopper and Pearson's lower bound (1934)."""
    return 0.0 if right == 0 else float(beta.ppf(delta, right, answered - right + 1))


def threshold(confidence: np.ndarray, is_correct: np.ndarray, precision: float, level: float = LEVEL) -> float | None:
    """The lowest confidence at which the answers' precision is proven to be at least `precision`; None if nothing proves it.

    `confidence` (N,) and `is_correct` (N,) bool are of validation images. Images of equal confidence are answered together.
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence, right = confidence[order], np.cumsum(is_correct[order])
    ends = np.append(np.flatnonzero(np.diff(sorted_confidence)), len(order) - 1)  # the last image of each equal group
    delta = (1 - level) / max(1, math.ceil(math.log2(len(ends) + 1)))
    low, high, found = 0, len(ends) - 1, None
    while low <= high:
        middle = (low + high) // 2
        last = int(ends[middle])
        if proven(int(right[last]), last + 1, delta) >= precision:
            found, low = float(sorted_confidence[last]), middle + 1
        else:  # on among the surer images
            high = middle - 1
    return found


def checked(confidence: np.ndarray, is_correct: np.ndarray, least: float | None) -> dict:
    """What the threshold does on test images: coverage, the share of images answered, and precision with its exact 95 % interval."""
    answered = np.zeros(len(confidence), bool) if least is None else confidence >= least
    count = int(answered.sum())
    told = {"threshold": least, "coverage": count / len(confidence), "answered": count}
    if not count:
        return told | {"precision": None, "precision_low": None, "precision_high": None}
    right = int(is_correct[answered].sum())
    interval = binomtest(right, count).proportion_ci(0.95, method="exact")
    return told | {
        "precision": right / count,
        "precision_low": float(interval.low),
        "precision_high": float(interval.high),
    }
