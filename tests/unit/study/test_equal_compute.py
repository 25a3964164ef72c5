"""Trials allotted so that the tuning of all strategies takes the same compute."""

import math

import pytest

from ftbench.base.errors import InputError
from ftbench.study import config, trials
from ftbench.study.tuning.budget import described, said_of
from ftbench.study.tuning.equal_compute import TOLERANCE, denser, shares, tuning_compute

RATES = [0.001, 0.01, 0.1]
FULL, LAST, NORMS = ({"kind": kind, "learning_rate": RATES} for kind in ("finetune", "last_block", "norm_bias"))


def study(equal=True, tuning=None, smoke=False, training=None, exclude=(), **strategies) -> dict:
    weights = {"weights": "file:w.pth", "mean": [0.5] * 3, "std": [0.2] * 3}
    other = {"other": {"source": "ftbench", "model": "resnet8", "image_size": 8}} if exclude else {}
    return config.resolve(
        {
            "study": "s",
            "smoke": smoke,
            "seeds": [0, 1],
            "datasets": {"digits": {"source": "digits"}},
            "backbones": {"small": {"source": "ftbench", "model": "resnet8", "image_size": 8} | weights, **other},
            "tuning": {"equal_compute": equal} | (tuning or {}),
            "training": {"epochs": 10} | (training or {}),
            "strategies": strategies,
            "exclude": list(exclude),
        }
    )


def test_a_cheaper_strategy_gets_more_trials_of_the_same_length():
    resolved = study(full=FULL, last=LAST, norms=NORMS)
    found = tuning_compute(resolved)
    # 3 · 10 · 3 = 90 passes; 1.35 · 10 a trial: 6.67 trials; 2 · 10: 4.5, and the fewer of two as near
    assert {name: one.trials for name, one in found.items()} == {"full": 3, "last": 7, "norms": 4}
    assert shares(resolved) == pytest.approx({"full": 1, "last": 94.5 / 90, "norms": 80 / 90})
    assert {trial.share for name in found for trial in trials.trials(resolved, name)} == {1.0}


def test_what_is_further_than_the_tolerance_is_named_and_what_cannot_be_matched():
    said = said_of(
        study(full=FULL, norms=NORMS, last=LAST, probe={"kind": "linear_probe"}, tutorial={"kind": "tutorial"})
    )
    assert "norms 89%" in said and "last" not in said.split("tuning compute")[1].partition("; probe")[0].replace(
        "costliest", ""
    )
    assert "probe cannot be matched" in said and "tutorial cannot either" in said


def test_trials_that_are_there_stay_and_new_ones_lie_between_them():
    assert denser(RATES, 3) == RATES
    assert denser(RATES, 5) == [*RATES, 0.00316, 0.0316]
    assert denser([0.1, 0.001], 3) == [0.1, 0.001, 0.01]
    many = denser(RATES, 60)
    assert len(set(many)) == 60 and min(many) == min(RATES) and max(many) == max(RATES)
    steps = [math.log(b / a) for a, b in zip(sorted(many), sorted(many)[1:])]
    assert max(steps) < 2.2 * min(steps)


def test_off_changes_nothing():
    plain = study(equal=False, full=FULL, last=LAST)
    assert all(entry["learning_rate"] == RATES for entry in plain["strategies"].values())
    assert said_of(plain) == ""  # as many trials, as many epochs
    assert described(plain)["last"][1] == pytest.approx(1.35 / 3)


def test_a_rehearsal_tries_one_value_of_each():
    resolved = study(smoke=True, full=FULL, last=LAST)
    assert not resolved["tuning"]["equal_compute"]
    assert all(len(entry["learning_rate"]) == 1 for entry in resolved["strategies"].values())


def test_what_never_meets_on_a_backbone_is_not_matched():
    resolved = study(full=FULL | {"epochs": 40}, scratch={"kind": "scratch", "learning_rate": RATES})
    assert tuning_compute(resolved)["scratch"].trials == 12
    apart = study(
        exclude=[{"backbone": "small", "strategy": "scratch"}, {"backbone": "other", "strategy": "full"}],
        full=FULL | {"epochs": 40},
        scratch={"kind": "scratch", "learning_rate": RATES},
    )
    assert tuning_compute(apart)["scratch"].trials == 3 and shares(apart) == {"full": 1, "scratch": 1}


@pytest.mark.parametrize("factor", [2, 5])
def test_shorter_runs_get_more_trials(factor):
    resolved = study(full=FULL | {"epochs": 10 * factor}, short=FULL)
    assert tuning_compute(resolved)["short"].trials == 3 * factor
    assert shares(resolved) == pytest.approx({"full": 1, "short": 1})


def test_a_halving_is_matched_over_all_its_rungs():
    listed = {"learning_rate": [0.0001, 0.001, 0.01, 0.1]}
    tuning = {"search": "successive_halving", "trials": 4}
    resolved = study(tuning=tuning, training={"epochs": 9}, full=FULL | listed, last=LAST | listed)
    # rungs of 4 trials of 3 epochs and 2 of 9: 30 epochs of 3 passes; 9 of 3 and 3 of 9: 54 of 1.35 would be 73, 10 and 4 of them 89
    found = tuning_compute(resolved)
    assert found["full"].seen == 30 and found["full"].total == 90
    assert abs(found["last"].total / 90 - 1) <= TOLERANCE
    assert sum(trial.share * 9 for trial in trials.trials(resolved, "last")) == pytest.approx(found["last"].seen)


@pytest.mark.parametrize(
    "strategies, said",
    [
        ({"full": FULL, "short": FULL | {"examples": 100}}, "all count epochs or all count examples"),
        ({"full": FULL | {"epochs": 1000}, "short": FULL | {"epochs": 1}}, "strategies.short more than 100 trials"),
    ],
)
def test_what_cannot_be_compared_is_refused(strategies, said):
    with pytest.raises(InputError, match=said):
        study(**strategies)


def test_one_value_cannot_be_made_denser():
    one = {"learning_rate": [0.01]}
    with pytest.raises(InputError, match="lists one value"):
        study(tuning={"trials": 1}, full=FULL | one, last=LAST | one)
