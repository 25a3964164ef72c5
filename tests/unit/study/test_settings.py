"""A job's settings: one dict that says all that the job reads and nothing else."""

import copy
import json

import pytest

from ftbench.study import config, grid, kinds, settings, trials
from ftbench.study.checks.image_sizes import relative_area

RATES = [0.1, 0.2, 0.3, 0.4]


def study(**changes) -> dict:
    """One of everything: mirrored and not, random and pretrained, tuned and fixed, the loop and features."""
    return config.resolve(
        {
            "study": "s",
            "seeds": [0, 1, 2],
            "datasets": {"digits": {"source": "digits", "flip": False}, "cifar": {"source": "torchvision", "name": "CIFAR10"}},
            "backbones": {
                "plain": {"source": "ftbench", "model": "resnet8", "image_size": 8, "weights": "none", "activation": "relu"},
                "net": {"source": "torchvision", "model": "resnet18", "weights": "X", "image_size": 32},
            },
            "training": {"epochs": 9},
            "tuning": {"trials": 4, "rungs": 2, "search": "successive_halving"},
            "strategies": {
                "probe": {"kind": "linear_probe"},
                "neighbours": {"kind": "knn"},
                "scratch": {"kind": "scratch", "learning_rate": RATES},
                "finetune": {"kind": "finetune", "learning_rate": RATES, "augmentation": ["crop_flip", "trivial_augment"]},
                "lp_ft": {"kind": "lp_ft", "learning_rate": RATES},
                "fixed": {"kind": "last_block", "learning_rate": 0.1},
                "tutorial": {"kind": "tutorial"},
            },
        }
        | changes
    )  # fmt: skip


STUDY = study()
CELLS = grid.cells(STUDY)


def every_dict(study: dict) -> dict:
    """{what it is for: the dict} of every job of a study."""
    found = {("download", "CIFAR10"): settings.download(study, "torchvision", "CIFAR10")}
    for name in study["datasets"]:
        found["prepare", name] = settings.prepare(study, name)
        found["split", name] = settings.split(study, name)
    found["exclusions",] = settings.exclusions(study, study["datasets"])
    found["weights",] = settings.weights(study, "torchvision", "resnet18", "X")
    for cell in grid.cells(study):
        found["run", cell] = settings.run(study, cell, 1)
        found["selection", cell] = settings.selection(study, cell)
        found["probe", cell] = settings.probe_run(study, cell)
        found["corruption", cell] = settings.corruption(study, cell)
        for trial in trials.trials(study, cell.strategy):
            found["trial", cell, trial.name] = settings.trial_run(study, cell, trial)
        for rung, _ in enumerate(trials.rungs(study, cell.strategy)):
            found["promotion", cell, rung] = settings.promotion(study, cell.strategy, rung)
        on = [other for other in grid.cells(study) if other[:2] == cell[:2]]
        found["cost", cell[:2]] = settings.cost(study, cell.backbone, on)
    return found


def test_every_dict_is_json_is_the_same_when_asked_again_and_leaves_the_study_alone():
    before = copy.deepcopy(STUDY)
    first = every_dict(STUDY)
    assert len(first) > 100
    for what, given in first.items():
        assert json.loads(json.dumps(given)) == given, what  # no tuple, no number as a key
    assert every_dict(study()) == first
    assert before == STUDY


def test_a_dict_can_be_changed_without_changing_the_study():
    before = copy.deepcopy(STUDY)
    for cell in CELLS:
        given = settings.run(STUDY, cell)
        given["recipe"]["epochs"] = given["network"]["image_size"] = -1
    assert before == STUDY


@pytest.mark.parametrize(
    "key, value, reads",
    [
        ("validation_fraction", 0.3, {"split"}),
        ("train_limit", 7, {"split"}),
        ("group_duplicates", False, {"split"}),
        ("drop_duplicates", True, {"split"}),
        ("drop_label_issues", 3, {"split"}),
        ("split_seed", 5, {"split", "prepare"}),  # it draws the test part of a folder too
        ("image_size", 16, {"prepare"}),
    ],
)
def test_a_data_sets_key_changes_the_jobs_that_read_it_and_no_others(key, value, reads):
    datasets = {
        name: {own: copy.deepcopy(given) for own, given in entry.items() if own not in ("family", "fold_of", "fold")}
        for name, entry in STUDY["datasets"].items()
    }
    datasets["digits"] |= {key: value}
    before, after = every_dict(STUDY), every_dict(study(datasets=datasets))
    assert {what[0] for what in before if before[what] != after[what]} == reads


def test_a_backbones_licence_and_a_studys_budgets_rerun_no_run():
    backbones = copy.deepcopy(STUDY["backbones"])
    backbones["net"]["licence"] = "mine"
    before, after = every_dict(STUDY), every_dict(study(backbones=backbones, seeds=[0, 1, 2, 3, 4]))
    assert {what[0] for what in before if before[what] != after[what]} == {"weights"}


