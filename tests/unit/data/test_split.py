from collections import Counter

import numpy as np
import pytest
from entries import entry

from ftbench.base.digests import sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.data.groups import merge_groups
from ftbench.data.split import cleaning_of, split_dataset, stratified_group_split


def described(folder):
    """labels.npy and groups.npy that lie in a folder, and a train.json that fits them."""
    paths = [folder / name for name in ("labels.npy", "groups.npy", "train.json")]
    sha256 = {"images": "i" * 64, "labels": sha256_of_file(paths[0])}
    write_json(paths[2], {"per_class": {"cat": 5, "dog": 5}, "digest": "d" * 64, "sha256": sha256})
    return paths


def split(tmp_path, labels, groups=None, **changes):
    """(train, validation) row numbers."""
    labels = np.asarray(labels, np.int64)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups, np.int64)
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "groups.npy", groups)
    split_dataset(*described(tmp_path), entry(**changes), tmp_path / "split.npz")
    with np.load(tmp_path / "split.npz") as parts:
        assert sorted(parts) == [
            *("classes", "cleaning", "digest", "groups", "images_sha256", "labels", "train", "validation"),
        ]
        assert np.array_equal(parts["labels"], labels) and parts["labels"].dtype == np.int64
        assert (int(parts["classes"]), str(parts["digest"]), str(parts["images_sha256"])) == (2, "d" * 64, "i" * 64)
        train, validation = parts["train"], parts["validation"]
    for rows in (train, validation):
        assert rows.dtype == np.int64 and (np.diff(rows) > 0).all()
    assert not set(train) & set(validation)
    return train, validation


def random_problem(seed):
    """Labels of 3 to 6 unequal classes and groups of 1 to 5 rows of one class, shuffled."""
    rng = np.random.default_rng(seed)
    labels, groups, group = [], [], 0
    for label in range(rng.integers(3, 7)):
        for _ in range(rng.integers(4, 30)):
            size = rng.integers(1, 6)
            labels += [label] * size
            groups += [group] * size
            group += 1
    order = rng.permutation(len(labels))
    return np.array(labels)[order], np.array(groups)[order]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5, 0.9])
def test_single_images_meet_the_fraction_in_every_class(tmp_path, seed, fraction):
    labels, _ = random_problem(seed)
    train, validation = split(tmp_path, labels, validation_fraction=fraction, split_seed=seed)
    assert len(train) + len(validation) == len(labels)
    for label, total in Counter(labels.tolist()).items():
        count = (labels[validation] == label).sum()
        assert 1 <= count < total
        assert abs(count - fraction * total) <= 1


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5])
def test_groups_stay_whole_and_miss_by_half_of_the_largest_at_most(tmp_path, seed, fraction):
    labels, groups = random_problem(seed)
    train, validation = split(tmp_path, labels, groups, validation_fraction=fraction, split_seed=seed)
    assert not set(groups[train]) & set(groups[validation])
    assert len(train) + len(validation) == len(labels)
    for label, total in Counter(labels.tolist()).items():
        rows = labels == label
        largest = np.bincount(groups[rows]).max()
        count = (labels[validation] == label).sum()
        smallest = np.bincount(groups[rows])[np.bincount(groups[rows]) > 0].min()
        assert 1 <= count < total
        assert abs(count - fraction * total) <= max(largest / 2 + 1, smallest)


@pytest.mark.parametrize("seed", range(5))
def test_groups_of_several_classes_stay_whole(tmp_path, seed):
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(0, 4, 200), rng.integers(0, 60, 200)
    train, validation = split(tmp_path, labels, groups, validation_fraction=0.25, split_seed=seed)
    assert not set(groups[train]) & set(groups[validation])
    assert set(labels[train]) == set(labels[validation]) == set(range(4))
    assert 0.15 <= len(validation) / 200 <= 0.35


def test_same_seed_same_split_other_seed_other_split(tmp_path):
    labels, groups = random_problem(0)
    first, second, other = (split(tmp_path, labels, groups, split_seed=seed)[1].tolist() for seed in (1, 1, 2))
    assert first == second != other


def test_limits_are_exact_nested_and_cover_train_and_validation(tmp_path):
    labels = np.repeat([0, 1, 2], [50, 40, 8])
    used = {}
    for limit in (5, 10, 20):
        train, validation = split(tmp_path, labels, train_limit=limit, validation_fraction=0.2)
        used[limit] = set(train) | set(validation)
        counts = Counter(labels[sorted(used[limit])].tolist())
        assert counts == {0: limit, 1: limit, 2: min(limit, 8)}
        assert Counter(labels[validation].tolist())[0] == limit // 5
    assert used[5] < used[10] < used[20]


