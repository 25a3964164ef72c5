"""Whatever the user gets wrong: one sentence that names it and what would be valid, and no finished result is lost."""

import shutil

import pytest
import torch
from studies import CORRUPT, WEIGHTS, write_weights


def change(clone, **tables):
    """Lay `tables` over the config, two levels deep."""
    config = clone.read_config()
    for name, table in tables.items():
        if not isinstance(table, dict):
            config[name] = table
            continue
        for key, value in table.items():
            if isinstance(value, dict):
                config[name][key].update(value)
            else:
                config[name][key] = value
    clone.write_config(config)


def refused(clone, *arguments, holding) -> str:
    """Start the study and expect it to fail with a sentence that holds all of `holding`, and without a traceback."""
    printed = clone.snakemake(*arguments, fails=True)
    lines = [line for line in printed.splitlines() if all(part in line for part in holding)]
    assert lines, printed
    assert lines[0].rstrip().endswith(".")
    assert "Traceback" not in printed
    return printed


def lost(clone, before) -> set[str]:
    """Results of `before` that are gone or changed; study.json, the record of the config, follows the config."""
    after = clone.contents()
    return {name for name, digest in before.items() if after.get(name) != digest} - {"tiny/study.json"}


def parts(names) -> set[str]:
    """The folders, two levels deep, that these results lie in: data/photos."""
    return {"/".join(name.split("/")[1:3]) for name in names}


@pytest.mark.parametrize(
    "tables, holding",
    [
        ({"trainning": {}}, ["trainning is not a known key", "training", "tuning"]),
        (
            {"strategies": {"scratch": {"augmentation": "crop_flop"}}},
            ["strategies.scratch.augmentation is 'crop_flop'", "crop_flip, crop_flip_rotate"],
        ),
        (
            {"strategies": {"scratch": {"kind": "scrach"}}},
            ["strategies.scratch.kind is 'scrach'", "linear_probe", "scratch, soup, tutorial"],
        ),
        ({"exclude": [{"dataset": ["digits", "photos"]}]}, ["the grid is empty", "exclude"]),
        ({"tuning": {"trials": 5}}, ["strategies.finetune.learning_rate", "tuning.trials is 5"]),
    ],
    ids=["unknown key", "unknown policy", "unknown kind", "empty grid", "unequal budgets"],
)
def test_a_wrong_config_stops_before_any_job(clone, tables, holding):
    before = clone.contents()
    if "trainning" in tables:
        config = clone.read_config()
        config["trainning"] = config.pop("training")
        clone.write_config(config)
    else:
        change(clone, **tables)
    refused(clone, holding=holding)
    assert clone.contents() == before


def test_a_corrupt_image_is_named(clone):
    before = clone.contents()
    change(clone, datasets={"photos": {"on_corrupt": "fail"}})
    printed = refused(clone, holding=["1 of 25 images cannot be decoded", CORRUPT, "on_corrupt"])
    assert "prepare_train photos" in printed
    assert parts(lost(clone, before)) <= {"data/photos"}


def test_classes_of_train_and_test_must_agree(clone):
    before = clone.contents()
    shutil.copytree(clone.root / "photos/test/dark", clone.root / "photos/test/grey")
    refused(clone, holding=["grey", "photos/test", "photos/train", "same class folders"])
    assert parts(lost(clone, before)) <= {"data/photos"}


def test_a_missing_folder_is_named(clone):
    before = clone.contents()
    change(clone, datasets={"photos": {"path": "fotos"}})
    refused(clone, holding=["path: fotos is not a folder", "train and test"])
    assert parts(lost(clone, before)) <= {"data/photos"}


def test_weights_of_another_architecture_are_refused(clone):
    before = clone.contents()
    write_weights(clone.root / WEIGHTS, "resnet14", steps=1)
    refused(clone, holding=[f"The weights in file:{WEIGHTS} are of another architecture", "layer1.1"])
    assert lost(clone, before) == set()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the CUDA device that the test misses")
def test_cuda_without_a_device_is_refused(clone):
    before = clone.contents()
    change(clone, device="cuda")
    run = "results/tiny/runs/digits/small/tutorial/seed0/run.json"
    printed = refused(clone, run, holding=["device is 'cuda'", "no usable CUDA device", "auto or cpu"])
    assert "train digits small tutorial 0" in printed
    assert {name for name in lost(clone, before) if "/digits/small/tutorial/" not in name} == set()


def test_one_failing_data_set_does_not_stop_the_other(clone):
    """The default profile goes on with what does not depend on the failed job."""
    change(clone, datasets={"photos": {"on_corrupt": "fail"}}, strategies={"tutorial": {"epochs": 1}})
    run = clone.path("runs/digits/small/tutorial/seed0/run.json")
    clone.snakemake("results/tiny/data/photos/train.json", str(run.relative_to(clone.root)), fails=True)
    assert '"epochs": 1' in run.read_text()
