"""How often each cell would be best with other images and other seeds."""

import numpy as np
import pytest

from ftbench.compare.seed_spread import SeedSpread
from ftbench.compare.stability import rank_stability
from ftbench.compare.statistics import difference, learn, summarize


def cells(accuracies, seeds=3, images=1000, wobble=0.02, seed=0):
    """Summaries of cells that share hard and easy images; `wobble` is the sd of a seed's accuracy."""
    random = np.random.default_rng(seed)
    hard = random.random(images)
    return {
        f"cell{number}": summarize(
            np.array([hard < p + random.normal(0, wobble) for _ in range(seeds)]), stochastic=seeds > 1
        )
        for number, p in enumerate(accuracies)
    }


@pytest.mark.parametrize("seed", range(5))
def test_probabilities_sum_to_one_and_three(seed):
    found = cells([0.9, 0.89, 0.8, 0.88, 0.5], seed=seed)
    stable = rank_stability(found, learn(found))
    assert sum(one["p_best"] for one in stable.values()) == pytest.approx(1)
    assert sum(one["p_top3"] for one in stable.values()) == pytest.approx(3)
    for one in stable.values():
        assert 0 <= one["p_best"] <= one["p_top3"] <= 1 and 1 <= one["rank_low"] <= one["rank_high"] <= 5
    assert stable["cell4"] == {"p_best": 0, "p_top3": 0, "rank_low": 5, "rank_high": 5}


@pytest.mark.parametrize("gap", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_of_two_cells_it_agrees_with_the_test_of_their_difference(gap, seeds):
    """The p value of a difference is twice the share of draws in which the lower cell comes out above."""
    found = cells([0.8 + gap, 0.8], seeds=seeds, seed=3)
    spread = learn(found)
    stable = rank_stability(found, spread)
    higher, lower = sorted(found, key=lambda name: -found[name].mean)
    p = difference(found[higher], found[lower], (higher, lower), spread)["p"]
    assert stable[lower]["p_best"] == pytest.approx(p / 2, abs=0.03)


def test_equal_cells_share_and_images_that_are_hard_for_all_move_no_rank():
    right = np.random.default_rng(0).random((1, 400)) < 0.7
    twins = {name: summarize(right, stochastic=False) for name in "ab"}
    stable = rank_stability(twins, SeedSpread({}))
    assert stable["a"]["p_best"] == pytest.approx(0.5, abs=0.03)
    better = right.copy()
    better[0, np.flatnonzero(~right[0])[:30]] = True  # right wherever the other is, and on 30 images more
    found = {"worse": twins["a"], "better": summarize(better, stochastic=False)}
    assert rank_stability(found, SeedSpread({}))["better"]["p_best"] > 0.9999


def test_the_same_study_gives_the_same_numbers():
    found = cells([0.9, 0.89])
    assert rank_stability(found, learn(found)) == rank_stability(found, learn(found))
