"""Intervals and tests for accuracies that share their test images.

Two cells of the grid are measured with a few training seeds each on the same N images. Seeds are a random sample of
trainings and images a random sample of the world, crossed: every seed sees every image. For the difference of two mean
accuracies the variance is estimated as

    var_i(mean over seeds of d_i) / N  +  max(0, s2_A / S_A + s2_B / S_B - interaction)

with s2 the variance of one seed's accuracy over seeds, and interaction = mean_i(var over seeds of image i) / (S N), summed
over A and B: the image-by-seed noise sits in both other terms and is taken out once (the random-effects model of crossed
factors: Searle, Casella & McCulloch 1992, ch. 4). The degrees of freedom are Satterthwaite's (1946). One seed has no seed term:
the interval then speaks of this one trained model, and of no other that the same recipe would give.
"""

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ftbench.errors import InputError


def crossed_variance(a: np.ndarray, b: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Variance of mean(a) - mean(b), or of mean(a) alone, and its Satterthwaite degrees of freedom.

    `a` (..., S_a, N) and `b` (..., S_b, N) hold one score per seed and image over the same N images; leading axes are
    independent problems. Both results have the leading shape. Raises InputError with fewer than two images.
    """
    images = a.shape[-1]
    if images < 2:
        raise InputError(f"A comparison needs at least 2 test images, and there is {images}: make the test set larger.")
    per_image = a.mean(axis=-2) if b is None else a.mean(axis=-2) - b.mean(axis=-2)
    image_term = per_image.var(axis=-1, ddof=1) / images
    seed_term = np.zeros_like(image_term)
    interaction = np.zeros_like(image_term)
    squares = image_term**2 / (images - 1)
    for cell in (a,) if b is None else (a, b):
        seeds = cell.shape[-2]
        if seeds > 1:
            own = cell.mean(axis=-1).var(axis=-1, ddof=1) / seeds
            seed_term += own
            squares += own**2 / (seeds - 1)
            interaction += cell.var(axis=-2, ddof=1).mean(axis=-1) / (seeds * images)
    variance = image_term + np.maximum(0.0, seed_term - interaction)
    # Without any variance every quantile gives the same interval, so the largest df does.
    df = np.divide(variance**2, squares, out=np.full_like(variance, images - 1.0), where=squares > 0)
    return variance, np.clip(df, 1.0, images - 1.0)


def cell_interval(correct: np.ndarray, level: float = 0.95) -> dict:
    """Mean accuracy of a cell and its interval over seeds and test images, from `correct` (S, N) bool.

    Returns {"accuracy", "ci_low", "ci_high", "df", "seeds"}, fractions within [0, 1]. Where all answers agree (no variance at
    all) a width of zero would promise certainty, so Wilson's interval (1927) for N images is given instead.
    """
    seeds, images = correct.shape
    mean = float(correct.mean())
    variance, df = crossed_variance(correct.astype(np.float64))
    if variance == 0:
        wilson = stats.binomtest(round(mean * images), images).proportion_ci(level, method="wilson")
        low, high = wilson.low, wilson.high
    else:
        half = stats.t.ppf((1 + level) / 2, df) * np.sqrt(variance)
        low, high = mean - half, mean + half
    low, high = max(0.0, float(low)), min(1.0, float(high))
    return {"accuracy": mean, "ci_low": low, "ci_high": high, "df": float(df), "seeds": seeds}


def difference(a: np.ndarray, b: np.ndarray, level: float = 0.95) -> dict:
    """Accuracy of cell A minus that of cell B with interval, t test and effect size; `a` (S_a, N), `b` (S_b, N) bool.

    Returns {"difference", "ci_low", "ci_high", "p", "df", "effect_size", "effect_low", "effect_high"}. The difference is a
    fraction, p is two-sided. The effect size is Cohen's h = 2 asin sqrt(A) - 2 asin sqrt(B) (Cohen 1988, ch. 6), which makes 98
    against 99 % count more than 50 against 51 %; 0.2 is small, 0.5 medium, 0.8 large. Its interval is the delta method's: the same
    crossed variance over scores divided by sqrt(p (1 - p)), the slope of 2 asin sqrt(p).
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    images = a.shape[-1]
    if images != b.shape[-1]:
        raise InputError(
            f"Two cells can only be compared on the same test images, and they have {images} and {b.shape[-1]}."
        )
    mean_a, mean_b = a.mean(), b.mean()
    gap = float(mean_a - mean_b)
    variance, df = crossed_variance(a, b)
    quantile = stats.t.ppf((1 + level) / 2, df)
    if variance > 0:
        p = float(2 * stats.t.sf(abs(gap) / np.sqrt(variance), df))
    else:
        p = 1.0 if gap == 0 else 0.0
    half = quantile * np.sqrt(variance)

    # Half an image away from 0 and 1, where the slope of the arcsine is infinite.
    edge = 0.5 / images
    slope = [1 / np.sqrt(q * (1 - q)) for q in np.clip([mean_a, mean_b], edge, 1 - edge)]
    effect = float(2 * np.arcsin(np.sqrt(mean_a)) - 2 * np.arcsin(np.sqrt(mean_b)))
    effect_variance, effect_df = crossed_variance(a * slope[0], b * slope[1])
    effect_half = stats.t.ppf((1 + level) / 2, effect_df) * np.sqrt(effect_variance)
    return {
        "difference": gap,
        "ci_low": float(gap - half),
        "ci_high": float(gap + half),
        "p": p,
        "df": float(df),
        "effect_size": effect,
        "effect_low": float(effect - effect_half),
        "effect_high": float(effect + effect_half),
    }


def mcnemar(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Exact two-sided McNemar p values (1947), one per seed, from `a` and `b` (S, N) bool; a cell with one seed is repeated.

    Descriptive: each speaks of one pair of trained models. Pooling them over seeds gives a third to a half of false positives
    under seed variance, so nothing here does.
    """
    only_a, only_b = (a & ~b).sum(axis=-1), (~a & b).sum(axis=-1)
    return np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(only_a, only_b), only_a + only_b, 0.5))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's (1979) adjusted p values within one family, in the order given; an empty family stays empty."""
    return multipletests(p, method="holm")[1] if len(p) else np.asarray(p, dtype=np.float64)
