"""Accuracy in the slices of the test images (a site, a camera, an age), how far slices lie apart, and tests of each against the rest.

Two slices share the trained models and no image. The error of their difference has two parts, as that of two cells has
(`ftbench.compare.statistics`): images, by leaving each group out of the whole difference (a patient may lie in both slices), and seeds, whose
variance of this very difference is learnt from all cells of the data set. The best and the worst slice are found by looking, so
the interval of their gap holds for all pairs of slices together (Bonferroni 1936): it covers the pair that happened to be chosen.
"""

from collections import Counter
from collections.abc import Hashable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ftbench.compare.seed_spread import TAU2, SeedSpread, Seen
from ftbench.compare.slices import in_order
from ftbench.compare.statistics import (
    LEVEL,
    Mixture,
    cell_interval,
    has_seed_part,
    holm,
    learn,
    mixture,
    of_recipe,
    summarize,
)

SMALL = 10  # independent images (groups) below which a slice is shown, and neither tested nor called best or worst


class Contrast(NamedTuple):
    """The accuracy of one cell in one slice minus that in another."""

    difference: float
    of_images: float  # variance
    df: float
    seen: Seen
    stochastic: bool


def contrast(right: np.ndarray, one: np.ndarray, other: np.ndarray, groups: np.ndarray, stochastic: bool) -> Contrast:
    """Of right answers (S, N) in the images `one` and `other`, (N,) bool without an image in common; `groups` (N,) int.

    The variance of images counts one image more in each slice, with all of its group (Agresti & Caffo 2000), so that no
    slice without an error is certain.
    """
    right = np.asarray(right, float)
    units = np.unique(groups, return_inverse=True)[1]
    by_seed, rest, of_images, worth, scale = 0.0, 0.0, 0.0, 0.0, 0.0
    for inside, sign in ((one, 1), (other, -1)):
        images = inside.sum()
        count = _counted(units, inside)
        mean = right[:, inside].mean(axis=1)
        deviation = np.array([np.bincount(units, (row - m) * inside, len(count)) for row, m in zip(right, mean)])
        p = (mean.mean() * images + 1) / (images + 2)
        size = (count.astype(float) ** 2).sum() / images
        by_seed, rest = by_seed + sign * mean, rest + sign * deviation / np.maximum(images - count, 1)
        of_images += size / images**2
        worth = worth + p * (1 - p) * (count / images) ** 2  # of each group
        scale += p * (1 - p)
    held = _counted(units, one | other) > 0
    of_images += (held.sum() - 1) / held.sum() * float((rest.mean(axis=0)[held] ** 2).sum())
    seeds, mean_square, noise = len(right), 0.0, 0.0
    if seeds > 1:
        mean_square = float(by_seed.var(ddof=1))
        noise = float(rest.var(axis=0, ddof=1).sum() + sum(0.5 / inside.sum() ** 2 for inside in (one, other)))
    df = float(worth.sum() ** 2 / (worth**2).sum() - 1)
    return Contrast(float(by_seed.mean()), of_images, max(df, 1.0), Seen(mean_square, noise, scale, seeds), stochastic)


