"""The intervals and tests keep their promise in studies with known truth: a short form of `make simulate`, with fixed seeds."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
import _simulated_folds  # noqa: E402
import simulate  # noqa: E402

REPETITIONS = 15
SMALL = {"images": 200, "cells": 4}


@pytest.mark.parametrize(
    ("world", "least_cell"),
    [
        ({"seeds": 2}, 0.9),
        ({"seeds": 2, "deterministic": 1, "seed_sd": 0.2}, 0.9),
        ({"seeds": 3, "one_seed": 1, "seed_sd": 0.2}, 0.9),
        ({"seeds": 2, "group": 10}, 0.9),
    ],
)
def test_errors_and_coverage(world, least_cell):
    found = simulate.case(simulate.World(**SMALL | world), REPETITIONS, seed=500)
    slack = 300 * np.sqrt(
        0.05 * 0.95 / REPETITIONS
    )  # three binomial standard errors, as if pairs of one study were one
    assert found["error"]["default"] <= 5 + slack
    assert found["cell_coverage"] >= 100 * least_cell


def test_the_chance_of_split_and_tuning_is_in_the_interval_where_every_seed_draws_its_own():
    """Drawn once, equal cells differ for good; drawn by every seed, it is one more part of the seeds' luck, a probe's too."""
    worlds = {"split_sd": 0.1, "tuning_sd": 0.3, "seeds": 3, "deterministic": 1}
    once = simulate.case(simulate.World(**SMALL, **worlds), REPETITIONS, seed=503)
    each = simulate.case(simulate.World(**SMALL, **worlds, per_seed=True), REPETITIONS, seed=503)
    assert once["error"]["default"] > 20 > 10 > each["error"]["default"]
    assert each["cell_coverage"] >= 90


def test_seeds_that_are_ignored_and_groups_that_are_would_fail_here():
    """The same worlds find the faults of rivals: so the test above says something."""
    seeds = simulate.case(simulate.World(**SMALL, seeds=2, seed_sd=0.3), REPETITIONS, seed=501)
    assert seeds["error"]["images alone"] > 15
    groups = simulate.case(simulate.World(**SMALL, seeds=3, group=20, seed_sd=0.02), REPETITIONS, seed=502)
    assert groups["error"]["pooled"] > 10 > groups["error"]["default"]


@pytest.mark.parametrize("world", [{"images": 300, "seeds": 2}, {"images": 1000, "seeds": 3}])
def test_a_test_set_in_folds_keeps_its_promise(world):
    """Each fold has a split, a tuning and networks of its own; what they do to it is in the interval."""
    worlds = simulate.World(**_simulated_folds.EFFECTS | {"folds": 5} | world)
    found = _simulated_folds.case(worlds, 25, seed=504)
    slack = 300 * np.sqrt(0.05 * 0.95 / 50)  # three binomial standard errors of the two cells of each study
    assert found["default"]["error"] <= 5 + slack and found["default"]["coverage"] >= 95 - slack


def test_seeds_alone_would_fail_in_folds():
    world = simulate.World(images=1000, seeds=3, folds=5, cells=6, split_sd=0.2, tuning_sd=0.3)
    found = _simulated_folds.case(world, 20, seed=505)
    assert found["seeds alone"]["error"] > 15 > found["default"]["error"]
