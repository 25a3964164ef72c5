"""Intervals and tests for accuracies that share their test images.

Two cells of the grid are measured with a few training seeds each on the same N images. Seeds are a random sample of
trainings and images a random sample of the world, crossed: every seed sees every image. For the difference of two mean
accuracies the variance is estimated as

    var_i(mean over seeds of d_i) / N  +  max(0, s2_A / S_A + s2_B / S_B - interaction)

with s2 the variance of one seed's accuracy over seeds, and interaction = mean_i(var over seeds of image i) / (S N), summed
over A and B: the image-by-seed noise sits in both other terms and is taken out once (the random-effects model of crossed
factors: Searle, Casella & McCulloch 1992, ch. 4). The degrees of freedom are Satterthwaite's (1946); the interval of one cell
gives each term its own. One seed has no seed term: the interval then speaks of this one trained model, and of no other that
the same recipe would give.
"""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from ftbench.base.errors import InputError


class Summary(NamedTuple):
    """What a cell's right answers come down to; leading axes are independent problems."""

    per_image: np.ndarray  # (..., N) mean over seeds
    seed_variance: np.ndarray  # (...) variance over seeds of one seed's accuracy, divided by S; 0 with one seed
    interaction: np.ndarray  # (...) mean over images of the variance over seeds, divided by S N
    seeds: int

    def scaled(self, factor: float) -> "Summary":
        """The summary of the same scores times `factor`."""
        return Summary(
            self.per_image * factor, self.seed_variance * factor**2, self.interaction * factor**2, self.seeds
        )


def summarize(scores: np.ndarray) -> Summary:
    """The summary of one score per seed and image, (..., S, N). Raises InputError with fewer than two images."""
    scores = np.asarray(scores, dtype=np.float64)
    seeds, images = scores.shape[-2:]
    if images < 2:
        raise InputError(f"A comparison needs at least 2 test images, and there is {images}: make the test set larger.")
    none = np.zeros(scores.shape[:-2])
    return Summary(
        scores.mean(axis=-2),
        scores.mean(axis=-1).var(axis=-1, ddof=1) / seeds if seeds > 1 else none,
        scores.var(axis=-2, ddof=1).mean(axis=-1) / (seeds * images) if seeds > 1 else none,
        seeds,
    )


def crossed_variance(a: Summary, b: Summary) -> tuple[np.ndarray, np.ndarray]:
    """Variance of mean(a) - mean(b) and its Satterthwaite degrees of freedom, both (...)."""
    images = a.per_image.shape[-1]
    image = np.asarray((a.per_image - b.per_image).var(axis=-1, ddof=1) / images)
    seed = np.maximum(0.0, a.seed_variance + b.seed_variance - a.interaction - b.interaction)
    squares = image**2 / (images - 1)
    for cell in (a, b):
        squares = squares + cell.seed_variance**2 / max(1, cell.seeds - 1)
    variance = image + seed
    # Without any variance every quantile gives the same interval, so the largest df does.
    df = np.divide(variance**2, squares, out=np.full_like(variance, images - 1.0), where=squares > 0)
    return variance, np.clip(df, 1.0, images - 1.0)


def half_width(cell: Summary, level: float = 0.95) -> np.ndarray:
    """Half the width (...) of the interval of one cell's mean.

    Each mean square gets the t quantile of its own degrees of freedom, N - 1 for images and interaction, S - 1 for seeds, and
    the squares are added or taken off, as in Banerjee's interval (1960) for means of unequal variances. One
    cell has one seed variance, which is often estimated as nearly nothing from a few seeds; Satterthwaite's df then follows the
    image term and the interval would cover 84-94 % instead of 95.
    """
    image = cell.per_image.var(axis=-1, ddof=1) / cell.per_image.shape[-1]
    of_images, of_seeds = stats.t.ppf((1 + level) / 2, [cell.per_image.shape[-1] - 1, max(1, cell.seeds - 1)]) ** 2
    seed = np.maximum(0.0, of_seeds * cell.seed_variance - of_images * cell.interaction)
    return np.sqrt(of_images * image + seed)


def cell_interval(cell: Summary, level: float = 0.95) -> dict:
    """Mean accuracy of a cell and its interval over seeds and test images, from the summary of its right answers.

    Returns {"accuracy", "ci_low", "ci_high", "seeds"}, fractions within [0, 1]. Where all answers agree (no variance at all) a
    width of zero would promise certainty, so Wilson's interval (1927) for N images is given instead.
    """
    images = len(cell.per_image)
    mean, half = float(cell.per_image.mean()), float(half_width(cell, level))
    low, high = mean - half, mean + half
    if half == 0:
        low, high = proportion_confint(round(mean * images), images, 1 - level, method="wilson")
    return {"accuracy": mean, "ci_low": max(0.0, low), "ci_high": min(1.0, high), "seeds": cell.seeds}


