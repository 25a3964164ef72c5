"""Folds of a test set: every image once, groups whole, classes even; and the parts of a fold as files."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.data.folds import deal_folds, rows_of_fold, stratified_group_folds, write_part_of_fold
from ftbench.data.prepare import prepare_train

CLASSES = ["cat", "dog", "owl"]


def labelled(count: int, groups_of: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    labels = np.random.default_rng(seed).choice(3, count // groups_of, p=(0.5, 0.3, 0.2)).repeat(groups_of)
    return labels, np.arange(count // groups_of).repeat(groups_of)


@pytest.mark.parametrize("groups_of", [1, 3])
@pytest.mark.parametrize("folds", [2, 5, 10])
def test_every_image_is_in_one_fold_groups_are_whole_and_classes_are_even(folds, groups_of):
    labels, groups = labelled(300, groups_of)
    fold = stratified_group_folds(labels, groups, folds, 0, CLASSES)
    assert set(fold) == set(range(1, folds + 1))
    assert all(len(np.unique(fold[groups == group])) == 1 for group in np.unique(groups))
    for number in range(1, folds + 1):
        test, train = (rows_of_fold(fold, number, part) for part in ("test", "train"))
        assert np.array_equal(np.sort(np.concatenate([test, train])), np.arange(300))
        expected = np.bincount(labels) / folds
        assert np.abs(np.bincount(labels[test], minlength=3) - expected).max() <= groups_of + 0.5


def test_the_same_seed_gives_the_same_folds_and_another_seed_or_number_others():
    labels, groups = labelled(100, 1)
    first, again, seeded, other = (stratified_group_folds(labels, groups, k, seed, CLASSES) for k, seed in ((5, 0), (5, 0), (5, 1), (4, 0)))  # fmt: skip
    assert np.array_equal(first, again) and not np.array_equal(first, seeded)
    assert not np.array_equal(first == 1, other == 1)


def test_a_class_that_a_fold_would_leave_without_images_is_named():
    labels = np.array([0] * 9 + [1] * 9 + [2] * 2)
    with pytest.raises(InputError, match="beside fold . fewer than 2 different groups are left of the class owl"):
        stratified_group_folds(labels, np.arange(20), 3, 0, CLASSES)
    with pytest.raises(InputError, match="test_folds: 4, but no class has images of so many different groups"):
        stratified_group_folds(labels[:18], np.repeat(np.arange(6), 3), 4, 0, CLASSES[:2])


@pytest.fixture
def prepared(tmp_path):
    """A folder of 2 x 9 photographs, two of them a picture and its brighter copy, prepared for folds."""
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(9):
            pixels = np.kron(random.integers(20, 200, (6, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    copy = np.asarray(Image.open(tmp_path / "photos/cat/3.png")) + np.uint8(6)
    Image.fromarray(copy).save(tmp_path / "photos/cat/7.png")
    settings = {"source": "imagefolder", "name": None, "path": str(tmp_path / "photos"), "image_size": None, "fit": "crop", "test_fraction": None, "test_folds": True, "groups": None, "on_corrupt": "fail", "validation": None, "parts": None, "include": [], "exclude": [], "range": None, "max_pixels": 10**6, "images": None, "columns": None}  # fmt: skip
    whole = tmp_path / "whole"
    whole.mkdir()
    out = {name: str(whole / file) for name, file in {"images": "images.npy", "labels": "labels.npy", "groups": "groups.npy", "classes": "classes.json", "files": "files.csv", "summary": "train.json", "metadata": "metadata.csv"}.items()}  # fmt: skip
    prepare_train(settings, tmp_path / "photos", **out)
    return settings, whole, out


def test_all_images_are_prepared_and_near_duplicates_are_dealt_together(prepared):
    from ftbench.data.duplicates.training_part import clusters_of

    _, whole, out = prepared
    assert read_json(whole / "train.json")["images"] == 18
    near = clusters_of(out["images"], out["labels"], True)
    settings = {"test_folds": 3, "split_seed": 0, "group_duplicates": True, "flip": True}
    deal_folds(out["labels"], out["groups"], out["summary"], settings, whole / "split.npz", out["classes"], near)
    split = np.load(whole / "split.npz")
    assert np.array_equal(split["train"], np.arange(18)) and len(split["validation"]) == 0
    assert split["fold"][3] == split["fold"][7] and split["groups"][3] == split["groups"][7]
    assert json.loads(str(split["cleaning"]))["duplicate_clusters"] == 1
    deal_folds(out["labels"], out["groups"], out["summary"], settings, whole / "split.npz", out["classes"])
    assert len(np.unique(np.load(whole / "split.npz")["groups"])) == 18  # they are not sought: given groups alone


def test_the_parts_of_a_fold_are_what_the_source_would_have_prepared_of_these_images(prepared, tmp_path):
    settings, whole, out = prepared
    keys = {"test_folds": 3, "split_seed": 0, "group_duplicates": False, "flip": True}
    deal_folds(out["labels"], out["groups"], out["summary"], keys, whole / "split.npz", out["classes"])
    fold = np.load(whole / "split.npz")["fold"]
    given = out | {"split": str(whole / "split.npz")}
    pixels, seen = np.load(out["images"]), []
    for number in (1, 2, 3, None):
        for part in ("train", "test") if number else ("test",):
            paths = {name: str(tmp_path / f"{name}{number}{part}.npy") for name in ("images", "labels", "groups", "files", "metadata", "summary")}  # fmt: skip
            write_part_of_fold(given, number, part, paths)
            rows = np.arange(18) if number is None else rows_of_fold(fold, number, part)
            assert np.array_equal(np.load(paths["images"]), pixels[rows])
            assert np.array_equal(np.load(paths["labels"]), np.load(out["labels"])[rows])
            with open(paths["files"], newline="") as stream:
                lines = list(csv.DictReader(stream))
            assert [int(line["id"]) for line in lines] == list(range(len(rows)))
            assert read_json(paths["summary"])["images"] == len(rows)
            seen += [line["file"] for line in lines] if number and part == "test" else []
    assert len(seen) == len(set(seen)) == 18
    written = read_json(paths["summary"])
    assert written["digest"] == read_json(out["summary"])["digest"]  # of all images: as they were prepared
    assert written["sha256"]["images"] == read_json(out["summary"])["sha256"]["images"]
