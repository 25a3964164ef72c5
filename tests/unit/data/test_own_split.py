"""A validation part of its own for each seed: the same images and groups, drawn anew."""

import json

import numpy as np
import pytest

from ftbench.base.errors import InputError
from ftbench.base.files import write_json, write_npz
from ftbench.data.own_split import split_for_seed, split_of_run
from ftbench.data.split import VALIDATION_STREAM, digest_of_split, stratified_group_split, training_rows

SETTINGS = {"validation_fraction": 0.2, "split_seed": 0}


@pytest.fixture
def folder(tmp_path):
    """A data set whose split uses 80 of 100 images, of 2 classes, in groups of one or two."""
    labels = np.arange(100) % 2
    groups = np.arange(100) - (np.arange(100) % 8 == 2) * 2  # 2 goes with 0, 10 with 8, ...
    used = np.arange(80)
    write_npz(
        tmp_path / "split.npz",
        train=used[16:],
        validation=used[:16],
        labels=labels,
        groups=groups,
        classes=np.int64(2),
        digest=np.str_("d"),
        images_sha256=np.str_("i"),
        cleaning=np.str_(json.dumps({"drop_duplicates": False})),
    )
    write_json(tmp_path / "classes.json", ["cat", "dog"])
    (tmp_path / "splits").mkdir()
    return tmp_path


def drawn(folder, seed: int, **changes) -> dict:
    out = folder / "splits" / f"seed{seed}.npz"
    split_for_seed(folder / "split.npz", folder / "classes.json", SETTINGS | changes | {"seed": seed}, out)
    return dict(np.load(out))


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_same_images_train_and_validate_together_and_no_group_is_cut(folder, seed):
    parts, own = drawn(folder, seed), dict(np.load(folder / "split.npz"))
    assert np.array_equal(training_rows(folder / "splits" / f"seed{seed}.npz"), training_rows(folder / "split.npz"))
    assert not set(parts["groups"][parts["train"]]) & set(parts["groups"][parts["validation"]])
    assert np.bincount(parts["labels"][parts["validation"]]).tolist() == [8, 8]
    for name in set(own) - {"train", "validation"}:
        assert np.array_equal(parts[name], own[name]), name


def test_every_seed_draws_another_part_and_always_the_same(folder):
    parts = {tuple(drawn(folder, seed)["validation"]) for seed in range(6)}
    assert len(parts) == 6 and tuple(np.load(folder / "split.npz")["validation"]) not in parts
    assert np.array_equal(drawn(folder, 3)["validation"], drawn(folder, 3)["validation"])
    assert not np.array_equal(drawn(folder, 3)["validation"], drawn(folder, 3, split_seed=1)["validation"])


def test_no_seed_draws_the_split_of_the_data_set_again(folder):
    parts = np.load(folder / "split.npz")
    rows, stream = training_rows(folder / "split.npz"), np.random.default_rng([0, VALIDATION_STREAM])
    names = ("train", "validation")
    drawn_by_all = stratified_group_split(parts["labels"][rows], parts["groups"][rows], 0.2, stream, "k", names)
    assert not any(np.array_equal(rows[drawn_by_all], drawn(folder, seed)["validation"]) for seed in range(3))


def test_every_image_has_its_chance_to_validate(folder):
    counts = np.zeros(80)
    for seed in range(60):
        counts[drawn(folder, seed)["validation"]] += 1
    assert counts.min() > 0 and abs(counts.mean() - 12) < 1e-9  # 16 of 80, 60 times


def test_the_split_of_a_run_is_told_by_its_digest(folder):
    own, shared = digest_of_split(drawn(folder, 4)), digest_of_split(np.load(folder / "split.npz"))
    assert split_of_run(folder, "seed4", own) == folder / "splits" / "seed4.npz"
    assert split_of_run(folder, "seed4", shared) == split_of_run(folder, "seed0", shared) == folder / "split.npz"
    assert split_of_run(folder, "seed0", own) is None


def test_a_class_of_one_group_is_named(folder):
    parts = dict(np.load(folder / "split.npz"))
    write_npz(folder / "split.npz", **(parts | {"groups": parts["labels"]}))
    with pytest.raises(InputError, match="Class cat"):
        drawn(folder, 0)
