"""Each seed with a validation split, trials and probe of its own: what is asked of the config, and which files are whose."""

import pytest

from ftbench.base.errors import InputError
from ftbench.study import config, grid, inputs, run_weights, settings, trials
from ftbench.study.paths import SPLIT_PATHS

FILE = {"source": "ftbench", "model": "resnet8", "weights": "file:w.pth", "mean": [0.5] * 3, "std": [0.2] * 3}


def study(splits="per_seed", dataset=None, strategies=None, **changes) -> dict:
    return config.resolve(
        {
            "study": "s",
            "seeds": [0, 1, 2],
            "splits": splits,
            "datasets": {"digits": {"source": "digits"} | (dataset or {})},
            "backbones": {"small": FILE},
            "strategies": {"probe": {"kind": "linear_probe"}, "lp_ft": {"kind": "lp_ft"}} | (strategies or {}),
        }
        | changes
    )


def test_by_default_all_seeds_share_a_split_and_a_probe_runs_once():
    shared = study("shared")
    assert config.schema()["properties"]["splits"]["default"] == "shared"
    assert grid.seeds_of(shared, "probe") == [0] and not grid.own_splits(shared)
    assert settings.trial_seed(shared, None) == 1000 and "own_split" not in settings.probe_run(shared, CELL, None)
    assert inputs.selections(shared, grid.cells(shared)) == [cell._asdict() for cell in grid.cells(shared)]
    assert not grid.own_splits({"seeds": [0]})  # a study.json of an earlier version


CELL = grid.Cell("digits", "small", "probe")


def test_a_probe_is_fitted_on_every_split_and_every_run_has_its_own_choice():
    own = study()
    assert (
        grid.seeds_of(own, "probe") == [0, 1, 2] == [settings.probe_run(own, CELL, seed)["seed"] for seed in range(3)]
    )
    assert (
        inputs.own_splits(own)[2] == "<results>/data/{dataset}/splits/seed2.npz"
        and inputs.own_splits(study("shared")) == []
    )
    labels = inputs.selections(own, grid.cells(own))
    assert labels == inputs.runs(own, grid.cells(own))
    assert inputs.selected(labels)[1] == "<results>/tuning/digits/small/probe/seed1/selected.json"


def test_a_run_starts_from_the_probe_of_its_own_split():
    files = inputs.start_files(study(), CELL._replace(strategy="lp_ft"))
    assert (
        files["probe_model"]
        .replace("<fitted>", SPLIT_PATHS["per_seed"]["fitted"])
        .endswith("probe/seed{seed}/model.safetensors")
    )


@pytest.mark.parametrize("splits, own", [("per_seed", ["<results>/data/digits/splits/seed1.npz"]), ("shared", [])])
def test_the_seal_asks_for_the_split_that_a_run_of_this_study_was_trained_on(splits, own):
    names = [
        {"small": FILE, "again": FILE | {"weights": f"run:{study}/digits/small/lp_ft/1"}} for study in ("s", "other")
    ]
    sets = {"datasets": {"digits": {"source": "digits"}, "later": {"source": "digits", "split_seed": 1}}}
    leave = {"exclude": [{"dataset": "digits", "backbone": "again"}]}
    for backbones, expected in zip(names, (own, [])):
        resolved = study(splits, backbones=backbones, **sets, **leave)
        cells = [cell for cell in grid.cells(resolved) if cell.dataset == "later"]
        files = run_weights.files_of_starts(resolved, cells)
        assert files["their_own_splits"] == expected and len(files["their_splits"]) == len(files["runs"]) == 1


def test_trials_of_two_seeds_share_no_luck():
    own, cell = study(), CELL._replace(strategy="lp_ft")
    trial = trials.trials(own, "lp_ft")[0]
    assert [settings.trial_run(own, cell, trial, seed)["seed"] for seed in range(3)] == [1000, 1001, 1002]


def test_only_what_draws_the_split_is_in_its_settings():
    assert settings.own_split(study(), "digits", "2") == {"validation_fraction": 0.1, "split_seed": 0, "seed": 2}


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"strategies": {"all": {"kind": "ensemble", "of": "lp_ft"}}}, "strategies.all has the kind ensemble"),
        ({"strategies": {"mean": {"kind": "soup", "of": "lp_ft"}}}, "what validates for one seed was trained on by another"),
        ({"strategies": {"w": {"kind": "wise_ft", "of": "lp_ft", "probe": "probe"}}}, "strategies.w"),
        ({"dataset": {"drop_label_issues": 5}}, "drop_label_issues is 5"),
        ({"dataset": {"source": "imagefolder", "path": "p", "image_size": 8, "validation": "given"}}, "validation is given"),
        ({"backbones": {"small": FILE, "again": FILE | {"weights": "run:s/digits/small/lp_ft/0"}}}, "backbones.again.weights is run:s/digits/.* another seed was trained on"),
        ({"tuning": {"seed": 1}}, "the trials of each seed have this number more, which for 0 is 1, one of seeds"),
        ({"tuning": {"seed": 2**64 - 1}}, "which is above"),
    ],
)  # fmt: skip
def test_what_needs_one_split_is_refused_in_a_sentence(changes, said):
    with pytest.raises(InputError, match=said):
        study(**changes)


def test_a_trial_seed_that_only_a_shared_split_minds_is_taken():
    assert study(tuning={"seed": 5}, seeds=[5, 6])["seeds"] == [5, 6]  # trials of 10 and 11
    with pytest.raises(InputError, match="also one of seeds"):
        study("shared", tuning={"seed": 5}, seeds=[5, 6])
