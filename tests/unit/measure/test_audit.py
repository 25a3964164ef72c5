"""The audit of a small data set with planted faults, and the scores without what it marks."""

import csv

import numpy as np
import pandas as pd
import pytest
from unit.measure.test_duplicates import pictures
from unit.synthetic import write_study

from ftbench.base.digests import content_of
from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.base.logits import load_logits
from ftbench.data.groups import read_groups
from ftbench.measure.audit import DUPLICATE, SUSPECTED, audit_dataset
from ftbench.report.data.audit_figure import audit as draw
from ftbench.report.uncertainty.clean_test_table import ALL, LISTED, clean_test_pages, clean_test_table, read_exclusions

CLASSES = ["ant", "bee", "cow"]
TRAIN, TEST = 60, 45
USED = np.arange(10, TRAIN)  # the first ten rows were left out by a train_limit
VALIDATION = np.arange(10, 25)


def names(path, prefix, count):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("id", "file"), *((row, f"{prefix}{row}.png") for row in range(count))])


def logits(labels, rng, wrong=()):
    """Sure and right, but for the rows `wrong`, where the next class is believed."""
    believed = labels.copy()
    believed[list(wrong)] = (believed[list(wrong)] + 1) % len(CLASSES)
    return (5 * np.eye(len(CLASSES))[believed] + rng.normal(0, 0.3, (len(labels), len(CLASSES)))).astype(np.float32)


@pytest.fixture
def data(tmp_path):
    """The arguments of audit_dataset: two planted copies, two planted label errors in test and one in validation."""
    rng = np.random.default_rng(0)
    images, test = pictures(TRAIN, seed=1), pictures(TEST, seed=2)
    test[4] = images[30]  # exact, in the training part
    test[7] = np.clip(images[12] * 0.9 + rng.normal(0, 5, images[12].shape), 0, 255)  # near, in validation
    test[9] = images[3]  # a copy of an image that no model saw
    images[40] = images[11]  # training and validation
    labels, test_labels = np.arange(TRAIN) % 3, np.arange(TEST) % 3
    for name, array in (("images", images), ("labels", labels), ("test_images", test), ("test_labels", test_labels)):
        np.save(tmp_path / f"{name}.npy", array)
    np.savez(tmp_path / "split.npz", train=np.setdiff1d(USED, VALIDATION), validation=VALIDATION)
    names(tmp_path / "files.csv", "train/", TRAIN)
    names(tmp_path / "test_files.csv", "test/", TEST)
    write_json(tmp_path / "classes.json", CLASSES)
    probes = []
    for name, spoiled in (("weak", range(8)), ("strong", ())):
        probe = {"name": name}
        for part, rows, own, wrong in (("val", VALIDATION, labels[VALIDATION], (3, *spoiled)),
                                       ("test", np.arange(TEST), test_labels, (20, 33))):  # fmt: skip
            probe[f"{part}_logits"] = str(tmp_path / f"{name}.{part}.npz")
            np.savez(probe[f"{part}_logits"], logits=logits(own, rng, wrong), labels=own, ids=rows)
        probes.append(probe)
    given = {name: str(tmp_path / f"{name}.npy") for name in ("images", "labels", "test_images", "test_labels")}
    given |= {"files": str(tmp_path / "files.csv"), "test_files": str(tmp_path / "test_files.csv"), "probes": probes}
    given |= {"split": str(tmp_path / "split.npz"), "classes": str(tmp_path / "classes.json")}
    out = {name: str(tmp_path / f"{name}.csv") for name in ("pairs", "issues", "marks")}
    return given, out | {"summary": str(tmp_path / "audit.json")}


def test_planted_duplicates_are_found_with_their_places(data):
    given, out = data
    audit_dataset(**given, **out)
    pairs = pd.read_csv(out["pairs"])
    leaks = pairs[pairs["pair"] == "test and training"]
    assert leaks[["row_a", "row_b", "part_b", "exact"]].values.tolist() == [
        [4, 30, "train", True],
        [7, 12, "validation", False],
    ]
    assert leaks["file_a"].tolist() == ["test/4.png", "test/7.png"]
    assert leaks["file_b"].tolist() == ["train/30.png", "train/12.png"]
    assert leaks["label_a"].tolist() == ["bee", "bee"] and leaks["label_b"].tolist() == ["ant", "ant"]
    inside = pairs[pairs["pair"] == "inside training"]
    assert inside[["row_a", "row_b", "part_a", "part_b"]].values.tolist() == [[11, 40, "validation", "train"]]
    summary = read_json(out["summary"])
    assert summary["test_images_with_a_training_duplicate"] == 2 and summary["exact_pairs"] == 2
    assert summary["pairs_of_train_and_validation"] == 1 and summary["pairs_inside_test"] == 0
    assert summary["training_images"] == 50


def test_equal_images_with_different_labels_are_said_first(data, tmp_path, capsys):
    given, out = data
    audit_dataset(**given, **out)
    assert capsys.readouterr().out.splitlines()[0] == (
        "CONTRADICTORY LABELS: 2 pairs of equal images have different labels, such as test/4.png (bee) and train/30.png (ant)."
    )
    draw(out["pairs"], out["issues"], given["images"], given["test_images"], "d", tmp_path / "audit.svg")
    drawn = (tmp_path / "audit.svg").read_text()
    assert "2 pairs of equal images of d have different labels" in drawn


def test_labels_are_judged_by_the_better_probe_and_planted_errors_found(data):
    given, out = data
    audit_dataset(**given, **out)
    summary = read_json(out["summary"])
    assert summary["labels_judged_by"] == "strong"
    issues = pd.read_csv(out["issues"])
    assert sorted(issues[issues["part"] == "test"]["row"]) == [20, 33]
    assert issues[issues["part"] == "validation"]["row"].tolist() == [13]  # row number of images.npy
    twenty = issues[issues["row"] == 20].iloc[0]
    assert (twenty["label"], twenty["suggested"], twenty["file"]) == ("cow", "ant", "test/20.png")
    assert twenty["label_probability"] < 0.1 < 0.9 < twenty["suggested_probability"]
    marks = pd.read_csv(out["marks"])
    assert set(map(tuple, marks[["id", "mark"]].to_numpy())) == {
        (4, DUPLICATE),
        (7, DUPLICATE),
        (20, SUSPECTED),
        (33, SUSPECTED),
    }


def test_without_a_probe_no_label_is_judged(data):
    given, out = data
    audit_dataset(**given | {"probes": []}, **out)
    assert read_json(out["summary"])["labels_judged_by"] is None
    assert len(pd.read_csv(out["issues"])) == 0 and len(pd.read_csv(out["marks"])) == 2


def test_the_figure_shows_both_kinds_or_says_that_there_is_nothing(data, tmp_path):
    given, out = data
    audit_dataset(**given, **out)
    paths = (out["pairs"], out["issues"], given["images"], given["test_images"])
    draw(*paths, "bugs", tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "2 test images of bugs have" in text and "label: cow" in text and "<!-- validation -->" in text
    draw(*paths, "bugs", tmp_path / "b.svg")
    assert (tmp_path / "b.svg").read_bytes() == (tmp_path / "a.svg").read_bytes()
    for name in ("pairs", "issues"):
        frame = pd.read_csv(out[name])
        frame[:0].to_csv(out[name], index=False)
    draw(*paths, "bugs", tmp_path / "c.svg")
    assert "marked no test image" in (tmp_path / "c.svg").read_text()


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
