"""Intervals and tests for accuracies that share their test images.

Two cells of the grid are measured with a few training seeds each on the same N images. Seeds are a random sample of
trainings and images a random sample of the world, crossed: every seed sees every image. The variance of a mean accuracy, and of
the difference of two, has two parts (the random-effects model of crossed factors: Searle, Casella & McCulloch 1992, ch. 4):

    images   the variance over images of the mean over seeds, divided by N. Images of one group (a burst, a patient) are one unit: the
             delete-a-group jackknife (Cameron & Miller 2015, section VI) takes the place of the variance over images
    seeds    sigma² / S of each cell. sigma² is not estimated from the cell's two or three seeds alone: `ftbench.compare.seed_spread`
             learns it from all cells of the data set, and gives a distribution of it

So the error of a difference is a mixture of normals over that distribution (of t where groups are few), and intervals and p
values are its quantiles and tails. A deterministic cell has no seed part. Where no cell has two seeds nothing is known of seeds: an interval
then speaks of these trained models, and there is no p value for recipes.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import special  # scipy.stats takes a second to import

from ftbench.base.errors import InputError
from ftbench.compare.fold_spread import seen_in_folds
from ftbench.compare.seed_spread import TAU2, SeedSpread, Seen
from ftbench.evaluate.wilson import wilson

LEVEL = 0.95
BINS = 48  # of the logarithm of a variance; exact values within one share their mean
POWER = 0.8


class Summary(NamedTuple):
    """What a cell's right answers come down to."""

    mean: float  # over seeds and images
    influence: np.ndarray  # (G,) by how much leaving each group out moves the mean, the sign turned
    images: int
    size: float  # images of the group that an image is in, on average; 1 without groups
    df: float  # what the groups are worth as degrees of freedom
    seen: Seen  # by its seeds, or by its folds
    stochastic: bool
    of_seeds: Seen | None = None  # of a cell that is tested in folds, what its seeds show

    @property
    def seeds(self) -> int:
        return self.seen.seeds


def summarize(
    right: np.ndarray,
    groups: np.ndarray | None = None,
    classes: np.ndarray | None = None,
    stochastic: bool = True,
    folds: np.ndarray | None = None,
) -> Summary:
    """The summary of right answers (S, N), one row per seed.

    `groups` (N,) int says which images belong together, None that each stands alone; with `classes` (N,) int, the labels, it is the
    summary of balanced accuracy, the mean of the classes' recalls. `stochastic` is False for a strategy whose seeds would all give
    this one result. `folds` (N,) int are those in which the images were tested, if there are several: they then show how networks vary, in
    the place of seeds, also of such a strategy (`ftbench.compare.fold_spread`). Raises InputError with fewer than two groups.
    """
    right = np.asarray(right, dtype=np.float64)
    seeds, images = right.shape
    if images < 2:
        raise InputError(f"A comparison needs at least 2 test images, and there is {images}: make the test set larger.")
    unit = np.arange(images) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = np.bincount(unit)
    if len(count) < 2:
        raise InputError(
            f"All {images} test images are one group, and a comparison needs at least 2 groups: see groups."
        )
    weight, own = np.ones(images), right.mean(axis=1, keepdims=True)
    if classes is not None:
        _, number, of_class = np.unique(classes, return_inverse=True, return_counts=True)
        weight = images / (len(of_class) * of_class[number])
        own = np.array([np.bincount(number, weights=row) / of_class for row in right])[:, number]
    by_seed = (right * weight).mean(axis=1)
    rest = np.array([np.bincount(unit, weights=row) for row in (right - own) * weight])  # (S, G)
    mean, size = float(by_seed.mean()), float((np.bincount(unit, weights=weight) ** 2).sum() / images)
    p = (mean * images + 1) / (images + 2)
    mean_square = noise = 0.0
    if seeds > 1:
        mean_square = float(by_seed.var(ddof=1))
        # Half an image more, on which seeds differ: no number of images proves that they never would.
        noise = float((rest.var(axis=0, ddof=1).sum() + size / 2) / images**2)
    of_seeds = seen = Seen(mean_square, noise, p * (1 - p), seeds)
    if folds is not None:
        seen = seen_in_folds(((right - own) * weight).mean(axis=0), unit, folds, size, seen.scale)
    return Summary(
        mean,
        rest.mean(axis=0) / (images - count),
        images,
        size,
        float(np.square(count).sum() ** 2 / (count.astype(float) ** 4).sum() - 1),
        seen,
        stochastic or folds is not None,
        None if folds is None else of_seeds,
    )


def learn(cells: Mapping[Hashable, Summary]) -> SeedSpread:
    """What the seeds of all cells of a data set say about the seed variance of each."""
    return SeedSpread({key: cell.seen for key, cell in cells.items() if cell.stochastic})


