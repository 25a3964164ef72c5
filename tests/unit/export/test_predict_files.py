"""Answers for a user's files: which files, in which order, what of those that cannot be read, and how they are written."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ftbench.base.errors import InputError
from ftbench.export import answers_table, doubt, predict_files
from ftbench.export.models import Model

ABOUT = {"size": [4, 4], "range": None, "source": {"fit": "crop", "max_pixels": 10_000}}
CONFIDENCE = {
    "temperature": 1.0,
    "validation_images": 20,
    "promises": [{"precision": 0.9, "threshold": 0.75}, {"precision": 0.99, "threshold": None}],
    "set": {"method": "lac", "alpha": 0.1, "bound": 0.7},
    "unlike": {"k": 1, "threshold": 0.5},
}


def answer(pixels):
    """Dark or bright: the mean grey value is the probability of the second class, and the feature."""
    bright = pixels.mean((1, 2, 3))[:, None] / 255
    return np.hstack([1 - bright, bright]).astype(np.float32), np.hstack([bright, 1 - bright]).astype(np.float32)


@pytest.fixture
def model():
    reference = doubt.unit(np.array([[1.0, 0.0]])).astype(np.float16)  # bright images were trained on
    return Model("m", ["dark", "bright"], ABOUT, CONFIDENCE, None, reference, answer)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for name, level in (("a.png", 250), ("b.png", 100), ("below/c.png", 10)):
        Image.new("RGB", (9, 6), (level,) * 3).save(folder / name)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no image")
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


def names(files, folder):
    return [file.relative_to(folder).as_posix() for file in files]


def test_a_folder_is_walked_and_what_is_passed_over_is_said(photos, capsys):
    assert names(predict_files.listed([photos]), photos) == ["a.png", "b.png", "below/c.png", "broken.png"]
    printed = capsys.readouterr()
    assert printed.out == "" and "1 hidden" in printed.err and "1 no image (.txt)" in printed.err


@pytest.mark.parametrize("suffix, sign", [(".csv", ","), (".tsv", "\t")])
def test_a_table_names_files_beside_itself(photos, suffix, sign):
    table = photos / f"list{suffix}"
    table.write_text(f"label{sign}file\nx{sign}b.png\ny{sign}below/c.png\n")
    assert names(predict_files.listed([table, photos / "a.png"]), photos) == ["b.png", "below/c.png", "a.png"]
    table.write_text("label\nx\n")
    with pytest.raises(InputError, match="has the columns label; one must be named file or path"):
        predict_files.listed([table])


def test_a_path_that_does_not_exist_is_one_sentence():
    with pytest.raises(InputError, match="PATH: nowhere does not exist; give images, folders of images, or tables"):
        predict_files.listed(["nowhere"])


def test_answers_come_in_order_and_an_unreadable_file_is_one_with_its_reason(model, photos, monkeypatch):
    monkeypatch.setattr(predict_files, "BATCH", 3)
    files = predict_files.listed([photos])
    told = list(predict_files.answers(model, files, threads=2))
    assert [one.error is None for one in told] == [True, True, True, False]
    assert [round(float(one.probabilities[1]), 2) for one in told[:3]] == [0.98, 0.39, 0.04]
    assert [one.members.tolist() for one in told[:3]] == [[False, True], [True, True], [True, False]]
    assert told[0].distance < 0.1 < 1 < told[2].distance


def test_rows_say_what_is_unsure_and_unlike(model, photos):
    told = list(predict_files.answers(model, predict_files.listed([photos]), threads=1))
    rows = [answers_table.row(one, model, 2, doubt.threshold_for(CONFIDENCE, None, 0.9)) for one in told]
    assert [row["class_1"] for row in rows] == ["bright", "dark", "dark", None]
    assert [row["set"] for row in rows] == ["bright", "dark; bright", "dark", None]
    assert [row["unsure"] for row in rows] == [False, True, False, None]
    assert [row["unlike"] for row in rows] == [False, True, True, None]
    assert json.loads(answers_table.text(rows, "json"))[1]["probability_1"] == pytest.approx(0.607843)
    frame = answers_table.text(rows, "csv").splitlines()
    assert len(frame) == 5 and frame[0].startswith("file,class_1,probability_1,class_2") and "True" not in frame[2]
    table = answers_table.text(rows, "table").splitlines()
    assert "unsure" in table[2] and "60.8 %" in table[2] and "unsure" not in table[1].split("  ")


def test_csv_keeps_a_spreadsheet_from_running_a_name(model):
    row = answers_table.row(predict_files.Answer("=cmd.png", error="x"), model, 1, None)
    assert answers_table.text([row], "csv").splitlines()[1].startswith("'=cmd.png")


def test_a_promise_that_was_not_exported_or_not_proven_is_one_sentence():
    for precision, words in (
        (0.5, r"not among the promises that were exported; valid are 0.9, 0.99"),
        (0.99, "cannot be promised: 20 validation images prove no such precision"),
        (1.5, "is no precision; give a share between 0 and 1"),
    ):
        with pytest.raises(InputError, match=words):
            doubt.threshold_for(CONFIDENCE, None, precision)


def test_parquet_wants_a_file(model, tmp_path):
    with pytest.raises(InputError, match="is no text; name a file with --out"):
        answers_table.write([], "parquet", None)
    rows = [{"file": "a"}]
    assert answers_table.write(rows, "csv", tmp_path / "a.csv") is None
    assert pd.read_csv(tmp_path / "a.csv").file.tolist() == ["a"]


def test_parquet_in_and_out(model, photos, tmp_path):
    pytest.importorskip("pyarrow")
    table = photos / "list.parquet"
    pd.DataFrame({"image": ["b.png", "broken.png"], "label": [0, 1]}).to_parquet(table)
    files = predict_files.listed([table])
    assert names(files, photos) == ["b.png", "broken.png"]
    rows = [answers_table.row(one, model, 1, None) for one in predict_files.answers(model, files)]
    out = tmp_path / "answers.parquet"
    assert answers_table.write(rows, "parquet", out) is None
    found = pd.read_parquet(out)
    assert found.class_1.tolist()[0] == "dark" and found.error.notna().tolist() == [False, True]