def test_limited_images_do_not_depend_on_the_fraction(tmp_path):
    labels = np.repeat([0, 1], 50)
    parts = [split(tmp_path, labels, train_limit=10, validation_fraction=f) for f in (0.1, 0.5)]
    assert set(parts[0][0]) | set(parts[0][1]) == set(parts[1][0]) | set(parts[1][1])


def test_two_large_groups_are_divided_whatever_the_fraction(tmp_path):
    labels, groups = np.repeat([0, 1], 20), np.repeat(np.arange(4), 10)
    for fraction in (0.01, 0.1, 0.5, 0.9, 0.99):
        train, validation = split(tmp_path, labels, groups, validation_fraction=fraction)
        assert len(train) == len(validation) == 20


@pytest.mark.parametrize(
    "labels, groups, changes, message",
    [
        ([0, 0, 0, 1], None, {}, "Class number 1 has 1 image in total; train and validation need one each"),
        ([0, 0, 1, 1], [0, 1, 2, 2], {}, "Class number 1 has 2 images in one group"),
        ([0, 0, 1, 1], None, {"validation_fraction": 0.0}, "validation_fraction: 0.0"),
        ([0, 0, 1, 1], None, {"validation_fraction": 1}, "validation_fraction: 1"),
        ([0, 0, 1, 1], None, {"train_limit": 1}, "train_limit: 1"),
        ([0, 1, 0, 1], [0, 0, 0, 1], {}, "Class number 0 has 2 images in one group"),
    ],
)
def test_impossible_splits_get_one_sentence(tmp_path, labels, groups, changes, message):
    with pytest.raises(InputError, match=message):
        split(tmp_path, labels, groups, **changes)


def test_class_is_named_where_the_names_are_known(tmp_path):
    (tmp_path / "classes.json").write_text('["cat", "dog"]')
    np.save(tmp_path / "labels.npy", np.array([0, 0, 1]))
    np.save(tmp_path / "groups.npy", np.arange(3))
    with pytest.raises(InputError, match="Class dog has 1 image"):
        split_dataset(*described(tmp_path), entry(), tmp_path / "split.npz", tmp_path / "classes.json")


def test_class_that_cannot_be_on_both_sides_together_with_another_is_named():
    # Three groups, and any two of them hold all of one class: no division serves all three classes.
    labels, groups = np.array([0, 1, 1, 2, 2, 0]), np.array([0, 0, 1, 1, 2, 2])
    with pytest.raises(InputError, match="end up in (train|validation) because groups may not be cut"):
        stratified_group_split(
            labels, groups, 0.5, np.random.default_rng(0), "validation_fraction", ("train", "validation")
        )


# groups


def test_merging_is_transitive_and_numbers_by_first_row():
    users = ["a", None, "b", "b", None, None]
    digests = [b"1", b"1", b"2", b"3", b"4", b"3"]
    assert merge_groups(users, digests).tolist() == [0, 0, 1, 1, 2, 1]
    assert merge_groups([None] * 3).tolist() == merge_groups(["a", None, "b"], list("xyz")).tolist() == [0, 1, 2]
    assert merge_groups(["x"] * 3).dtype == np.int64


def test_equal_keys_of_different_columns_are_different():
    assert merge_groups(["a", None], [None, "a"]).tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_merging_gives_the_finest_partition_that_no_key_crosses(seed):
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, 25, 40).tolist() for _ in range(2)]
    merged = merge_groups(*columns)
    for column in columns:
        for key in set(column):
            assert len({group for group, value in zip(merged, column) if value == key}) == 1
    # reference: spread the smallest row number until nothing changes
    reference = np.arange(40)
    while True:
        before = reference.copy()
        for column in columns:
            for key in set(column):
                rows = [row for row, value in enumerate(column) if value == key]
                reference[rows] = reference[rows].min()
        if (before == reference).all():
            break
    assert (np.unique(reference, return_inverse=True)[1] == merged).all()


def given(tmp_path, labels, count, **changes):
    np.save(tmp_path / "labels.npy", np.asarray(labels, np.int64))
    np.save(tmp_path / "groups.npy", np.arange(len(labels)))
    paths = described(tmp_path)
    write_json(paths[2], read_json(paths[2]) | {"given_validation": count})
    split_dataset(*paths, entry(**changes), tmp_path / "split.npz")
    parts = np.load(tmp_path / "split.npz")
    return parts["train"].tolist(), parts["validation"].tolist()


def test_a_given_validation_part_validates_whatever_the_fraction(tmp_path):
    labels = [0] * 6 + [1] * 4 + [0, 0, 1]
    assert given(tmp_path, labels, 3) == (list(range(10)), [10, 11, 12])
    train, validation = given(tmp_path, labels, 3, train_limit=4)
    assert Counter(labels[row] for row in train + validation) == {0: 4, 1: 4}
    assert Counter(labels[row] for row in validation) == {0: 1, 1: 1} and min(validation) >= 10
    with pytest.raises(InputError, match="validation: given, but class number 1 has no image in validation"):
        given(tmp_path, [0, 0, 1, 1, 0], 1)


