"""Sets of classes that hold the true one with a promised probability: split conformal prediction.

A score says how badly a class fits an image. Its quantile over validation images, whose classes are known, is the bound: a class
whose score is not above it belongs to the set. If new images come like the validation images, in any order, the set holds the true
class with probability at least 1 - alpha, averaged over images, whatever the network (Vovk et al. 2005; Angelopoulos & Bates 2023,
arXiv:2107.07511, section 1). The validation images also chose the epoch and the temperature, so that the promise is checked on test.

Own code, since what leaves the study must work with numpy alone, and it is the few lines below.
"""

import math

import numpy as np
from scipy.stats import betabinom, binomtest

METHODS = ("lac", "aps", "raps")
PENALTY, FREE = 0.01, 5  # of RAPS: added for each class beyond so many (Angelopoulos et al. 2021, arXiv:2009.14193)


def scores(probabilities: np.ndarray, method: str) -> np.ndarray:
    """(N, C) float64: how badly each class fits each image; `probabilities` (N, C) sum to 1 in each row.

    "lac" (least ambiguous sets, Sadinle et al. 2019): 1 - p. "aps" (adaptive sets, Romano et al. 2020): the probability of all classes
    that are more probable. With the class's own added, sure networks would get sets of all their improbable classes, whose sums are all
    but 1; the paper adds a random part of it, and two users would get two answers. "raps": the same, with a penalty for classes far
    down. Ties go to the lower number.
    """
    p = probabilities.astype(np.float64)
    if method == "lac":
        return 1 - p
    order = np.argsort(-p, axis=1, kind="stable")
    sorted_p = np.take_along_axis(p, order, axis=1)
    above = np.cumsum(sorted_p, axis=1) - sorted_p
    if method == "raps":
        above = above + PENALTY * np.maximum(0, np.arange(1, p.shape[1] + 1) - FREE)
    found = np.empty_like(p)
    np.put_along_axis(found, order, above, axis=1)
    return found


def bound(probabilities: np.ndarray, labels: np.ndarray, alpha: float, method: str) -> float:
    """The largest score that belongs to a set: the ceil((n + 1)(1 - alpha))-th smallest of the n true classes' scores.

    Infinite if the images are too few for such a promise: every class belongs to every set then.
    """
    own = np.sort(scores(probabilities, method)[np.arange(len(labels)), labels])
    rank = math.ceil((len(own) + 1) * (1 - alpha) - 1e-9)
    return float(own[rank - 1]) if rank <= len(own) else math.inf


def sets(probabilities: np.ndarray, bound: float, method: str) -> np.ndarray:
    """(N, C) bool: the classes of each image's set. The most probable class always belongs to it."""
    chosen = scores(probabilities, method) <= bound
    chosen[np.arange(len(chosen)), probabilities.argmax(axis=1)] = True
    return chosen


def checked(chosen: np.ndarray, labels: np.ndarray, alpha: float, calibrated_on: int) -> dict:
    """How often the sets (N, C) of test images hold the true class, and what was to be expected.

    coverage with its exact binomial 95 % interval (Clopper & Pearson 1934), mean_size and largest of the sets, empty_promise: whether the
    images were too few. expected_low is the 2.5 % point of the coverage of N test images after a calibration on `calibrated_on` images,
    a beta-binomial law; below it the images are not alike, or validation was used up by choices. kept says which it is.
    """
    held = chosen[np.arange(len(labels)), labels]
    interval = binomtest(int(held.sum()), len(held)).proportion_ci(0.95, method="exact")
    rank = math.ceil((calibrated_on + 1) * (1 - alpha) - 1e-9)
    enough = rank <= calibrated_on
    low = betabinom.ppf(0.025, len(held), rank, calibrated_on + 1 - rank) / len(held) if enough else 1.0
    sizes = chosen.sum(axis=1)
    return {
        "coverage": float(held.mean()),
        "coverage_low": float(interval.low),
        "coverage_high": float(interval.high),
        "expected_low": float(low),
        "kept": bool(held.mean() >= low),
        "mean_size": float(sizes.mean()),
        "largest": int(sizes.max()),
        "empty_promise": not enough,
        "images": len(held),
    }
