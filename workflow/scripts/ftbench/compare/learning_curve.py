"""What more training images would bring: a power law with an offset through the errors at several sizes, and how sure it is.

error(n) = c + a n^-b with a, b, c >= 0 describes how the test error of a network falls with its n training images (Hestness et al. 2017,
arXiv:1712.00409; the offset c as in Rosenfeld et al. 2020, arXiv:1909.12673). Few sizes leave the offset open, and the offset decides
what lies beyond the largest size. So no single curve is fitted: each of many draws of the errors takes one of the offsets that its errors allow,
as likely as it fits them.
"""

import numpy as np

DRAWS = 2000
OFFSETS = np.linspace(0, 0.98, 50)  # shares of the lowest error that the offset may be
LUCK = 0.04  # standard deviation, as a share of the error, that comes from which images a training set happens to hold
LEAST = 3  # sizes


def extrapolate(wrong: list[np.ndarray], sizes: list[float], targets: list[float], seed: int = 0) -> list[dict]:
    """The error at each of `targets` images per class: {"size", "error", "low", "high"}, the median and the 95 % interval, as fractions.

    `wrong` holds at each of `sizes`, ascending, a bool array (S, N): which of the same N test images each of S seeds got wrong. Images vary
    for all sizes together, seeds for each size; to each draw comes the luck of its training images, `LUCK`, at the target too.
    Raises ValueError with fewer than `LEAST` sizes.
    """
    if len(wrong) < LEAST:
        raise ValueError(f"{len(wrong)} sizes are too few for a curve with an offset: {LEAST} are needed")
    generator = np.random.default_rng(seed)
    drawn = _drawn(wrong, generator)  # (draws, sizes)
    drawn = np.maximum(
        drawn, 0.5 / wrong[0].shape[1]
    )  # an error of nothing has no logarithm: half an image is the least
    scatter = np.sqrt(drawn.var(axis=0, ddof=1) + (LUCK * drawn.mean(axis=0)) ** 2)
    drawn = np.clip(drawn * (1 + LUCK * generator.standard_normal(drawn.shape)), 0.5 / wrong[0].shape[1], 1)
    found = _curves(drawn, np.asarray(sizes, float), scatter, generator)
    rows = []
    for target in targets:
        error = _at(found, target) * (1 + LUCK * generator.standard_normal(len(drawn)))
        low, middle, high = np.quantile(np.clip(error, 0, 1), (0.025, 0.5, 0.975))
        rows.append({"size": float(target), "error": float(middle), "low": float(low), "high": float(high)})
    return rows


def _drawn(wrong: list[np.ndarray], generator) -> np.ndarray:
    """(draws, sizes) mean errors, as other test images, the same at every size, and other seeds would have given them.

    Normal draws: the mean of many images is one, and resampling them 2,000 times takes a second for each cell.
    """
    means = np.array([each.mean() for each in wrong])
    images = np.stack([each.mean(axis=0) for each in wrong])  # (sizes, N)
    shared = np.cov(images) / images.shape[1]
    seeds = np.array([each.mean(axis=1).var(ddof=1) / len(each) if len(each) > 1 else 0.0 for each in wrong])
    return generator.multivariate_normal(means, shared + np.diag(seeds), DRAWS, method="eigh")


def _curves(errors: np.ndarray, sizes: np.ndarray, scatter: np.ndarray, generator) -> tuple[np.ndarray, ...]:
    """(offset, log a, slope) of every draw: for each offset the weighted line through log(error - offset), one offset taken by its fit."""
    offset = errors.min(axis=1)[:, None] * OFFSETS  # (draws, offsets)
    above = errors[:, None, :] - offset[:, :, None]  # (draws, offsets, sizes)
    weight = (above / scatter) ** 2  # of a logarithm, whose standard deviation is scatter / above
    x, y = np.log(sizes), np.log(above)
    total = weight.sum(axis=2)
    mean_x, mean_y = (weight * x).sum(axis=2) / total, (weight * y).sum(axis=2) / total
    centred = x - mean_x[:, :, None]
    slope = (weight * centred * y).sum(axis=2) / (weight * centred**2).sum(axis=2)
    slope = np.minimum(slope, 0)  # more images do no harm
    fitted = offset[:, :, None] + np.exp(mean_y[:, :, None] + slope[:, :, None] * centred)
    misfit = (((errors[:, None, :] - fitted) / scatter) ** 2).sum(axis=2)
    likely = np.exp(-0.5 * (misfit - misfit.min(axis=1, keepdims=True)))
    chosen = (likely.cumsum(axis=1) > generator.random((len(errors), 1)) * likely.sum(axis=1, keepdims=True)).argmax(
        axis=1
    )
    rows = np.arange(len(errors))
    taken = [each[rows, chosen] for each in (offset, mean_y - slope * mean_x, slope)]
    return tuple(taken)


def _at(curves: tuple[np.ndarray, ...], size: float) -> np.ndarray:
    offset, level, slope = curves
    return offset + np.exp(level + slope * np.log(size))