class Mixture(NamedTuple):
    """The error of an estimate: normal, or t with `df`, around 0 with one of several variances."""

    weight: np.ndarray  # (K,) sums to 1
    variance: np.ndarray  # (K,)
    df: float

    def tail(self, size: float) -> float:
        """The probability of an error beyond ± `size`."""
        scaled = -size / np.sqrt(self.variance)
        return float(self.weight @ (2 * (special.ndtr(scaled) if self.df > 1000 else special.stdtr(self.df, scaled))))

    def above(self, size: float) -> float:
        """The probability of an error above `size`, which may be negative."""
        return self.tail(size) / 2 if size >= 0 else 1 - self.tail(-size) / 2

    def quantile(self, alpha: float) -> float:
        """The size that an error exceeds with probability `alpha`, by bisection."""
        low, high = 0.0, float(np.sqrt(self.variance.max()))
        while self.tail(high) > alpha:
            high *= 2
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self.tail(middle) > alpha else (low, middle)
        return high


def mixture(images: float, seeds: np.ndarray, weight: np.ndarray, df: float) -> Mixture:
    """The variance of images plus each of those of seeds, gathered in `BINS` bins."""
    variance, weight = images + np.ravel(seeds), np.ravel(weight)
    place = np.log(variance)
    place = ((place - place.min()) / max(np.ptp(place), 1e-12) * (BINS - 1)).round().astype(int)
    total, summed = np.bincount(place, weights=weight), np.bincount(place, weights=weight * variance)
    kept = total > 1e-12
    return Mixture(total[kept] / total[kept].sum(), summed[kept] / total[kept], df)


def has_seed_part(cell, key: Hashable, spread: SeedSpread) -> bool:
    """Whether the error of a cell, or of its slices, has a seed part: it is stochastic, and something is known of seeds."""
    return cell.stochastic and spread.learnt and key in spread


def of_recipe(cell, key: Hashable, spread: SeedSpread) -> bool:
    """Whether its numbers speak of a recipe: a cell with a single seed and no other to learn from speaks of one model."""
    return not cell.stochastic or has_seed_part(cell, key, spread)


def cell_interval(cell: Summary, key: Hashable, spread: SeedSpread) -> dict:
    """Mean accuracy of a cell and its interval over seeds and test images (the latter alone where nothing is known of seeds).

    Returns {"accuracy", "ci_low", "ci_high", "seeds"}, fractions. Every variance here is proportional to p(1 - p), so the interval is
    Wilson's (1927) over the whole range: the p with (mean - p)² ≤ m² p(1 - p), where m² is z²/N for one model and single images, and
    the squared quantile of the mixture of both parts else. It lies within [0, 1] and never has no width.
    """
    p, images, groups = cell.mean, cell.images, len(cell.influence)
    of_images = (groups - 1) / groups * float((cell.influence**2).sum())
    # One wrong image more, with all of its group and in every seed, so that no errors are not worth more than one.
    design = (of_images * images**2 + cell.size) / (images * p * (1 - p) + 1)
    seeds, weight = np.zeros(1), np.ones(1)
    if has_seed_part(cell, key, spread):
        seeds, weight = TAU2 / cell.seeds, spread.single(key)
    square = mixture(design / images, seeds, weight, cell.df).quantile(1 - LEVEL) ** 2
    low, high = wilson(p, square)
    return {"accuracy": p, "ci_low": float(low), "ci_high": float(high), "seeds": (cell.of_seeds or cell.seen).seeds}


def error_of_difference(a: Summary, b: Summary, keys: tuple, spread: SeedSpread) -> Mixture:
    """The error of mean(a) - mean(b).

    The variance of images counts two images more, on one of which only a and on the other only b is right (Bonett & Price 2012), with all
    of their groups: five images of many that differ all one way then have p = 0.06, as in the exact test, and none is not certainty.
    """
    groups = len(a.influence)
    if (a.images, groups) != (b.images, len(b.influence)):
        raise InputError(
            f"Two cells can only be compared on the same test images, and they have {a.images} and {b.images}."
        )
    of_images = (groups - 1) / groups * float(((a.influence - b.influence) ** 2).sum()) + 2 * a.size / a.images**2
    known = [has_seed_part(cell, key, spread) for cell, key in zip((a, b), keys)]
    seeds = [TAU2 * cell.seen.scale / cell.seeds for cell in (a, b)]
    if all(known):
        return mixture(of_images, seeds[0][:, None] + seeds[1][None], spread.pair(*keys), a.df)
    for one, key, variance in zip(known, keys, seeds):
        if one:
            return mixture(of_images, variance, spread.single(key), a.df)
    return mixture(of_images, np.zeros(1), np.ones(1), a.df)


