"""Accuracy against images per class: rows and gains are those of the tables, the figure says what they say."""

import re

import pandas as pd
import pytest
from unit.synthetic import evaluate_study, write_study

from ftbench.base.files import write_json
from ftbench.report.layout.frames import read_table
from ftbench.report.result.training_size_figure import training_size
from ftbench.report.result.training_size_table import (
    COLUMNS,
    finding,
    images_per_class,
    training_size_pages,
    training_size_table,
)

SIZES = {"s-4": 4, "s-all": None}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(tables by path, cells from random weights, folder): tutorial on lite0 stands for what starts from random weights."""
    root = tmp_path_factory.mktemp("sizes")
    tables = evaluate_study(study := write_study(root, datasets=tuple(SIZES)), root / "tables")
    members = []
    for dataset, limit in SIZES.items():
        about = root / f"{dataset}.json"
        write_json(about, {"per_class": {"a": 3, "b": 11}})
        members.append({"family": "s", "dataset": dataset, "limit": limit, "about": about})
    random = [
        cell for cell in study["cells"] if cell["backbone"] == "lite0" and cell["strategy"] in ("tutorial", "finetune")
    ]
    names = ("comparison", "cells", "differences")
    tables["sizes"] = root / "sizes.csv"
    training_size_table(*(tables[name] for name in names), members, random, tables["sizes"])
    return tables, random, root


def test_images_per_class_are_those_that_are_there(made):
    frame = read_table(made[0]["sizes"])
    assert list(pd.read_csv(made[0]["sizes"]).columns) == COLUMNS
    assert dict(zip(frame["dataset"], frame["images_per_class"])) == {"s-4": 3.5, "s-all": 7.0}


def test_a_gain_is_the_difference_to_the_best_from_random_weights_by_validation(made):
    tables, random, _ = made
    frame, cells = read_table(tables["sizes"]), read_table(tables["cells"])
    accuracy = frame.set_index(["dataset", "backbone", "strategy"])["accuracy_mean"]
    for dataset in SIZES:
        names = {cell["strategy"] for cell in random}
        rivals = cells[(cells["dataset"] == dataset) & (cells["backbone"] == "lite0") & cells["strategy"].isin(names)]
        rivals = rivals[rivals["diverged_seeds"] == 0]  # a cell that lost seeds goes behind
        best = rivals.loc[rivals["validation_score"].idxmax(), "strategy"]
        own = frame[(frame["dataset"] == dataset) & frame["accuracy_mean"].notna()]
        for row in own.itertuples():
            if row.start == "random":
                assert pd.isna(row.gain)
            else:
                assert row.against == f"{best} on lite0"
                assert row.gain == pytest.approx(row.accuracy_mean - accuracy[dataset, "lite0", best])
                assert row.gain_low <= row.gain <= row.gain_high


def test_page_and_figure_say_it(made, tmp_path):
    tables, _, _ = made
    frame = read_table(tables["sizes"])
    training_size_pages(tables["sizes"], {"html": tmp_path / "t.html", "markdown": tmp_path / "t.md"})
    assert (tmp_path / "t.md").read_text().count("| s |") == len(frame)
    more = tmp_path / "more.csv"
    best = {
        "backbone": "res_18",
        "strategy": "lp_ft",
        "more_images": 14,
        "accuracy": 0.8,
        "accuracy_low": 0.7,
        "accuracy_high": 0.9,
    }
    pd.DataFrame([best | {"family": "s"}]).to_csv(more, index=False)
    training_size(
        tables["sizes"],
        more,
        "s",
        ["tutorial", "linear_probe", "lp_ft", "finetune"],
        ["lite0", "res_18"],
        tmp_path / "f.svg",
    )
    drawn = " ".join(re.findall("<!-- (.*?) -->", (tmp_path / "f.svg").read_text()))
    assert finding(frame).split(" points")[0] in drawn and "lp_ft on res_18" in drawn
    assert finding(frame).startswith("At 3.5 images per class pretrained weights change accuracy by ")


def test_without_random_weights_or_results_the_finding_is_another(made, tmp_path):
    frame = read_table(made[0]["sizes"])
    plain = frame.assign(start="pretrained", gain=None)
    assert finding(plain).startswith("The best on validation reaches ") and finding(plain).endswith(" % with 7")
    lost = plain.assign(accuracy_mean=plain["accuracy_mean"].where(plain["dataset"] == "s-4"))
    assert finding(lost) == "Not every size has a finished cell"
    frame.assign(accuracy_mean=None).to_csv(tmp_path / "t.csv", index=False)
    training_size(tmp_path / "t.csv", None, "s", ["lp_ft"], ["lite0"], tmp_path / "f.svg")
    assert "No run on s finished" in (tmp_path / "f.svg").read_text()


def test_a_class_has_no_more_images_than_it_has(tmp_path):
    write_json(tmp_path / "about.json", {"per_class": {"a": 2, "b": 100}})
    assert images_per_class({"about": tmp_path / "about.json", "limit": 10}) == 6