def near_of(pairs):
    """A function that gives the clusters of rows in which the pairs show the same picture."""

    def find(rows):
        clusters = np.arange(len(rows))
        at = {row: place for place, row in enumerate(rows.tolist())}
        for one, other in pairs:
            if one in at and other in at:
                clusters[at[other]] = clusters[at[one]]
        return clusters

    return find


def cleaned(tmp_path, near=None, suspects=None, **changes):
    """(train, validation, cleaning) of 40 images of two classes."""
    np.save(tmp_path / "labels.npy", np.arange(40) % 2)
    np.save(tmp_path / "groups.npy", np.arange(40))
    split_dataset(*described(tmp_path), entry(**changes), tmp_path / "split.npz", near=near, suspects=suspects)
    parts = np.load(tmp_path / "split.npz")
    return parts["train"].tolist(), parts["validation"].tolist(), cleaning_of(parts)


def test_near_duplicates_stay_on_one_side_and_without_any_the_split_is_as_before(tmp_path):
    before = cleaned(tmp_path, group_duplicates=False)
    assert before[2] == {"group_duplicates": False, "drop_duplicates": False, "drop_label_issues": 0}
    none = cleaned(tmp_path, near=near_of([]))
    assert none[:2] == before[:2] and none[2]["duplicate_clusters"] == 0
    pairs = [(row, row + 10) for row in range(10)]
    for seed in range(5):
        train, validation, cleaning = cleaned(tmp_path, near=near_of(pairs), split_seed=seed)
        assert len(train) + len(validation) == 40 and len(validation) == 8
        assert all((one in train) == (other in train) for one, other in pairs)
        assert (cleaning["duplicate_clusters"], cleaning["duplicate_images"]) == (10, 20)
        assert 0 <= cleaning["duplicate_clusters_not_cut"] <= 10


def test_what_was_kept_together_is_said(tmp_path, capsys):
    *_, cleaning = cleaned(tmp_path, near=near_of([(0, 10), (1, 11)]))
    said = f"4 images in 2 clusters of duplicates stay on one side of the split; {cleaning['duplicate_clusters_not_cut']} of these"
    assert said in capsys.readouterr().out


def test_a_class_whose_images_all_look_alike_is_split_all_the_same_and_that_is_said(tmp_path, capsys):
    pairs = [(0, row) for row in range(2, 40, 2)]  # every image of class 0
    train, validation, cleaning = cleaned(tmp_path, near=near_of([*pairs, (1, 11)]))
    assert cleaning["classes_of_near_duplicates"] == ["number 0"]
    assert {row % 2 for row in train} == {row % 2 for row in validation} == {0, 1}
    assert len({1, 11} & set(train)) in (0, 2)  # the other class keeps its own together
    assert "all images of number 0 look like near duplicates" in capsys.readouterr().out


def test_one_image_of_each_cluster_stays_if_duplicates_are_dropped(tmp_path):
    train, validation, cleaning = cleaned(tmp_path, near=near_of([(0, 10), (0, 12), (3, 5)]), drop_duplicates=True)
    assert sorted(train + validation) == sorted(set(range(40)) - {10, 12, 5})
    assert cleaning["dropped_duplicates"] == 3
    with pytest.raises(InputError, match="drop_duplicates: true leaves no training image of the class number 1"):
        cleaned(tmp_path, near=near_of([(0, row) for row in range(1, 40, 2)]), drop_duplicates=True)


def test_the_most_suspected_training_labels_are_dropped_and_validation_stays(tmp_path):
    train, validation, _ = cleaned(tmp_path)
    suspects = np.array([validation[0], train[5], train[2], validation[1], train[9]])
    left, same, cleaning = cleaned(tmp_path, suspects=suspects, drop_label_issues=2)
    assert (
        same == validation and set(train) - set(left) == {train[5], train[2]} and cleaning["dropped_label_issues"] == 2
    )
    with pytest.raises(InputError, match="drop_label_issues: 40, but only 32 images train"):
        cleaned(tmp_path, suspects=suspects, drop_label_issues=40)


def test_of_a_given_validation_part_the_validation_image_stays(tmp_path):
    np.save(tmp_path / "labels.npy", np.arange(12) % 2)
    np.save(tmp_path / "groups.npy", np.arange(12))
    paths = described(tmp_path)
    write_json(paths[2], read_json(paths[2]) | {"given_validation": 4})
    split_dataset(*paths, entry(drop_duplicates=True), tmp_path / "split.npz", near=near_of([(0, 8), (2, 4)]))
    parts = np.load(tmp_path / "split.npz")
    assert parts["train"].tolist() == [1, 2, 3, 5, 6, 7] and parts["validation"].tolist() == [8, 9, 10, 11]
