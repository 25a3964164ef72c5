"""What the folds of a test set show of chance in training: each fold was answered by networks of its own.

The accuracy of a cell that is tested in folds is a mean over folds, and every fold has its own training images, validation part, choice of
recipe and seeds. All of that luck is common to the images of a fold, and other seeds on the same folds would not show it. So folds take the
place that seeds have on one test set: the variance of the folds' accuracies, beyond the chance of single images, is that of one fold's
networks around the recipe's accuracy, and the mean over k folds has a k-th of it. Training parts of two folds overlap, which makes their
networks a little more alike than those of new data (Bengio & Grandvalet 2004: no estimate from the folds is free of that).
docs/statistics.md has the simulated studies, and what was tried beside it.
"""

import numpy as np

from ftbench.compare.seed_spread import Seen


def seen_in_folds(rest: np.ndarray, unit: np.ndarray, folds: np.ndarray, size: float, scale: float) -> Seen:
    """What the folds of one cell show, for `ftbench.compare.seed_spread`.

    rest: (N,) by how much the mean answer to each image lies above what is expected of it (the mean, or that of its class); unit: (N,) int,
    the group of each image, which lies in one fold; folds: (N,) int; size: images of the group that an image is in, on average; scale: p(1 - p).
    With fewer than two folds that have images nothing is seen, as with one seed.
    """
    present, of_image, images = np.unique(folds, return_inverse=True, return_counts=True)
    if len(present) < 2:
        return Seen(0.0, 0.0, scale, 1)
    mean = np.bincount(of_image, weights=rest) / images  # (K,)
    of_unit = np.zeros(unit.max() + 1, np.int64)
    of_unit[unit] = of_image
    sums = np.bincount(unit, weights=rest - mean[of_image])  # (G,)
    spare = max(1, len(sums) - len(present))
    per_unit = float(np.square(sums).sum()) / spare  # the variance of one group's sum
    units = np.bincount(of_unit, minlength=len(present))
    # Half an image more, as for seeds: no number of images proves that networks never differ.
    noise = float(((units * per_unit + size / 2) / images**2).mean())
    return Seen(float(mean.var(ddof=1)), noise, scale, len(present))
