"""What folds show of the luck of their networks."""

import numpy as np
import pytest

from ftbench.compare.fold_spread import seen_in_folds
from ftbench.compare.seed_spread import SeedSpread
from ftbench.compare.statistics import cell_interval, difference, learn, summarize

FOLDS = np.repeat([1, 2, 3, 4, 5], 40)


def drawn(rng, by_fold, seeds: int = 2) -> np.ndarray:
    """(seeds, 200) right answers with a probability for each fold."""
    return rng.random((seeds, 200)) < np.repeat(by_fold, 40)


def half(right, folds) -> float:
    cells = {key: summarize(right[key], folds=folds) for key in range(len(right))}
    found = cell_interval(cells[0], 0, learn(cells))
    return (found["ci_high"] - found["ci_low"]) / 2


def test_the_variance_of_folds_and_what_single_images_explain_of_it_by_hand():
    """Two folds of two images with the mean answers 1, 0 and 1, 1: deviations from 0.75 are 0.25, -0.75, 0.25, 0.25."""
    rest = np.array([0.25, -0.75, 0.25, 0.25])
    seen = seen_in_folds(rest, np.arange(4), np.array([1, 1, 2, 2]), 1.0, 0.2)
    assert seen.mean_square == pytest.approx(0.125) and (seen.seeds, seen.scale) == (2, 0.2)  # fold means 0.5 and 1
    # within folds 0.5, -0.5, 0, 0: 0.25 a sum with two degrees to spare, two sums in each fold, half an image more
    assert seen.noise == pytest.approx((2 * 0.25 + 0.5) / 4)
    assert seen_in_folds(rest, np.arange(4), np.ones(4, int), 1.0, 0.2).seeds == 1


def test_an_interval_grows_with_how_far_the_folds_lie_apart_and_seeds_would_not_show_it():
    rng = np.random.default_rng(0)
    steady = [drawn(rng, [0.8] * 5) for _ in range(6)]
    apart = [drawn(rng, [0.99, 0.6, 0.95, 0.65, 0.8]) for _ in range(6)]
    assert half(apart, FOLDS) > 1.5 * half(steady, FOLDS)
    assert half(apart, None) < 1.2 * half(steady, None)


def test_one_seed_and_a_deterministic_strategy_have_p_values_in_folds():
    rng = np.random.default_rng(1)
    right = {"a": drawn(rng, [0.9] * 5, 1), "b": drawn(rng, [0.5] * 5, 1)}
    cells = {key: summarize(value, stochastic=False, folds=FOLDS) for key, value in right.items()}
    assert all(cell.stochastic and cell.of_seeds.seeds == 1 for cell in cells.values())
    found = difference(cells["a"], cells["b"], ("a", "b"), learn(cells))
    assert found["p"] < 0.05 and found["variance_per_seed"] == 0 and found["fixed_variance"] > 0
    alone = {key: summarize(value) for key, value in right.items()}
    assert difference(alone["a"], alone["b"], ("a", "b"), learn(alone))["p"] is None
    assert cell_interval(cells["a"], "a", learn(cells))["seeds"] == 1


def test_more_seeds_lower_what_seeds_show_and_no_more():
    rng = np.random.default_rng(2)
    cells = {key: summarize(drawn(rng, [0.8] * 5, 3), folds=FOLDS) for key in "ab"}
    found = difference(cells["a"], cells["b"], ("a", "b"), learn(cells))
    per_seed = sum(cell.of_seeds.mean_square for cell in cells.values())
    assert found["variance_per_seed"] == pytest.approx(per_seed) and found["fixed_variance"] > 0


def test_nothing_changes_without_folds():
    right = drawn(np.random.default_rng(3), [0.8] * 5, 3)
    plain = summarize(right)
    assert plain.of_seeds is None and plain.seen.seeds == 3
    assert isinstance(learn({"a": plain}), SeedSpread)


def test_classes_in_unequal_shares_are_no_difference_of_folds_in_balanced_accuracy():
    """One class is always right, the other never; folds with other shares of both have the same recalls."""
    classes = np.concatenate([np.repeat([0, 1], [ones, 40 - ones]) for ones in (10, 20, 30, 20, 20)])
    right = np.tile(classes == 0, (2, 1))
    assert summarize(right, folds=FOLDS).seen.mean_square > 0.01
    assert summarize(right, classes=classes, folds=FOLDS).seen.mean_square == pytest.approx(0)
