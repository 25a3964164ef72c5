"""The audit of a small data set with planted faults, and the scores without what it marks."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from unit.data.test_duplicates import pictures
from unit.synthetic import write_study

from ftbench.base.digests import content_of
from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.base.logits import load_logits
from ftbench.data.groups import read_groups
from ftbench.measure.audit import quality
from ftbench.measure.audit.dataset import DUPLICATE, SUSPECTED, audit_dataset
from ftbench.measure.audit.domain import separability
from ftbench.measure.audit.labels import Judged, folds, judge
from ftbench.report.data.audit_figure import audit as draw
from ftbench.report.uncertainty.clean_test_table import ALL, LISTED, clean_test_pages, clean_test_table, read_exclusions

CLASSES = ["ant", "bee", "cow"]
TRAIN, TEST = 120, 90
USED = np.arange(10, TRAIN)  # the first ten rows were left out by a train_limit
VALIDATION = np.arange(10, 40)
WRONG = [23, 70]  # labels, the one in validation and the other in train


def names(path, prefix, count, sizes=()):
    """A list of files, all of 64×48 pixels but those of `sizes`, {row: (width, height)}."""
    rows = ((row, f"{prefix}{row}.png", *dict(sizes).get(row, (64, 48))) for row in range(count))
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("id", "file", "width", "height"), *rows])


@pytest.fixture
def data(tmp_path):
    """The arguments of audit_dataset: planted copies, two planted label errors in test and one in validation, a black image."""
    rng = np.random.default_rng(0)
    images, test = pictures(TRAIN, seed=1), pictures(TEST, seed=2)
    test[4] = images[90]  # exact, in the training part
    test[7] = np.clip(images[12] * 0.9 + rng.normal(0, 4, images[12].shape), 0, 255)  # near, in validation
    test[9] = images[3]  # a copy of an image that no model saw
    images[40] = images[11]  # training and validation
    images[50] = 0
    labels, test_labels = np.arange(TRAIN) % 3, np.arange(TEST) % 3
    strong = {}
    for name, own in (("train", labels[USED]), ("test", test_labels)):
        near = np.random.default_rng(len(own)).normal(0, 0.4, (len(own), 12))
        near[:, :3] += 4 * np.eye(3)[own]
        strong[name] = near
    labels[WRONG], test_labels[[20, 33]] = (labels[WRONG] + 1) % 3, (test_labels[[20, 33]] + 1) % 3
    features = []
    for name, scale in (("weak", 0.1), ("strong", 1.0)):
        entry = {"name": name}
        for part, vectors in strong.items():
            entry[part] = str(tmp_path / f"{name}.{part}.npy")
            noise = np.random.default_rng(5).normal(0, 1 - scale, vectors.shape)
            np.save(entry[part], (scale * vectors + noise).astype(np.float32))
        features.append(entry)
    for name, array in (("images", images), ("labels", labels), ("test_images", test), ("test_labels", test_labels)):
        np.save(tmp_path / f"{name}.npy", array)
    cleaning = np.str_('{"group_duplicates": true}')
    np.savez(tmp_path / "split.npz", train=np.setdiff1d(USED, VALIDATION), validation=VALIDATION, cleaning=cleaning)
    names(tmp_path / "files.csv", "train/", TRAIN)
    names(tmp_path / "test_files.csv", "test/", TEST)
    write_json(tmp_path / "classes.json", CLASSES)
    given = {name: str(tmp_path / f"{name}.npy") for name in ("images", "labels", "test_images", "test_labels")}
    given |= {"files": str(tmp_path / "files.csv"), "test_files": str(tmp_path / "test_files.csv")}
    given |= {"split": str(tmp_path / "split.npz"), "classes": str(tmp_path / "classes.json")}
    out = {name: str(tmp_path / f"{name}.csv") for name in ("pairs", "issues", "marks")}
    return {"given": given, "features": features, "mirrored": True}, out | {"summary": str(tmp_path / "audit.json")}


def test_planted_duplicates_are_found_with_their_places(data):
    asked, out = data
    audit_dataset(**asked, **out)
    pairs = pd.read_csv(out["pairs"])
    leaks = pairs[pairs["pair"] == "test and training"].sort_values("row_a")
    assert leaks[["row_a", "row_b", "part_b", "exact"]].values.tolist() == [
        [4, 90, "train", True],
        [7, 12, "validation", False],
    ]
    assert leaks["file_a"].tolist() == ["test/4.png", "test/7.png"]
    assert leaks["file_b"].tolist() == ["train/90.png", "train/12.png"]
    assert leaks["label_a"].tolist() == ["bee", "bee"] and leaks["label_b"].tolist() == ["ant", "ant"]
    inside = pairs[pairs["pair"] == "inside training"]
    assert inside[["row_a", "row_b", "part_a", "part_b"]].values.tolist() == [[11, 40, "validation", "train"]]
    assert sorted(pairs["cluster"]) == [0, 1, 2]
    summary = read_json(out["summary"])
    assert summary["test_images_with_a_training_duplicate"] == 2 and summary["exact_pairs"] == 2
    assert summary["pairs_of_train_and_validation"] == 1 and summary["pairs_inside_test"] == 0
    assert (summary["training_images"], summary["clusters"], summary["largest_cluster"]) == (110, 3, 2)


def test_pairs_that_the_split_of_a_seed_cuts_are_counted(data, tmp_path):
    asked, out = data
    splits = []
    for number, validation in enumerate(([11, 12], [11, 40], [3])):  # the pair inside training is 11 and 40
        np.savez(tmp_path / f"seed{number}.npz", train=np.setdiff1d(USED, validation), validation=np.array(validation))
        splits.append(str(tmp_path / f"seed{number}.npz"))
    audit_dataset(**asked, **out, own_splits=splits)
    assert read_json(out["summary"])["pairs_cut_by_own_splits"] == [1, 0, 0]


def test_what_is_odd_and_what_there_is_of_each_class_is_said(data):
    asked, out = data
    audit_dataset(**asked, **out)
    summary = read_json(out["summary"])
    assert summary["odd_images"] == {"blank": 1}
    assert summary["odd"] == [{"part": "train", "row": 50, "file": "train/50.png", "label": "cow", "odd": "blank"}]
    classes = summary["classes"]
    assert [entry["class"] for entry in classes] == CLASSES and sum(entry["test"] for entry in classes) == TEST
    assert sum(entry["train"] + entry["validation"] for entry in classes) == len(USED)
    assert sum(entry["in_duplicate_clusters"] for entry in classes) == 6
    assert all(entry["judge_recall"] > 0.9 for entry in classes)
    assert summary["cleaning"] == {"group_duplicates": True}
    assert 0.2 < summary["training_against_test"]["auc"] < 0.8


def test_equal_images_with_different_labels_are_said_first(data, tmp_path, capsys):
    asked, out = data
    audit_dataset(**asked, **out)
    assert (
        "CONTRADICTORY LABELS: 2 pairs of equal images have different labels, such as train/11.png (cow) and train/40.png (bee)."
        in capsys.readouterr().out
    )
    given = asked["given"]
    draw(
        out["pairs"], out["issues"], out["summary"], given["images"], given["test_images"], "d", tmp_path / "audit.svg"
    )
    drawn = (tmp_path / "audit.svg").read_text()
    assert "2 pairs of equal images of d have different labels" in drawn


def test_labels_are_judged_by_the_better_features_and_planted_errors_found(data):
    asked, out = data
    audit_dataset(**asked, **out)
    summary = read_json(out["summary"])
    assert summary["labels_judged_by"] == "strong" and summary["judge_accuracy"] > 0.95
    issues = pd.read_csv(out["issues"])
    assert sorted(issues[issues["part"] == "test"]["row"]) == [20, 33]
    assert sorted(issues[issues["part"] != "test"]["row"]) == WRONG  # row numbers of images.npy
    assert summary["suspected_labels"] == {"train": 1, "validation": 1, "test": 2}
    twenty = issues[(issues["row"] == 20) & (issues["part"] == "test")].iloc[0]
    assert (twenty["label"], twenty["suggested"], twenty["file"]) == ("ant", "cow", "test/20.png")
    assert twenty["label_probability"] < 0.1 < 0.8 < twenty["suggested_probability"]
    marks = pd.read_csv(out["marks"])
    assert set(map(tuple, marks[["id", "mark"]].to_numpy())) == {
        (4, DUPLICATE),
        (7, DUPLICATE),
        (20, SUSPECTED),
        (33, SUSPECTED),
    }


def test_features_with_errors_of_their_own_judge_together_and_useless_ones_do_not():
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 4
    views = {name: (2.0 * np.eye(4)[labels] + rng.normal(0, 1, (600, 4)), None) for name in "ab"}
    noise = {"noise": (rng.normal(size=(600, 3)), None)}
    alone = {name: judge({name: own}, labels, np.arange(600), 4) for name, own in views.items()}
    both = judge(views | noise, labels, np.arange(600), 4)
    assert sorted(both.judges) == ["a", "b"] and both.said in ("a and b", "b and a")
    assert both.accuracy > max(one.accuracy for one in alone.values()) + 0.03
    assert np.allclose(both.train, (alone["a"].train + alone["b"].train) / 2)
    assert np.allclose(both.train.sum(axis=1), 1)
    assert Judged(None, None, ["x", "y", "z"], 0.0).said == "x, y and z"


def test_duplicates_lie_in_one_fold_and_every_class_in_all_folds():
    rng = np.random.default_rng(0)
    labels, clusters = rng.integers(0, 4, 300), np.arange(300)
    clusters[100:140] = clusters[:40]
    fold = folds(labels, clusters)
    assert (fold[100:140] == fold[:40]).all()
    for label in range(4):
        counts = np.bincount(fold[(labels == label)], minlength=5)
        assert counts.min() >= 0.6 * counts.mean()
    assert sorted(np.bincount(fold)) == sorted(np.bincount(folds(labels, clusters)))


def test_parts_of_one_source_cannot_be_told_apart_and_shifted_ones_can():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(200, 40)), rng.normal(size=(150, 40))
    same = separability(one, other)
    assert same["null_low"] - 0.05 < same["auc"] < same["null_high"] + 0.05 and same["p"] > 0.01
    moved = separability(one, other + 0.5)
    assert moved["auc"] > 0.9 > same["null_high"] and moved["p"] < 0.02
    assert separability(one[:5], other) is None


def test_blank_dark_bright_and_blurred_images_are_odd():
    images = pictures(60)
    images[1], images[2] = 128, images[2] // 8
    images[3] = 255 - images[3] // 9
    images[4] = gaussian_filter(images[4].astype(float), (4, 4, 0))
    measured = quality.measure(images, np.arange(60))
    assert quality.odd(measured, measured) == [(1, "blank"), (2, "dark"), (3, "over-exposed"), (4, "blurred")]


def test_files_of_another_size_or_shape_are_odd_beside_those_of_training(data):
    asked, out = data
    names(Path(asked["given"]["files"]), "train/", TRAIN, {5: (8, 6), 60: (16, 12)})  # the fifth is not used
    names(Path(asked["given"]["test_files"]), "test/", TEST, {8: (320, 240), 9: (400, 64), 10: (60, 50), 11: (90, 36)})
    audit_dataset(**asked, **out)
    summary = read_json(out["summary"])
    assert summary["odd_images"] == {"blank": 1, "small": 1, "large": 2, "wide": 2}
    found = [(image["file"], image["odd"]) for image in summary["odd"]]
    assert found == [
        ("train/50.png", "blank"), ("train/60.png", "small"),
        ("test/8.png", "large"), ("test/9.png", "large"), ("test/9.png", "wide"), ("test/11.png", "wide"),
    ]  # fmt: skip


def test_no_size_is_odd_among_sizes_of_all_kinds_nor_within_half_of_the_usual_one():
    rng = np.random.default_rng(0)
    photos = np.exp(rng.normal(6, 0.7, (2000, 1)) + rng.normal(0, 0.2, (2000, 2)))
    assert len(quality.odd_sizes(photos, photos)) < 5
    equal = np.full((50, 2), 100.0)
    near = np.array([[149.0, 149.0], [67.0, 67.0], [120.0, 84.0]])
    assert quality.odd_sizes(near, equal) == []
    assert quality.odd_sizes(np.array([[152.0, 152.0], [65.0, 65.0], [80.0, 125.0]]), equal) == [
        (0, "large"),
        (1, "small"),
        (2, "tall"),
    ]
    assert quality.odd_sizes(equal, equal[:0]) == []


def test_without_features_no_label_is_judged(data):
    asked, out = data
    audit_dataset(**asked | {"features": []}, **out)
    assert read_json(out["summary"])["labels_judged_by"] is None
    assert read_json(out["summary"])["training_against_test"]["by"] == "pixels"
    assert len(pd.read_csv(out["issues"])) == 0 and len(pd.read_csv(out["marks"])) == 2


def test_the_figure_shows_all_kinds_or_says_that_there_is_nothing(data, tmp_path):
    asked, out = data
    audit_dataset(**asked, **out)
    given = asked["given"]
    paths = (out["pairs"], out["issues"], out["summary"], given["images"], given["test_images"])
    draw(*paths, "bugs", tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert (
        "2 test images of bugs have" in text
        and "label: ant" in text
        and "<!-- validation: cow -->" in text
        and "blank" in text
    )
    draw(*paths, "bugs", tmp_path / "b.svg")
    assert (tmp_path / "b.svg").read_bytes() == (tmp_path / "a.svg").read_bytes()
    write_json(out["summary"], read_json(out["summary"]) | {"odd": []})
    pairs, issues = (pd.read_csv(out[name]) for name in ("pairs", "issues"))
    issues[:0].to_csv(out["issues"], index=False)
    inside = pairs[pairs["pair"] == "inside training"]
    pairs = pd.concat([pairs, inside.assign(pair="inside test", part_a="test", part_b="test")])
    for kind in ("test and training", "inside training", "inside test"):  # there may be pairs of one kind alone
        pairs[pairs["pair"] == kind].to_csv(out["pairs"], index=False)
        draw(*paths, "bugs", tmp_path / "kind.svg")
        assert f"pairs {kind}, the least alike first" in (tmp_path / "kind.svg").read_text()
    pairs[:0].to_csv(out["pairs"], index=False)
    draw(*paths, "bugs", tmp_path / "c.svg")
    assert "marked no image" in (tmp_path / "c.svg").read_text()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two data sets, in which the one called `zeta` has marks of both kinds."""
    root = tmp_path_factory.mktemp("study")
    study = write_study(root, datasets=("zeta", "alpha"), images=80)
    audits = []
    for name in study["datasets"]:
        rows = (
            [(3, "test/3", DUPLICATE, ""), (5, "test/5", DUPLICATE, ""), (5, "test/5", SUSPECTED, "")]
            if name == "zeta"
            else []
        )
        pd.DataFrame(rows, columns=["id", "file", "mark", "detail"]).to_csv(root / f"{name}.marks.csv", index=False)
        names(root / f"{name}.files.csv", "test/", 80)
        audits.append(
            {"dataset": name, "marks": root / f"{name}.marks.csv", "files": root / f"{name}.files.csv", "exclude": None}
        )
    return study, audits