def _counted(units: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """How many of the images `inside` every group has."""
    return np.bincount(units[inside], minlength=units.max() + 1)


def _error(found: Contrast, key: Hashable, spread: SeedSpread) -> Mixture:
    if has_seed_part(found, key, spread):
        return mixture(found.of_images, TAU2 * found.seen.scale / found.seen.seeds, spread.single(key), found.df)
    return mixture(found.of_images, np.zeros(1), np.ones(1), found.df)


def _contrasts(cells: dict, groups: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[dict, SeedSpread]:
    found = {key: contrast(cell["correct"], one, other, groups, cell["stochastic"]) for key, cell in cells.items()}
    return found, SeedSpread({key: value.seen for key, value in found.items() if value.stochastic})


def _interval(found: Contrast, error: Mixture, alpha: float) -> dict:
    half = error.quantile(alpha)
    return {"low": max(-1.0, found.difference - half), "high": min(1.0, found.difference + half)}


def slice_rows(cells: dict[tuple, dict], values: np.ndarray, groups: np.ndarray) -> dict[tuple, list[dict]]:
    """Per cell a row for every slice of one column.

    `cells` maps a key to {"correct" (S, N) bool, "labels" (N,), "stochastic", perhaps "folds" (N,)}, finished ones alone; `values` (N,) str are the slices of the
    test images, `groups` (N,) int those that count as one. A row has slice, images, groups, small, accuracy with its interval,
    expected (the accuracy if the slice's classes were found as on all test images), rest (accuracy on all others), difference (slice
    minus rest) with its interval and p, which is None for a small slice and for a recipe of which one seed is known.
    """
    rows: dict[tuple, list[dict]] = {key: [] for key in cells}
    for name in in_order(values.tolist()):
        inside = values == name
        independent = len(np.unique(groups[inside]))
        small = independent < SMALL or len(np.unique(groups[~inside])) < SMALL
        several = independent > 1
        summaries = {
            key: summarize(
                cell["correct"][:, inside], groups[inside], stochastic=cell["stochastic"], folds=_some(cell, inside)
            )
            for key, cell in cells.items()
            if several
        }
        spread = learn(summaries)
        found, apart = _contrasts(cells, groups, inside, ~inside) if not small else ({}, None)
        for key, cell in cells.items():
            right = cell["correct"].mean(axis=0)
            row = {
                "slice": name,
                "images": int(inside.sum()),
                "groups": independent,
                "small": small,
                "accuracy": float(right[inside].mean()),
                "expected": _expected(right, cell["labels"], inside),
            }
            if several:
                ends = cell_interval(summaries[key], key, spread)
                row |= {"accuracy_low": ends["ci_low"], "accuracy_high": ends["ci_high"]}
            if key in found:
                error = _error(found[key], key, apart)
                ends = _interval(found[key], error, 1 - LEVEL)
                row |= {"rest": float(right[~inside].mean()), "difference": found[key].difference}
                row |= {f"difference_{end}": value for end, value in ends.items()}
                row["p"] = error.tail(abs(found[key].difference)) if of_recipe(found[key], key, apart) else None
            rows[key].append(row)
    return rows


def _some(cell: dict, inside: np.ndarray) -> np.ndarray | None:
    """The folds of some images, if the cell was tested in folds."""
    return None if cell.get("folds") is None else cell["folds"][inside]


def _expected(right: np.ndarray, labels: np.ndarray, inside: np.ndarray) -> float:
    number = np.unique(labels, return_inverse=True)[1]
    recall = np.bincount(number, right) / np.bincount(number)
    return float(recall[number[inside]].mean())


def gap_rows(cells: dict[tuple, dict], values: np.ndarray, groups: np.ndarray) -> dict[tuple, dict]:
    """Per cell the gap between its best and its worst slice of one column, with an interval that holds for all pairs together.

    {"slices" (those that are not small), "best", "worst", "gap", "gap_low", "gap_high", "of_recipe"}; without a gap where fewer than two
    slices are large enough.
    """
    names = [name for name in in_order(values.tolist()) if len(np.unique(groups[values == name])) >= SMALL]
    if len(names) < 2:
        return {key: {"slices": len(names)} for key in cells}
    pairs = list(combinations(names, 2))
    known: dict[tuple, tuple] = {}
    rows = {}
    for key, cell in cells.items():
        right = cell["correct"].mean(axis=0)
        means = {name: right[values == name].mean() for name in names}
        best, worst = max(names, key=means.get), min(reversed(names), key=means.get)
        if (best, worst) not in known:
            known[best, worst] = _contrasts(cells, groups, values == best, values == worst)
        found, spread = known[best, worst]
        ends = _interval(found[key], _error(found[key], key, spread), (1 - LEVEL) / len(pairs))
        rows[key] = {
            "slices": len(names),
            "best": best,
            "worst": worst,
            "gap": found[key].difference,
            **{f"gap_{end}": value for end, value in ends.items()},
            "of_recipe": of_recipe(found[key], key, spread),
        }
    return rows


def corrected(rows: list[dict]) -> list[float]:
    """Holm's p values of one cell's slices of all columns (rows with "column"); the two slices of a column are one test, not two."""
    slices = Counter(row["column"] for row in rows)
    tests = [(row["column"], None if slices[row["column"]] == 2 else row["slice"]) for row in rows]
    first: dict[tuple, float | None] = {}
    for test, row in zip(tests, rows):
        first.setdefault(test, row.get("p"))
    adjusted = dict(zip(first, holm([np.nan if p is None else p for p in first.values()])))
    return [adjusted[test] for test in tests]
