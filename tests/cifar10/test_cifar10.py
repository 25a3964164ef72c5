"""CIFAR-10 in its two forms, a folder of images and torchvision's archive, through the real workflow.

Accuracies are those of seconds of training: they show that images and labels belong together, nothing more.
"""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from studies import Clone

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ARCHIVE = "resources/datasets/torchvision/CIFAR10/cifar-10-python.tar.gz"
# No way out: a mirror that fails must not fall back on the publisher's server.
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9") | {"no_proxy": "127.0.0.1"}
# Of the images that build.py unpacks, a JPEG copy, as its docstring gives them: 0.2-0.3 % below the original's std.
MEAN, STD = [0.4913, 0.4821, 0.4465], [0.2452, 0.2428, 0.2606]
LIMIT = 60  # images per class, train and validation together


def config(name: str, entry: dict, train_limit: int | None) -> dict:
    return {
        "study": "tiny",
        "seeds": [0],
        "device": "cpu",
        "threads": 2,
        "datasets": {name: {**entry, "validation_fraction": 0.1, "train_limit": train_limit}},
        "backbones": {"small": {"source": "ftbench", "model": "resnet8", "weights": "none", "image_size": 32}},
        "training": {"epochs": 2, "batch_size": 16, "optimizer": "adamw", "warmup_steps": 5},
        "strategies": {"scratch": {"kind": "scratch", "learning_rate": 0.01}},
    }


def run(clone: Clone, name: str, entry: dict, *files: str) -> dict:
    """Measure all images, then train on LIMIT per class, to the `files`; returns normalization.json of all.

    Near duplicates are sought among the LIMIT alone: among 50,000 it takes minutes, and changes no statistic here.
    """
    clone.write_config(config(name, entry | {"group_duplicates": False}, None))
    target = f"results/tiny/data/{name}/normalization.json"
    clone.snakemake(target, env=OFFLINE)
    measured = json.loads((clone.root / target).read_text())
    clone.write_config(config(name, entry, LIMIT))
    planned = {job.rule for job in clone.plan()}
    assert "split_dataset" in planned
    assert not planned & {"download_dataset", "prepare_train"}, (
        "a limit draws from the images that are prepared already"
    )
    clone.snakemake(*files, env=OFFLINE)
    return measured


def check_study(clone: Clone, name: str) -> None:
    train, test = (json.loads(clone.path(f"data/{name}/{part}.json").read_text()) for part in ("train", "test"))
    assert train["images"] == 50_000
    assert train["per_class"] == dict.fromkeys(CLASSES, 5000)
    assert test["images"] == 10_000
    assert test["per_class"] == dict.fromkeys(CLASSES, 1000)
    assert train["size"] == [32, 32]
    split = np.load(clone.path(f"data/{name}/split.npz"))
    assert len(split["train"]) + len(split["validation"]) == LIMIT * len(CLASSES)
    folder = clone.path(f"runs/{name}/small/scratch/seed0")
    assert np.load(folder / "test_logits.npz")["logits"].shape == (10_000, 10)
    assert 0.15 < json.loads((folder / "metrics.json").read_text())["accuracy"] < 0.9  # chance is 0.10


def check_normalization(measured: dict) -> None:
    """The std is that of all pixels; the mean of the images' own stds is another, smaller number."""
    assert measured["images"] == 50_000
    assert measured["mean"] == pytest.approx(MEAN, abs=5e-4)
    assert measured["std"] == pytest.approx(STD, abs=5e-4)
    assert all(own < std - 0.03 for own, std in zip(measured["mean_of_image_stds"], measured["std"]))


@pytest.fixture(scope="module")
def folder(images, tmp_path_factory) -> tuple[Clone, dict]:
    """A study of the folder, and the statistics of all its images."""
    clone = Clone.of_repository(tmp_path_factory.mktemp("folder"))
    entry = {"source": "imagefolder", "path": str(images / "imagefolder")}
    files = (f"results/tiny/{name}" for name in ("tables/comparison.csv", "plots/folder.mistakes.svg"))
    return clone, run(clone, "folder", entry, *files)


@pytest.fixture(scope="module")
def archive(mirror, md5, tmp_path_factory) -> tuple[Clone, dict]:
    """The same of the archive, downloaded from a mirror after a broken one."""
    clone = Clone.of_repository(tmp_path_factory.mktemp("archive"))
    entry = {"source": "torchvision", "name": "CIFAR10", "urls": [f"{mirror}/cut/", f"{mirror}/"], "md5": md5}
    entry["group_duplicates"] = False  # the folder's images are compared and audited; once is enough
    return clone, run(clone, "archive", entry, "results/tiny/runs/archive/small/scratch/seed0/metrics.json")


def test_a_folder_of_images(folder):
    clone, measured = folder
    check_normalization(measured)
    check_study(clone, "folder")
    (accuracy,) = pd.read_csv(clone.path("tables/comparison.csv")).accuracy_mean
    assert accuracy == json.loads(clone.path("runs/folder/small/scratch/seed0/metrics.json").read_text())["accuracy"]


def test_the_archive_from_a_mirror_after_a_broken_one(archive, mirror, md5):
    clone, measured = archive
    check_normalization(measured)
    check_study(clone, "archive")
    downloaded = json.loads((clone.root / "resources/datasets/torchvision/CIFAR10/files.json").read_text())
    assert downloaded["files"][0]["md5"] == md5
    assert downloaded["files"][0]["url"] == f"{mirror}/cifar-10-python.tar.gz"
    told = (clone.root / "results/tiny/logs/download_dataset/torchvision/CIFAR10.log").read_text()
    assert f"{mirror}/cut/cifar-10-python.tar.gz: " in told


def test_an_archive_with_another_checksum_is_refused(mirror, md5, tmp_path):
    clone = Clone.of_repository(tmp_path / "clone")
    wrong = "0" * 32
    entry = {"source": "torchvision", "name": "CIFAR10", "urls": [f"{mirror}/"], "md5": wrong}
    clone.write_config(config("archive", entry, LIMIT))
    printed = clone.snakemake("results/tiny/data/archive/train.json", fails=True, env=OFFLINE)
    sentence = next(line for line in printed.splitlines() if line.startswith("download_dataset torchvision CIFAR10: "))
    for part in ("cifar-10-python.tar.gz", f"expected md5 {wrong}", f"has md5 {md5}", "`urls`", "`md5`"):
        assert part in sentence
    assert "Traceback" not in printed
    left = [path.name for path in (clone.root / ARCHIVE).parent.iterdir() if not path.name.startswith(".")]
    assert left == []


def test_both_forms_hold_the_same_pixels_under_the_same_labels(folder, archive):
    digests = {}
    for (clone, _), name in ((folder, "folder"), (archive, "archive")):
        for part in ("", "test_"):
            pixels, labels = (np.load(clone.path(f"data/{name}/{part}{kind}.npy")) for kind in ("images", "labels"))
            for label in range(10):  # the archive is in the published order, the folder in that of its names
                own = sorted(hashlib.md5(image.tobytes()).digest() for image in pixels[labels == label])
                digests.setdefault((part, label), []).append(own)
    assert len(digests) == 20
    assert all(one == other for one, other in digests.values())
