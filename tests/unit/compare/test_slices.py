"""Slices of the test images: how a column divides them, and that intervals, gaps and tests of slices keep what they promise."""

import json

import numpy as np
import pandas as pd
import pytest

from ftbench.base.errors import InputError
from ftbench.compare.slice_accuracy import SMALL, contrast, corrected, gap_rows, slice_rows
from ftbench.compare.slices import MOST, UNKNOWN, in_order, read_slices, slices_of, write_slices

FILES = [f"test/{name}/{number}.png" for name in "ab" for number in range(6)]


def cell(right, stochastic=True) -> dict:
    right = np.asarray(right, bool)
    return {"correct": right, "labels": np.zeros(right.shape[1], int), "stochastic": stochastic}


# --- how a column divides the images ---------------------------------------------------------------------------------


def test_words_are_slices_and_an_image_without_a_value_has_its_own():
    assert slices_of(["a", "", "b", "a"], "site") == (["a", UNKNOWN, "b", "a"], "")


def test_few_numbers_are_slices_and_many_are_cut_at_their_quartiles():
    assert slices_of(["1", "2"] * 8, "camera") == (["1", "2"] * 8, "")
    found, note = slices_of([str(age) for age in range(1, 101)], "age")
    assert [found.count(name) for name in dict.fromkeys(found)] == [25] * 4
    assert found[24] == "up to 25" and found[25] == "25 to 50" and found[99] == "above 75"
    assert in_order(found) == ["up to 25", "25 to 50", "50 to 75", "above 75"]
    assert note.endswith("quartiles of the test images, 25, 50, 75.")


def test_slices_stand_in_the_order_of_their_values():
    assert in_order(["b", UNKNOWN, "10", "9", "nan-like", "9"]) == ["9", "10", "b", "nan-like", UNKNOWN]


def test_numbers_of_which_most_are_equal_make_fewer_slices_and_none_is_empty():
    found, _ = slices_of(["0"] * 90 + [str(number) for number in range(1, 12)], "dose")
    assert set(found) == {"up to 0", "above 0"} and found.count("up to 0") == 90


@pytest.mark.parametrize(
    "values, said",
    [
        (["x", "x", ""], "the one value 'x'"),
        (["", ""], "no value"),
        ([f"id{k}" for k in range(MOST + 1)], f"{MOST + 1} different values"),
    ],
)
def test_a_column_that_makes_no_slices_is_left_out_with_a_sentence(values, said):
    found, note = slices_of(values, "name")
    assert found is None and said in note and note.startswith("name has")


def written(tmp_path, columns, table=None, metadata=("site", "A", "B")):
    head, *values = metadata
    frame = pd.DataFrame({"id": range(12), head: [values[k % 2] for k in range(12)]})
    frame.to_csv(tmp_path / "metadata.csv", index=False)
    pd.DataFrame({"id": range(12), "file": FILES}).to_csv(tmp_path / "files.csv", index=False)
    settings = {"key": "datasets.d", "columns": columns, "table": table and str(table), "root": None}
    out = tmp_path / "slices.csv", tmp_path / "slices.json"
    write_slices(settings, tmp_path / "metadata.csv", tmp_path / "files.csv", *out)
    return read_slices(out[0]), json.loads(out[1].read_text())


def test_slices_come_from_the_metadata_or_from_a_table_whose_rows_mean_files(tmp_path):
    found, notes = written(tmp_path, ["site"], metadata=("site", "=A", "B"))
    assert found["site"].tolist() == ["=A", "B"] * 6 and notes == {}
    (tmp_path / "sites.csv").write_text("file;room\na/0.png;one\nb/1.png;two\ntrain/c.png;two\n")
    found, _ = written(tmp_path, None, tmp_path / "sites.csv")
    assert found["room"][[0, 7, 3]].tolist() == ["one", "two", UNKNOWN]