@pytest.mark.parametrize("cell", [cell for cell in CELLS if grid.trials_of(STUDY, cell.strategy)], ids="-".join)
def test_a_trial_differs_from_a_run_in_its_length_its_seed_and_its_trial_alone(cell):
    run = settings.run(STUDY, cell)
    for trial in trials.trials(STUDY, cell.strategy):
        given = settings.trial_run(STUDY, cell, trial)
        assert {key for key in given if given[key] != run.get(key)} <= {"recipe", "trial"} and set(given) - set(
            run
        ) == {"trial"}
        changed = {key for key, value in given["recipe"].items() if value != run["recipe"][key]}
        assert changed == (set() if trial.share == 1 else {"epochs"})
    seeded = settings.run(STUDY, cell, 2)
    assert run["seed"] == STUDY["tuning"]["seed"] and run | {"seed": 2} == seeded


def test_a_data_set_that_must_not_be_mirrored_never_is():
    for policy in kinds.names("policies"):
        given = settings.augmentation(STUDY, "digits", policy)
        assert given == kinds.declared(given, "policies")["without_flip"]  # needs no stand-in itself
        assert settings.augmentation(STUDY, "cifar", policy) == policy
    for what, given in every_dict(STUDY).items():
        if what[0] in ("run", "trial", "selection") and what[1].dataset == "digits":
            policy = given["recipe"]["augmentation"]
            assert policy == kinds.declared(policy, "policies")["without_flip"]


def test_where_a_cell_starts():
    found = {(cell.backbone, cell.strategy): settings.start(STUDY, cell) for cell in CELLS}
    assert found["plain", "scratch"] == found["plain", "tutorial"] == found["net", "scratch"] == "random"
    assert found["net", "tutorial"] == found["net", "fixed"] == found["net", "probe"] == "pretrained"
    assert found["net", "lp_ft"] == "probe"


def test_a_random_start_takes_nothing_of_the_weights_with_it():
    backbones = copy.deepcopy(STUDY["backbones"])
    backbones["net"] |= {"weights": "Y", "mean": [0.1] * 3, "std": [0.2] * 3}
    other = study(backbones=backbones)
    scratch, finetune = (grid.Cell("cifar", "net", name) for name in ("scratch", "fixed"))
    assert settings.run(other, scratch) == settings.run(STUDY, scratch)
    assert settings.run(other, finetune)["network"]["mean"] == [0.1] * 3
    assert settings.run(STUDY, scratch)["network"]["weights"] == "none"


def test_the_weights_of_a_tag_are_found_by_source_model_and_tag():
    entry = settings.weights(STUDY, "torchvision", "resnet18", "X")
    assert entry["weights"] == "X" and entry["model"] == "resnet18"
    with pytest.raises(StopIteration):
        settings.weights(STUDY, "torchvision", "resnet18", "Y")


def test_cost_counts_a_step_of_every_trained_strategy_and_features_of_the_others():
    on = [cell for cell in CELLS if cell[:2] == ("cifar", "net")]
    entries = {entry["strategy"]: entry for entry in settings.cost(STUDY, "net", on)["cells"]}
    assert list(entries) == [cell.strategy for cell in on]
    assert {name for name, entry in entries.items() if entry["run"] is None} == {"probe", "neighbours"}
    assert {name for name, entry in entries.items() if entry["frozen"]} == {"probe", "neighbours", "lp_ft"}


def test_more_images_times_area_go_first_and_a_trial_before_a_run():
    small, large = (grid.Cell("cifar", name, "scratch") for name in ("plain", "net"))
    assert settings.priority(STUDY, large) == 16 * settings.priority(STUDY, small)  # 32 pixels beside 8
    growing = copy.deepcopy(STUDY)
    growing["strategies"]["scratch"]["recipe"]["image_sizes"] = [16, 32]
    assert settings.priority(growing, large) == settings.priority(STUDY, large) * 5 / 8
    assert (
        relative_area(growing["strategies"]["scratch"]["recipe"]) == 5 / 8 < relative_area({"image_sizes": None}) == 1
    )
    longest = trials.trials(STUDY, "scratch")[-1]
    assert longest.share == 1 and settings.priority(STUDY, small, longest) == 2 * settings.priority(STUDY, small)


def test_the_code_of_a_job_counts_the_kinds_that_it_loads():
    cell = grid.Cell("digits", "net", "finetune-crop_flip")
    assert settings.modules(STUDY, cell, "strategies", "policies", "sources", "architectures") == [
        "ftbench.train.strategies.finetune",
        "ftbench.pixels.policies.crop",  # the stand-in: digits are not mirrored
        "ftbench.data.sources.digits",
        "ftbench.model.architectures.torchvision",
    ]
