"""The two searches for a learning rate: how many trials, how long each, and who goes on."""

import math

import pytest
import small

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.study import config
from ftbench.study import trials as search
from ftbench.train.selection import promote_trials, select_recipe

RATES = [0.3, 0.001, 0.1, 0.01, 0.03, 1.0, 0.0001, 0.003, 3.0, 0.0003, 10.0, 0.2]


def study(count: int, kind: str = "successive_halving", rungs: int = 2, epochs: int = 27, smoke: bool = False) -> dict:
    scratch = {"kind": "scratch", "learning_rate": RATES[:count], "epochs": epochs}
    return config.resolve(
        {
            "study": "search",
            "smoke": smoke,
            "seeds": [0],
            "datasets": {"digits": {"source": "digits"}},
            "backbones": {"small": {"source": "ftbench", "model": "resnet8", "image_size": 8}},
            "strategies": {"scratch": scratch, "tutorial": {"kind": "tutorial"}},
            "tuning": {"trials": count, "search": kind, "rungs": rungs},
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    "count, rungs, expected",
    [
        (9, 2, [(9, 1 / 3), (3, 1)]),
        (10, 3, [(10, 1 / 9), (4, 1 / 3), (2, 1)]),
        (5, 2, [(5, 1 / 3), (2, 1)]),
        (4, 2, [(4, 1 / 3), (2, 1)]),
    ],
)
def test_rungs_by_hand(count, rungs, expected):
    assert search.rungs(study(count, rungs=rungs), "scratch") == [(n, pytest.approx(share)) for n, share in expected]


def test_a_grid_is_one_rung_of_full_length_under_plain_names():
    trials = search.trials(study(3, "grid"), "scratch")
    assert [trial.name for trial in trials] == ["0", "1", "2"]
    assert [trial.learning_rate for trial in trials] == RATES[:3] and {trial.share for trial in trials} == {1.0}


def test_an_untuned_strategy_searches_nothing():
    for kind in ("grid", "successive_halving"):
        assert search.rungs(study(4, kind), "tutorial") == search.trials(study(4, kind), "tutorial") == []


@pytest.mark.parametrize("count, rungs", [*((count, 2) for count in range(4, 13)), (10, 3), (11, 3), (12, 3)])
def test_every_value_is_tried_and_a_halving_never_costs_more_than_the_grid(count, rungs):
    trials = search.trials(study(count, rungs=rungs), "scratch")
    first = [trial for trial in trials if trial.rung == 0]
    assert [trial.learning_rate for trial in first] == RATES[:count]
    assert len({trial.name for trial in trials}) == len(trials)
    assert all(trial.name == f"{trial.slot}/rung{trial.rung}" for trial in trials)
    assert all(trial.learning_rate is None for trial in trials if trial.rung)
    assert max(trial.rung for trial in trials) == rungs - 1
    assert {trial.share for trial in trials if trial.rung == rungs - 1} == {1.0}
    assert sum(trial.share for trial in trials) < count


@pytest.mark.parametrize("epochs, examples", [(1, None), (10, None), (3, 1000)])
def test_a_shortened_recipe_is_at_least_one_epoch_and_changes_nothing_else(epochs, examples):
    recipe = small.RECIPE | {"epochs": epochs, "examples": examples}
    assert search.shortened(recipe, 1.0) == recipe
    short = search.shortened(recipe, 1 / 9)
    assert 1 <= short["epochs"] == math.ceil(epochs / 9)
    assert short["examples"] == (None if examples is None else 112)
    assert {key for key in recipe if short[key] != recipe[key]} <= {"epochs", "examples"}


def written(folder, tried) -> list[str]:
    """trial.json files of (number, learning rate, accuracy or None where it diverged[, rung])."""
    paths = []
    for place, (number, rate, accuracy, *rung) in enumerate(tried):
        diverged = None if accuracy is not None else {"epoch": 1, "step": 1, "learning_rate": rate, "loss": None}
        scores = {"validation_accuracy": accuracy, "validation_balanced_accuracy": accuracy, "validation_nll": 1.0}
        where = {"trial": number, "rung": rung[0] if rung else 0, "share": 1.0, "learning_rate": rate}
        paths.append(str(folder / f"{place}.json"))
        status = {"status": "diverged" if diverged else "finished", "diverged": diverged, "best_epoch": 1, "epochs": 1}
        write_json(paths[-1], where | status | scores | {"cost": {"train_seconds": 2.0}})
    return paths


@pytest.mark.parametrize(
    "tried, places, expected",
    [
        ([(0, 0.1, 0.5), (1, 0.2, 0.9), (2, 0.3, 0.7)], 2, [1, 2]),
        ([(0, 0.1, 0.9), (1, 0.2, 0.5), (2, 0.3, 0.95)], 2, [0, 2]),  # in the order of the config, not of the scores
        ([(0, 0.3, 0.5), (1, 0.2, 0.5), (2, 0.1, 0.5)], 1, [2]),  # a tie: the smaller learning rate
        ([(0, 0.1, None), (1, 0.2, 0.1), (2, 0.3, 0.2)], 2, [1, 2]),
        ([(0, 0.1, None), (1, 0.2, 0.1), (2, 0.3, None)], 2, [0, 1]),
    ],
)
def test_the_best_go_on(tmp_path, tried, places, expected):
    promote_trials(written(tmp_path, tried), places, "accuracy", str(tmp_path / "rung1.json"))
    rates = {number: rate for number, rate, _ in tried}
    trials = read_json(tmp_path / "rung1.json")["trials"]
    assert trials == [{"trial": number, "learning_rate": rates[number]} for number in expected]


def chosen(folder, tried) -> dict:
    paths = written(folder, tried)
    select_recipe(small.run("scratch", learning_rate=None), paths, str(folder / "selected.json"), str(folder / "recipe.json"))  # fmt: skip
    return read_json(folder / "selected.json")


def test_the_longest_rung_decides_whatever_the_shorter_ones_say(tmp_path):
    selected = chosen(tmp_path, [(0, 0.1, 0.99), (1, 0.2, 0.9), (2, 0.3, 0.1), (0, 0.1, 0.8, 1), (1, 0.2, 0.85, 1)])
    assert (selected["chosen"], selected["trial"], selected["at_grid_edge"]) == (0.2, 1, False)
    assert len(selected["trials"]) == 5 and selected["tuning_seconds"] == 10.0  # all rungs are paid for


def test_a_value_that_diverged_on_any_rung_is_not_chosen(tmp_path):
    short = [(0, 0.1, 0.6), (1, 0.2, 0.9), (2, 0.3, 0.8)]
    selected = chosen(tmp_path, [*short, (1, 0.2, None, 1), (2, 0.3, None, 1)])
    assert (selected["status"], selected["chosen"]) == ("finished", 0.1)


def test_where_every_value_diverged_at_some_length_that_is_the_result(tmp_path):
    selected = chosen(tmp_path, [(0, 0.1, None), (1, 0.2, 0.9), (1, 0.2, None, 1)])
    assert (selected["status"], selected["chosen"], selected["trial"]) == ("diverged", None, None)


def test_a_halving_that_has_nothing_left_to_choose_is_refused():
    for count, rungs, needed in ((3, 2, 4), (9, 3, 10)):
        with pytest.raises(InputError, match=f"tuning.trials is {count}.*{rungs} rungs.*at least {needed}"):
            study(count, rungs=rungs)
    with pytest.raises(InputError, match="strategies.scratch.epochs is 2, too few for 3 rungs.*at least 9"):
        study(10, rungs=3, epochs=2)
    assert study(3, "grid")["tuning"]["rungs"] == 2  # no matter where nothing is halved


def test_a_rehearsal_goes_through_both_rungs():
    small_study = study(9, smoke=True)
    assert [(count, round(share, 2)) for count, share in search.rungs(small_study, "scratch")] == [(4, 0.33), (2, 1)]