@pytest.mark.parametrize(
    "columns, text, said",
    [
        (["siet"], None, "slices names 'siet', which the table of the images lacks; it has site"),
        (None, "file,room\n", "names no test image"),
        (None, "name,room\na,1\n", "it needs file and the columns"),
        (None, "file,room\na/0.png,1\n0.png,2\n", "write the folder too"),
        (None, "file,room\na/0.png,1\ntest/a/0.png,2\n", "twice, with different values"),
    ],
)
def test_a_column_or_table_that_says_nothing_of_the_images_is_refused(tmp_path, columns, text, said):
    if text:
        (tmp_path / "sites.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        written(tmp_path, columns, tmp_path / "sites.csv" if text else None)


# --- accuracies and their differences ----------------------------------------------------------------------------------


def test_accuracies_of_slices_make_up_the_whole_and_differences_turn_with_their_sides():
    rng = np.random.default_rng(0)
    right, values = rng.random((3, 300)) < 0.8, rng.choice(["a", "b", "c"], 300)
    (rows,) = slice_rows({"x": cell(right)}, values, np.arange(300)).values()
    assert sum(row["images"] for row in rows) == 300
    assert sum(row["images"] * row["accuracy"] for row in rows) / 300 == pytest.approx(right.mean())
    one, other = values == "a", values == "b"
    there, back = (contrast(right, *pair, np.arange(300), True) for pair in ((one, other), (other, one)))
    assert there.difference == pytest.approx(-back.difference) and there.of_images == pytest.approx(back.of_images)


def test_a_slice_as_good_as_its_classes_is_expected_so():
    labels = np.repeat([0, 1], 50)
    one = cell((labels == 0)[None]) | {"labels": labels}  # class 0 always right, class 1 never
    (rows,) = slice_rows({"x": one}, np.where(labels == 0, "easy", "hard"), np.arange(100)).values()
    assert [(row["accuracy"], row["expected"]) for row in rows] == [(1, 1), (0, 0)]


def test_a_small_slice_is_shown_and_neither_tested_nor_the_worst():
    values = np.array(["tiny"] * (SMALL - 1) + ["a"] * 60 + ["b"] * 60)
    right = np.where(values == "tiny", 0, np.arange(len(values)) % 2)[None]
    cells = {"x": cell(right, stochastic=False)}
    rows = {row["slice"]: row for row in slice_rows(cells, values, np.arange(len(values)))["x"]}
    assert rows["tiny"]["small"] and "p" not in rows["tiny"] and rows["tiny"]["accuracy_high"] > 0.1
    gap = gap_rows(cells, values, np.arange(len(values)))["x"]
    assert gap["slices"] == 2 and {gap["best"], gap["worst"]} == {"a", "b"}


def test_groups_count_as_one():
    values, groups = np.repeat(["a", "b"], 100), np.repeat(np.arange(8), 25)
    rows = slice_rows({"x": cell(np.ones((1, 200)), False)}, values, groups)["x"]
    assert [row["groups"] for row in rows] == [4, 4] and all(row["small"] for row in rows)


def test_without_an_error_no_slice_is_certain_and_one_seed_has_no_p():
    values = np.repeat(["a", "b"], 30)
    rows = slice_rows({"x": cell(np.ones((1, 60)))}, values, np.arange(60))["x"]
    assert rows[0]["difference_low"] < -0.03 and rows[0]["difference_high"] > 0.03 and rows[0]["p"] is None


def test_holm_counts_the_two_slices_of_a_column_once():
    rows = [{"column": "sex", "slice": name, "p": 0.01} for name in "fm"]
    assert corrected(rows) == pytest.approx([0.01, 0.01])
    rows += [{"column": "site", "slice": name, "p": p} for name, p in zip("abc", (0.02, 0.5, None))]
    assert corrected(rows)[:4] == pytest.approx([0.03, 0.03, 0.04, 0.5]) and np.isnan(corrected(rows)[4])


def world(rng, cells=4, seeds=3, images=400, per_group=1) -> tuple[dict, np.ndarray]:
    """Cells on images whose difficulty is shared, with luck of seeds that differs by slice: no slice is truly harder."""
    groups = np.arange(images) // per_group
    hard = rng.normal(0, 1.2, images // per_group)[groups]
    values = rng.choice(["a", "b", "c", "d"], images // per_group)[groups]
    found = {}
    for key in range(cells):
        luck = rng.normal(0, 0.25, (seeds, 4))[:, np.unique(values, return_inverse=True)[1]]
        found[key] = cell(1.2 - hard + luck + rng.normal(0, 0.7, (seeds, images)) > 0)
    return found, values, groups


@pytest.mark.parametrize("per_group", [1, 5])
def test_slices_that_do_not_differ_are_seldom_told_apart(per_group):
    """Of the whole family at 5 %: three or more of 8 such studies have a chance of 0.6 %. At 120 studies at most 9 and 11 % were seen."""
    rng = np.random.default_rng(7)
    wrong = gaps = 0
    for _ in range(8):
        cells, values, groups = world(rng, cells=2, per_group=per_group)
        rows = [{"column": "x", **row} for row in slice_rows(cells, values, groups)[0]]
        wrong += np.nanmin(corrected(rows)) < 0.05
        gaps += gap_rows(cells, values, groups)[0]["gap_low"] > 0
    assert wrong <= 2 and gaps <= 2


def test_a_slice_that_is_harder_is_found():
    rng = np.random.default_rng(1)
    cells, values, groups = world(rng)
    for one in cells.values():
        one["correct"] &= (values != "c") | (rng.random(400) < 0.7)
    rows = [{"column": "x", **row} for row in slice_rows(cells, values, groups)[0]]
    found = {row["slice"]: (row["difference"], p) for row, p in zip(rows, corrected(rows))}
    assert found["c"][0] < -0.15 and found["c"][1] < 0.01
    gap = gap_rows(cells, values, groups)[0]
    assert gap["worst"] == "c" and gap["gap_low"] > 0