def difference(a: Summary, b: Summary, level: float = 0.95) -> dict:
    """Accuracy of cell A minus that of cell B with interval, t test, effect size and what could have been detected.

    Returns {"difference", "ci_low", "ci_high", "p", "df", "effect_size", "effect_low", "effect_high", "detectable"}. The
    difference is a fraction, p is two-sided. The effect size is Cohen's h = 2 asin sqrt(A) - 2 asin sqrt(B) (Cohen 1988, ch. 6),
    which makes 98 against 99 % count more than 50 against 51 %; 0.2 is small, 0.5 medium, 0.8 large. Its interval is the delta
    method's: the same crossed variance over scores divided by sqrt(p (1 - p)), the slope of 2 asin sqrt(p). `detectable` is
    the standard error times `noncentrality`: what 80 % of such studies would find.

    Where every image has the same difference there is no variance, which is no certainty either: the half-width is then Wilson's
    upper bound (1927) for the share of images that would differ, of which none of N does, and p is the sign test's. Intervals end where differences of fractions do, at -1
    and 1, and those of h at ±π; `detectable` may lie beyond, where no difference could have been found. Raises InputError where the cells have different numbers of images.
    """
    images = len(a.per_image)
    if images != len(b.per_image):
        raise InputError(
            f"Two cells can only be compared on the same test images, and they have {images} and {len(b.per_image)}."
        )
    mean_a, mean_b = a.per_image.mean(), b.per_image.mean()
    gap = float(mean_a - mean_b)
    variance, df = crossed_variance(a, b)
    quantile = float(stats.t.ppf((1 + level) / 2, df))
    if variance > 0:
        error = float(np.sqrt(variance))
        p = float(2 * stats.t.sf(abs(gap) / error, df))
    else:
        error = unseen(images, level) / quantile
        p = 1.0 if gap == 0 else 2.0 ** (1 - images)
    half = quantile * error

    # Half an image away from 0 and 1, where the slope of the arcsine is infinite.
    edge = 0.5 / images
    slope = [1 / np.sqrt(q * (1 - q)) for q in np.clip([mean_a, mean_b], edge, 1 - edge)]
    effect = float(2 * np.arcsin(np.sqrt(mean_a)) - 2 * np.arcsin(np.sqrt(mean_b)))
    effect_variance, effect_df = crossed_variance(a.scaled(slope[0]), b.scaled(slope[1]))
    if effect_variance > 0:
        effect_half = stats.t.ppf((1 + level) / 2, effect_df) * np.sqrt(effect_variance)
    else:
        effect_half = max(slope) * unseen(images, level)
    return {
        "difference": gap,
        "ci_low": max(-1.0, gap - half),
        "ci_high": min(1.0, gap + half),
        "p": p,
        "df": float(df),
        "effect_size": effect,
        "effect_low": max(-np.pi, float(effect - effect_half)),
        "effect_high": min(np.pi, float(effect + effect_half)),
        "detectable": error * noncentrality(float(df)),
    }


def unseen(images: int, level: float = 0.95) -> float:
    """Wilson's upper bound for the share of what occurred on none of so many images: z² / (N + z²)."""
    return float(proportion_confint(0, images, 1 - level, method="wilson")[1])


@functools.lru_cache(maxsize=65_536)
def noncentrality(df: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The true difference, in standard errors, that a two-sided t test at `alpha` finds with probability `power`.

    The root of the noncentral t distribution's power (Cohen 1988, ch. 2; Johnson, Kotz & Balakrishnan 1995, ch. 31): 2.80 for many
    degrees of freedom, 5.7 for two, 16.3 for one. Times the standard error it is the minimum detectable difference.
    """
    critical = stats.t.ppf(1 - alpha / 2, df)

    def missing(shift: float) -> float:
        # Below the lower critical value the test would find the wrong sign, which is no success.
        return float(stats.nct.sf(critical, df, shift)) - power

    return float(brentq(missing, 0.0, 4 * critical + 4))


def win_tie_loss(
    pairs: Iterable[tuple[str, str, float, float]], alpha: float = 0.05
) -> dict[tuple[str, str], list[int]]:
    """{(A, B): [wins, ties, losses] of A against B} from (A, B, difference A - B, corrected p); both directions are there.

    A difference counts as won or lost where p lies below `alpha`, else as a tie.
    """
    counts: dict[tuple[str, str], list[int]] = {}
    for a, b, gap, p in pairs:
        outcome = 1 if p >= alpha else 0 if gap > 0 else 2
        counts.setdefault((a, b), [0, 0, 0])[outcome] += 1
        counts.setdefault((b, a), [0, 0, 0])[2 - outcome] += 1
    return counts


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
