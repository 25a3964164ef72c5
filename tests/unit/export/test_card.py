"""The model card claims no more than the study knows: what a model stands on, what was sealed, what it took."""

import pytest

from ftbench.base.files import write_json, write_text
from ftbench.export import card
from ftbench.export.finished import Finished

RECIPE = {"epochs": 3, "cutmix": 1.0, "mixup": 0.0, "weight_decay": 0.01, "class_weights": "none", "patience": None}
RECORD = {
    "recipe": RECIPE,
    "tuned": True,
    "seed": 0,
    "precision": "float32",
    "device_name": "a CPU",
    "validation_accuracy": 0.5,
}
COST = {"train_seconds": 2.0, "feature_seconds": 0.0, "device_name": "a CPU", "probe": None}


@pytest.fixture
def run(tmp_path) -> Finished:
    folder = tmp_path / "results/s/runs/photos/small/soup/seed0"
    folder.mkdir(parents=True)
    return Finished(folder)


def said(run: Finished, record: dict) -> str:
    return "\n".join(card._protocol(run, record))


@pytest.mark.parametrize(
    "seen, words",
    [
        ("0", "The test images were sealed until training had ended."),
        ("7", "were trained on 7 of the test images, so its scores flatter it"),
        ("", "were trained on an unknown number of the test images"),
        (None, "whether its weights saw some before is not in this study's tables yet"),
    ],
)
def test_sealed_is_said_of_what_was_sealed(run, seen, words):
    if seen is not None:
        row = f"dataset,backbone,strategy,seen_test_images\nphotos,small,soup,{seen}\n"
        write_text(run.results / "tables/comparison.csv", row)
    assert words in said(run, RECORD) and said(run, RECORD).count("sealed") == (seen == "0")


def test_every_setting_that_is_on_and_the_runs_of_a_mixture_are_named(run):
    assert "recipe: epochs 3, cutmix 1.0, weight_decay 0.01; seed 0" in said(run, RECORD)
    mixture = {"of": "finetune", "weights_of_members": {"start": 0.25, "1": 0.75, "2": 0.0}, "statistics": "averaged"}
    assert "of finetune: start 0.25, seed 1 0.75; statistics of its batch norms: averaged." in said(
        run, RECORD | mixture
    )
    assert "sum" not in said(run, RECORD)


@pytest.mark.parametrize(
    "stands_on, seconds",
    [
        ({}, "2.0 s"),
        ({"used": {"train_seconds": 60.0, "feature_seconds": 20.0, "tuning_seconds": 5.0}}, "82 s"),
        ({"probe": {"cost": {"train_seconds": 10.0, "feature_seconds": 20.0}, "tuning_seconds": 1.0}}, "32 s"),
    ],
)
def test_the_cost_is_that_of_all_that_the_model_stands_on(run, stands_on, seconds):
    write_json(run.folder / "cost.json", COST | stands_on)
    text = "\n".join(card._cost(run, {"total_params": 1, "trainable_params": 1}))
    assert f"with all that it stands on: {seconds} on a CPU." in text