def difference(a: Summary, b: Summary, keys: tuple, spread: SeedSpread, margin: float = 0.01) -> dict:
    """Mean of cell A minus that of cell B with its 95 % interval and p values; fractions.

    Returns {"difference", "ci_low", "ci_high", "p", "p_worse_a", "p_worse_b", "detectable", "fixed_variance", "variance_per_seed"}.
    p is two-sided and agrees with the interval. p_worse_a is the one-sided p value of "A is worse than B by `margin` or more", the test
    of non-inferiority, and p_worse_b that of B. All three are None where a stochastic cell takes part and nothing is known of seeds: the
    interval then speaks of these trained models. `detectable` is the true difference that 80 % of studies with this error would find: the
    half-width plus the error's 80 % quantile. With another number of seeds S in both cells the variance would be about
    fixed_variance + variance_per_seed / S. Intervals end where differences of fractions do, at -1 and 1.
    """
    gap, error = a.mean - b.mean, error_of_difference(a, b, keys, spread)
    half = error.quantile(1 - LEVEL)
    known = all(of_recipe(cell, key, spread) for cell, key in zip((a, b), keys))
    fixed, per_seed = _by_seeds(a, b, keys, spread, error)
    return {
        "difference": gap,
        "ci_low": max(-1.0, gap - half),
        "ci_high": min(1.0, gap + half),
        "p": error.tail(abs(gap)) if known else None,
        "p_worse_a": error.above(margin + gap) if known else None,
        "p_worse_b": error.above(margin - gap) if known else None,
        "detectable": half + error.quantile(2 * (1 - POWER)),
        "fixed_variance": fixed,
        "variance_per_seed": per_seed,
    }


def effect_size(a: float, b: float, low: float, high: float) -> dict:
    """Cohen's h of two accuracies, 2 asin sqrt(a) - 2 asin sqrt(b) (Cohen 1988, ch. 6): {"effect_size", "effect_low", "effect_high"}.

    It makes 98 against 99 % count more than 50 against 51 %; 0.2 is small, 0.5 medium, 0.8 large. Its ends are the h of the ends
    `low`, `high` of the difference's interval, laid around the mean of the two accuracies: it holds 0 where that interval does.
    """

    def h(gap: float) -> float:
        one, other = np.clip([(a + b + gap) / 2, (a + b - gap) / 2], 0, 1)
        return float(2 * np.arcsin(np.sqrt(one)) - 2 * np.arcsin(np.sqrt(other)))

    return {"effect_size": h(a - b), "effect_low": h(low), "effect_high": h(high)}


NOTHING = SeedSpread({})  # learnt from no seeds


def _by_seeds(a: Summary, b: Summary, keys: tuple, spread: SeedSpread, error: Mixture) -> tuple[float, float]:
    """(fixed, per seed): with S seeds in both cells, a difference would have about the variance fixed + per seed / S."""
    if a.of_seeds and b.of_seeds:  # more seeds on the same folds: their own mean squares become less, no more
        per_seed = sum(cell.of_seeds.mean_square for cell in (a, b))
        now = sum(cell.of_seeds.mean_square / cell.of_seeds.seeds for cell in (a, b))
        return max(0.0, float(error.weight @ error.variance) - now), per_seed
    by_chance = sum(cell.seen.noise / cell.seeds for cell in (a, b))
    fixed = max(0.0, float(error_of_difference(a, b, keys, NOTHING).variance[0]) - by_chance)
    return fixed, sum(_per_seed(cell, key, spread) for cell, key in zip((a, b), keys))


def _per_seed(cell: Summary, key: Hashable, spread: SeedSpread) -> float:
    """The expected variance of one seed's accuracy around its recipe's, on these images."""
    if not has_seed_part(cell, key, spread):
        return cell.seen.noise
    return float(spread.single(key) @ TAU2) * cell.seen.scale + cell.seen.noise


def win_tie_loss(
    pairs: Iterable[tuple[str, str, float, float]], alpha: float = 0.05
) -> dict[tuple[str, str], list[int]]:
    """{(A, B): [wins, ties, losses] of A against B} from (A, B, difference A - B, corrected p); both directions are there.

    A difference counts as won or lost where p lies below `alpha`, else as a tie; one without p is no round.
    """
    counts: dict[tuple[str, str], list[int]] = {}
    for a, b, gap, p in pairs:
        if p is None or np.isnan(p):
            continue
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
    return np.minimum(1.0, 2 * special.bdtr(np.minimum(only_a, only_b), only_a + only_b, 0.5))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's (1979) adjusted p values within one family, in the order given. A pair without a p value has none here and does not count.

    statsmodels has it, and a test compares them bit by bit. There each call looks through all objects of the process for garbage, which takes
    a tenth of a second and more, and its import takes a second.
    """
    p = np.array(p, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested])]
    p[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return p