def table(study, audits, out):
    clean_test_table(study["runs"], audits, study["cells"], out)
    return pd.read_csv(out)


def test_clean_scores_are_those_of_the_remaining_images(study, tmp_path):
    study, audits = study
    frame = table(study, audits, tmp_path / "t.csv")
    assert set(frame["dataset"]) == {"zeta"}  # nothing is marked in the other
    assert set(frame["without"]) == {DUPLICATE, SUSPECTED, ALL}
    removed = {DUPLICATE: [3, 5], SUSPECTED: [5], ALL: [3, 5]}
    for entry in study["runs"]:
        cell = entry["labels"]
        if cell["dataset"] != "zeta" or cell["strategy"] != "linear_probe":
            continue
        logits, labels, _ = load_logits(entry["test_logits"])
        right = logits.argmax(1) == labels
        for without, ids in removed.items():
            row = frame[
                (frame["backbone"] == cell["backbone"])
                & (frame["strategy"] == "linear_probe")
                & (frame["without"] == without)
            ].iloc[0]
            assert row["accuracy_mean"] == pytest.approx(np.delete(right, ids).mean())
            assert row["accuracy_full"] == pytest.approx(right.mean())
            assert row["change"] == pytest.approx(row["accuracy_mean"] - row["accuracy_full"])
            assert (row["images"], row["removed"]) == (80 - len(ids), len(ids))
    diverged = frame[frame["accuracy_mean"].isna()]
    assert len(diverged) == 3 and (diverged["images"] >= 78).all()  # one cell, three kinds of mark
    assert (frame.groupby("without")["rank"].min() == 1).all()
    clean_test_pages(tmp_path / "t.csv", ["zeta", "alpha"], {"html": tmp_path / "t.html"})
    assert "no test image is marked in: alpha" in (tmp_path / "t.html").read_text()


