"""One file adds a source of images, an augmentation policy, an architecture or a strategy: nothing else is edited, nothing else reruns."""

import json

from studies import REPOSITORY

PACKAGE = "workflow/scripts/ftbench"
FILES = {
    "data/sources/stripes.py": '''"""Stripes, upright or flat, drawn on the spot."""

import numpy as np

DECLARES = {"needs": "name", "options": [], "download": False, "listing": False, "sizes": {"wide": (40, 20, 2)}}


def archives(settings):
    return []


def about(settings):
    return {"licence": "CC0"}


def read(settings, root, part):
    random = np.random.default_rng(part == "test")
    count = DECLARES["sizes"][settings["name"]][part == "test"]

    def draw(row):
        image = random.integers(0, 60, (8, 8, 3)).astype(np.uint8)
        image[(slice(None), slice(None, None, 2)) if row % 2 else slice(None, None, 2)] += 150
        return image

    return ["flat", "upright"], ((f"{row}", row % 2, lambda row=row: draw(row)) for row in range(count))


def group_keys(settings, root, names):
    return [None] * len(names)


def remarks(settings, root):
    return {"notes": [], "left_out": {}}
''',
    "pixels/policies/dim.py": '''"""Each image a little darker."""

DECLARES = {"without_flip": "dim"}


def augment(images, generator):
    return images // 4 * 3
''',
    "model/architectures/plain.py": '''"""One convolution and a linear head."""

from torch import nn

DECLARES = {"publishes": False}


def names():
    return ["one"]


def build(model, classes, image_size):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
''',
    "train/strategies/all_of_it.py": '''"""Everything moves, for one epoch."""

DECLARES = {"start": "any", "engine": "loop", "tuned": None, "stochastic": True, "recipe": {"epochs": 1}}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters()]
''',
}


def test_one_file_of_each_kind_is_checked_planned_and_run_and_reruns_nothing_else(clone):
    for name, text in FILES.items():
        assert not (REPOSITORY / PACKAGE / name).exists()
        (clone.root / PACKAGE / name).write_text(text)
    # Every policy is pictured for every data set, and a new one too.
    assert {job.rule for job in clone.plan()} == {"preview_augmentations", "plot_augmentations"}

    config = clone.read_config()
    config["datasets"]["bars"] = {"source": "stripes", "name": "wide", "flip": False}
    config["backbones"]["one"] = {"source": "plain", "model": "one", "image_size": 8}
    config["strategies"]["whole"] = {"kind": "all_of_it", "learning_rate": 0.01, "augmentation": "dim"}
    old = [name for name in config["strategies"] if name != "whole"]
    config["exclude"] += [
        {"dataset": "bars", "strategy": old},
        {"backbone": "one", "strategy": old},
        {"backbone": "one", "dataset": ["digits", "photos"]},
        {"strategy": "whole", "backbone": ["pretrained", "small"]},
    ]
    clone.write_config(config)
    jobs = clone.plan()
    trained = {
        tuple(job.wildcards[key] for key in ("dataset", "backbone", "strategy")) for job in jobs if job.rule == "train"
    }
    assert trained == {("bars", "one", "whole")}
    assert {job.wildcards["dataset"] for job in jobs if job.rule in ("prepare_train", "split_dataset")} == {"bars"}
    assert not {"train_trial", "fit_probe", "download_dataset"} & {job.rule for job in jobs}

    scores = clone.path("runs/bars/one/whole/seed0/metrics.json")
    clone.snakemake(str(scores.relative_to(clone.root)))
    record = json.loads(scores.with_name("run.json").read_text())
    assert record["status"] == "finished" and record["recipe"]["augmentation"] == "dim"
    assert record["trainable_params"] == record["total_params"] == 3 * 4 * 9 + 4 + 2 * 4 + 2
    assert 0 <= json.loads(scores.read_text())["accuracy"] <= 1


def test_a_name_that_a_new_source_does_not_know_is_one_sentence(clone):
    (clone.root / PACKAGE / "data/sources/stripes.py").write_text(FILES["data/sources/stripes.py"])
    config = clone.read_config()
    config["datasets"]["bars"] = {"source": "stripes", "name": "narrow"}
    clone.write_config(config)
    assert "config: datasets.bars.name is 'narrow'; valid: wide." in clone.snakemake("--dry-run", fails=True)
