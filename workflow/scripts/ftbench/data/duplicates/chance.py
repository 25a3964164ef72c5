"""How alike two images of a class are by chance: a duplicate must be far above it.

Photographs of one class have little in common but their class. Scans of one digit, X-ray images or parts on a conveyor belt look
alike without being copies. So the level above which a pair counts is measured, class by class, on random pairs.
"""

from collections.abc import Callable

import numpy as np

SPREADS = 8  # standard deviations above the median that a duplicate must reach
HIGHEST = 0.999  # level that a copy reaches in any class
FEWEST, MOST, ALL = 40, 200, 8000  # random pairs: of a class at least and at most, of all classes together about
SEED = 0


def levels(
    labels: np.ndarray, score: Callable[[np.ndarray], np.ndarray], floor: float, spreads: float = SPREADS
) -> np.ndarray:
    """(N,) per image the level of its class, at least `floor`; `score` gives the correlation of pairs (P, 2) of rows.

    The level is the median of the class's random pairs and `spreads` standard deviations more, on the scale of Fisher's z = artanh r. The
    deviation is taken from the lower half alone, so that copies within the class do not count. No class has a
    lower level than the median class, whose level a class of fewer than 10 images takes.
    """
    rng = np.random.default_rng(SEED)
    classes, numbers = np.unique(labels, return_inverse=True)
    each = min(MOST, max(FEWEST, ALL // max(1, len(classes))))
    found = np.full(len(classes), np.nan)
    for number in range(len(classes)):
        rows = np.flatnonzero(numbers == number)
        if len(rows) < 10:
            continue
        pairs = rng.integers(0, len(rows), (each, 2))
        pairs[:, 1] = np.where(pairs[:, 0] == pairs[:, 1], (pairs[:, 1] + 1) % len(rows), pairs[:, 1])
        z = np.arctanh(np.clip(score(rows[pairs]), -HIGHEST, HIGHEST))
        low, middle = np.quantile(z, (0.16, 0.5))  # one standard deviation below the median, and the median
        found[number] = np.tanh(middle + spreads * (middle - low))
    usual = np.nanmedian(found) if np.isfinite(found).any() else floor
    found = np.where(np.isnan(found), usual, np.maximum(found, usual))
    return np.clip(found, floor, HIGHEST)[numbers]