def test_the_users_list_is_a_kind_of_its_own(study, tmp_path):
    study, audits = study
    (tmp_path / "list.csv").write_text("file,reason\ntest/0.png,blurred\ntest/79.png,wrong scale\n")
    listed = [audit | {"exclude": tmp_path / "list.csv"} for audit in audits]
    frame = table(study, listed, tmp_path / "t.csv")
    own = frame[frame["dataset"] == "alpha"]
    assert set(own["without"]) == {LISTED} and (own["removed"] == 2).all()
    everything = frame[(frame["dataset"] == "zeta") & (frame["without"] == ALL)]
    assert (everything["removed"] == 4).all()  # 0, 3, 5, 79


def test_no_marks_at_all_give_an_empty_table_and_a_page_that_says_so(study, tmp_path):
    study, audits = study
    none = [audit | {"marks": audits[1]["marks"]} for audit in audits]
    assert len(table(study, none, tmp_path / "t.csv")) == 0
    clean_test_pages(tmp_path / "t.csv", ["zeta", "alpha"], {"html": tmp_path / "t.html"})
    assert "no test image is marked in: alpha, zeta" in (tmp_path / "t.html").read_text()


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "does not exist"),
        ("id\n3\n", "has the columns id; it needs id or file, and reason"),
        ("", "no header"),
        ("id,reason\n9,far\n", "'9', which is no test image; valid are ids from 0 to 4"),
        ("id,reason\n-1,far\n", "no test image"),
        ("file,reason\nelse.png,far\n", "'else.png', which is no test image"),
        ("id,reason\n3,\n", "line 2 .* gives no reason"),
    ],
)
def test_a_bad_list_gets_a_sentence(tmp_path, text, message):
    path = tmp_path / "list.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_exclusions(path, [f"{row}.png" for row in range(5)], "datasets.d.exclude_test")


