from itertools import product

import pytest

from ftbench.study import config, grid


def study(exclude=(), **strategies):
    strategies = strategies or {"probe": {"kind": "linear_probe"}, "finetune": {"kind": "finetune"}}
    return config.resolve(
        {
            "study": "s",
            "seeds": [4, 5, 6],
            "datasets": {"one": {"source": "digits"}, "two": {"source": "digits"}},
            "backbones": {
                "plain": {"source": "ftbench", "model": "resnet8"},
                "a": {"model": "resnet18", "weights": "X"},
                "b": {"model": "resnet50", "weights": "X"},
            },
            "strategies": strategies | {"scratch": {"kind": "scratch"}, "tutorial": {"kind": "tutorial"}},
            "exclude": list(exclude),
        }
    )


def test_the_grid_is_the_product_in_the_configs_order_without_the_impossible():
    resolved = study()
    whole = list(product(resolved["datasets"], resolved["backbones"], resolved["strategies"]))
    possible = [cell for cell in whole if cell[1] != "plain" or cell[2] in ("scratch", "tutorial")]
    assert grid.cells(resolved) == possible
    assert len(set(possible)) == len(possible) == 2 * (2 * 4 + 2)


@pytest.mark.parametrize(
    "pattern",
    [
        {"dataset": "one"},
        {"backbone": ["a", "plain"]},
        {"strategy": "scratch", "backbone": "b"},
        {"dataset": ["two"], "backbone": "a", "strategy": ["probe", "tutorial"]},
    ],
)
def test_an_exclude_entry_removes_exactly_the_cells_that_match_all_its_keys(pattern):
    everything, left = grid.cells(study()), grid.cells(study([pattern]))
    gone = [
        cell
        for cell in everything
        if all(getattr(cell, axis) in ([given] if isinstance(given, str) else given) for axis, given in pattern.items())
    ]
    assert gone and left == [cell for cell in everything if cell not in gone]


def test_two_exclude_entries_remove_what_either_matches():
    patterns = [{"dataset": "one"}, {"strategy": "scratch"}]
    first, second = (set(grid.cells(study([pattern]))) for pattern in patterns)
    assert set(grid.cells(study(patterns))) == first & second


def test_only_random_starts_admit_a_backbone_without_weights():
    resolved = study(lp={"kind": "linear_probe"}, lpft={"kind": "lp_ft"}, bias={"kind": "norm_bias"})
    admitted = [name for name in resolved["strategies"] if grid.admits(resolved, "plain", name)]
    assert admitted == ["scratch", "tutorial"]
    assert all(grid.admits(resolved, "a", name) for name in resolved["strategies"])


def test_a_deterministic_strategy_runs_once():
    resolved = study()
    assert grid.seeds_of(resolved, "probe") == [0]
    assert all(grid.seeds_of(resolved, name) == [4, 5, 6] for name in ("finetune", "scratch", "tutorial"))


def test_only_a_grid_makes_trials():
    resolved = study(fixed={"kind": "finetune", "learning_rate": 0.1}, tuned={"kind": "finetune"})
    assert grid.trials_of(resolved, "fixed") == grid.trials_of(resolved, "tutorial") == []
    assert grid.trials_of(resolved, "tuned") == resolved["strategies"]["tuned"]["learning_rate"]
