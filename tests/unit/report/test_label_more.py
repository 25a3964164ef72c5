"""Label more? Rows of the cells with enough sizes, and the words are those of the numbers."""

import numpy as np
import pytest
from unit.synthetic import write_study

from ftbench.base.files import write_json
from ftbench.report.layout.frames import read_table
from ftbench.report.result.label_more_table import COLUMNS, FACTORS, expectation, label_more_pages, label_more_table

SIZES = {"s-4": 4, "s-8": 8, "s-16": 16}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    root = tmp_path_factory.mktemp("more")
    study = write_study(root, datasets=tuple(SIZES))
    write_json(root / "about.json", {"per_class": dict.fromkeys("abcd", 50)})
    members = [
        {"family": "s", "dataset": name, "limit": limit, "about": root / "about.json"} for name, limit in SIZES.items()
    ]
    label_more_table(study["runs"], members, root / "more.csv")
    return read_table(root / "more.csv"), study, root


def test_a_cell_has_a_row_for_each_factor_if_it_has_enough_sizes(table):
    frame, study, _ = table
    assert list(frame.columns) == COLUMNS
    cells = {(cell["backbone"], cell["strategy"]) for cell in study["cells"]}
    lost = {("res_18", "finetune")}  # all its runs on the smallest size diverged
    assert {(row.backbone, row.strategy) for row in frame.itertuples()} == cells - lost
    assert all(frame.groupby(["backbone", "strategy"])["factor"].apply(list).map(tuple) == FACTORS)
    assert set(frame["images_per_class"]) == {16} and set(frame["more_images"]) == {32, 64}
    assert (frame["accuracy_low"] <= frame["accuracy"]).all() and (frame["accuracy"] <= frame["accuracy_high"]).all()


def test_now_is_the_mean_accuracy_at_the_largest_size(table):
    frame, study, _ = table
    own = [run for run in study["runs"] if run["labels"]["dataset"] == "s-16" and run["labels"]["strategy"] == "lp_ft"]
    own = [np.load(run["test_logits"]) for run in own if run["labels"]["backbone"] == "lite0"]
    now = np.mean([saved["logits"].argmax(axis=1) == saved["labels"] for saved in own])
    assert frame.query("backbone == 'lite0' and strategy == 'lp_ft'")["accuracy_now"].tolist() == pytest.approx(
        [now] * 2
    )


def test_words_and_page(table, tmp_path):
    frame, _, root = table
    rows = frame.query("backbone == 'lite0' and strategy == 'lp_ft'")
    said = expectation(rows)
    assert (
        said.startswith("lp_ft on lite0 is at ")
        and "; with 32 it is expected at " in said
        and ", with 64 it is" in said
    )
    label_more_pages(root / "more.csv", {"html": tmp_path / "t.html", "markdown": tmp_path / "t.md"})
    assert "Label more?" in (tmp_path / "t.html").read_text()
