"""The tables of the images: counts of every class and part, and what preparation said, the most serious first."""

import json

import numpy as np
import pandas as pd
import pytest
from entries import entry
from PIL import Image

from ftbench.data.prepare import prepare_test, prepare_train
from ftbench.data.split import split_dataset
from ftbench.report.data.images_tables import ALL, _general, images_pages, images_tables

NAMES = ("images.npy", "labels.npy", "groups.npy", "classes.json", "files.csv", "train.json")


@pytest.fixture
def written(tmp_path):
    """Both tables of a folder with 16-bit images, a contradiction, a broken file, a stray text and a train_limit."""
    root = tmp_path / "photos"
    for number, (part, kind, images) in enumerate(
        [("train", "cat", 9), ("train", "dog", 5), ("test", "cat", 3), ("test", "dog", 2)]
    ):
        (root / part / kind).mkdir(parents=True)
        for k in range(images):
            values = np.random.default_rng(100 * number + k).integers(100, 900, (6, 6), dtype=np.uint16)
            values[0, :2] = 100, 900 + (k == 0 and part == "test")
            Image.fromarray(values).save(root / part / kind / f"{k}.png")
    (root / "train" / "dog" / "twin.png").write_bytes((root / "train" / "cat" / "0.png").read_bytes())
    (root / "train" / "cat" / "broken.png").write_bytes(b"nothing")
    (root / "train" / "cat" / "notes.txt").write_bytes(b"nothing")
    settings = entry(path=str(root), on_corrupt="skip", image_size=6, train_limit=8)
    images, labels, groups, classes, files, train = paths = [tmp_path / name for name in NAMES]
    prepare_train(settings, root, *paths)
    test = [tmp_path / f"test_{name}" for name in ("images.npy", "labels.npy", "files.csv", "test.json")]
    prepare_test(settings, root, classes, *test, train=train)
    split_dataset(labels, groups, train, settings, tmp_path / "split.npz", classes)
    given = {"dataset": "photos", "train": train, "test": test[-1], "groups": groups, "split": tmp_path / "split.npz"}
    out = tmp_path / "image_classes.csv", tmp_path / "image_facts.csv"
    images_tables([given], *out)
    return tmp_path, pd.read_csv(out[0]), pd.read_csv(out[1], keep_default_na=False)


def test_every_image_is_counted_once(written):
    folder, classes, _ = written
    whole, own = classes[classes["class"] == ALL].iloc[0], classes[classes["class"] != ALL]
    parts = ["train", "validation", "test", "unused"]
    assert (own[parts].sum() == whole[parts]).all() and own["class"].tolist() == ["cat", "dog"]
    train, test = (json.loads((folder / name).read_text()) for name in ("train.json", "test_test.json"))
    assert whole[["train", "validation", "unused"]].sum() == train["images"] and whole["test"] == test["images"]
    assert own["unused"].tolist() == [1, 0]  # of nine cats, eight


def test_what_is_wrong_comes_first_and_all_that_was_done_is_there(written):
    _, _, facts = written
    assert facts["fact"][0] == "CONTRADICTORY LABELS" and "train/dog/twin.png (dog)" in facts["detail"][0]
    told = {(part, fact): detail for part, fact, detail in zip(facts["part"], facts["fact"], facts["detail"])}
    counted = {(part, fact): count for part, fact, count in zip(facts["part"], facts["fact"], facts["count"])}
    assert len(told) == len(facts)  # nothing is said twice
    assert told["train", "images of more than 8 bits"].startswith("values 100 to 900 are black to white, the lowest")
    assert told["train", "skipped as corrupt"] == "cannot identify image file: train/cat/broken.png"
    assert told["all", "files and folders left out"] == "no image (.txt)"
    assert (
        counted["test", "values outside of the range"] == 2
        and "in 2 images" in told["test", "values outside of the range"]
    )
    assert "2 images share theirs" in told["train", "groups"]


def test_the_pages_hold_what_the_tables_hold(written):
    folder, _, facts = written
    out = [{form: folder / f"{name}.{form}" for form in ("html", "markdown", "latex")} for name in ("classes", "facts")]
    images_pages(folder / "image_classes.csv", folder / "image_facts.csv", *out)
    page = out[1]["html"].read_text(encoding="utf-8")
    assert (
        all(detail.split("'")[0] in page for detail in facts["detail"]) and "nan" not in out[1]["markdown"].read_text()
    )
    assert "all classes" in out[0]["markdown"].read_text()


@pytest.mark.parametrize(
    "reason, general",
    [
        ("cannot identify image file '/data/a/b.png'", "cannot identify image file"),
        ("cannot identify image file <_io.BytesIO object at 0x7f00>", "cannot identify image file"),
        ("image file is truncated (4 bytes not processed)", "image file is truncated (4 bytes not processed)"),
    ],
)
def test_a_reason_is_one_for_all_files(reason, general):
    assert _general(reason, "b.png") == general