def test_ids_and_files_may_stand_side_by_side_and_other_columns_too(tmp_path):
    (tmp_path / "list.csv").write_text("file,id,reason,who\n1.png,,torn,me\n,3,dark,me\n")
    assert read_exclusions(tmp_path / "list.csv", [f"{row}.png" for row in range(5)], "k") == {1: "torn", 3: "dark"}


@pytest.mark.parametrize(
    "written", ["test/a/1.png", "a/1.png", "./test/a/1.png", "{root}/test/a/1.png", "../images/test/a/1.png"]
)
def test_a_list_may_write_a_test_image_in_any_way_that_means_it(tmp_path, written):
    root = tmp_path / "images"
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "list.csv").write_text(f"file,reason\n{written.format(root=root)},torn\n")
    files = ["test/a/0.png", "test/a/1.png", "test/b/1.png"]
    assert read_exclusions(tmp_path / "lists" / "list.csv", files, "k", str(root)) == {1: "torn"}


def test_a_bare_name_of_two_test_images_is_refused(tmp_path):
    (tmp_path / "list.csv").write_text("file,reason\n1.png,torn\n")
    with pytest.raises(InputError, match="1.png may be test/a/1.png or test/b/1.png; write the folder too"):
        read_exclusions(tmp_path / "list.csv", ["test/a/1.png", "test/b/1.png"], "k", str(tmp_path))


def test_a_lists_content_is_known_and_its_absence_too(tmp_path):
    (tmp_path / "a").write_text("x")
    assert content_of(None) is None and content_of(tmp_path / "b") == "missing"
    before = content_of(tmp_path / "a")
    (tmp_path / "a").write_text("y")
    assert content_of(tmp_path / "a") != before


@pytest.mark.parametrize(
    "read, key", [(read_groups, "groups"), (lambda path: read_exclusions(path, ["a"], "k"), "config: k")]
)
def test_a_table_in_another_encoding_is_named(tmp_path, read, key):
    """As a spreadsheet saves it that was asked for CSV alone."""
    path = tmp_path / "list.csv"
    path.write_bytes("id,file,group,reason\n0,a,Zürich,trübe\n".encode("latin-1"))
    with pytest.raises(InputError, match=rf"^{key}: .*list.csv is not in UTF-8; save it again"):
        read(path)
