import numpy as np
import pandas as pd
import pytest
from unit.synthetic import evaluate_study, write_study

from ftbench.errors import InputError
from ftbench.table_formats import comparison_pages, cost_page, count, duration, escape_latex, operations, pairwise_page
from ftbench.tables import COMPARISON_COLUMNS, comparison_table, cost_table, mixed_hardware, read_table


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    study = write_study(root, datasets=("zeta", "alpha"))
    return study, evaluate_study(study, root / "tables")


@pytest.fixture(scope="module")
def pages(study):
    folder = study[1]["comparison"].parent
    outs = [folder / f"comparison.{suffix}" for suffix in ("md", "tex", "html")]
    comparison_pages(study[1]["comparison"], *outs)
    pairwise_page(study[1]["pairwise"], folder / "pairwise.html")
    cost_page(study[1]["cost"], study[1]["runs"], folder / "cost.html")
    return {path.name: path.read_text() for path in [*outs, folder / "pairwise.html", folder / "cost.html"]}


def test_agreed_columns_first_and_rows_in_config_order(study):
    frame = pd.read_csv(study[1]["comparison"])
    assert list(frame.columns[: len(COMPARISON_COLUMNS)]) == COMPARISON_COLUMNS
    keys = list(frame[["dataset", "backbone", "strategy"]].itertuples(index=False, name=None))
    config = [tuple(cell.values()) for cell in study[0]["cells"]]
    assert keys == [key for key in config if key[0] == "alpha"] + [key for key in config if key[0] == "zeta"]


def test_scores_of_a_cell(study):
    frame = read_table(study[1]["comparison"])
    runs = pd.read_csv(study[1]["runs"])
    partly = frame[frame["status"] == "partly diverged"].iloc[0]
    assert (partly["seeds"], partly["diverged_seeds"]) == (2, 1)
    own = runs[
        (runs["dataset"] == partly["dataset"])
        & (runs["backbone"] == partly["backbone"])
        & (runs["strategy"] == partly["strategy"])
    ]
    assert partly["accuracy_mean"] == pytest.approx(own["accuracy"].mean())
    assert partly["macro_f1"] == pytest.approx(own["macro_f1"].mean())
    gone = frame[frame["status"] == "diverged"].iloc[0]
    assert gone["seeds"] == 0
    assert np.isnan(gone["accuracy_mean"])
    assert gone["train_seconds"] > 0  # what it cost is known all the same
    balanced = frame[frame["status"] != "diverged"]
    assert np.allclose(balanced["macro_recall"], balanced["accuracy_mean"])
    assert (balanced["accuracy_ci_low"] <= balanced["accuracy_mean"]).all()
    assert balanced.groupby("dataset")["recommended"].sum().tolist() == [1, 1]


def test_per_class_and_cost(study):
    per_class = read_table(study[1]["per_class"])
    assert len(per_class) == 4 * 15  # classes x cells with a finished run
    assert (per_class["support"] == 50).all()
    cost = read_table(study[1]["cost"])
    assert np.allclose(cost["total_seconds"], cost["train_seconds"] + cost["tuning_seconds"])
    assert np.allclose(cost["train_seconds"], cost[["loop_seconds", "feature_seconds", "borrowed_seconds"]].sum(axis=1))


def test_operations_energy_and_sizes_of_a_cell(study, tmp_path):
    frame, cells = read_table(study[1]["cost"]), study[0]["cells"]
    assert np.allclose(frame["total_flops"], frame["train_flops"] + frame["tuning_flops"])
    assert frame["energy_wh"].isna().all()
    cost_table(study[1]["runs"], cells, tmp_path / "cost.csv", watts=250.0)
    watted = read_table(tmp_path / "cost.csv")
    assert np.allclose(watted["energy_wh"], 250 * watted["total_seconds"] / 3600)
    assert watted.drop(columns="energy_wh").equals(frame.drop(columns="energy_wh"))
    cost_page(tmp_path / "cost.csv", study[1]["runs"], tmp_path / "cost.html")
    assert "Energy, Wh" in (tmp_path / "cost.html").read_text()


def test_mixed_hardware_is_flagged_in_both_tables_and_one_kind_is_not(study, pages, tmp_path):
    assert "do not compare" not in pages["cost.html"] + pages["comparison.md"]
    runs = pd.read_csv(study[1]["runs"])
    runs.loc[runs["backbone"] == "lite0", "device_name"] = "a GPU"
    runs.to_csv(tmp_path / "runs.csv", index=False)
    comparison_table(tmp_path / "runs.csv", study[1]["cells"], study[0]["cells"], tmp_path / "comparison.csv")
    cost_table(tmp_path / "runs.csv", study[0]["cells"], tmp_path / "cost.csv")
    outs = [tmp_path / f"comparison.{suffix}" for suffix in ("md", "tex", "html")]
    comparison_pages(tmp_path / "comparison.csv", *outs)
    cost_page(tmp_path / "cost.csv", tmp_path / "runs.csv", tmp_path / "cost.html")
    for path in (*outs, tmp_path / "cost.html"):
        assert "do not compare" in path.read_text()


def test_seeds_of_one_cell_on_two_machines_are_mixed_hardware_too():
    frame = pd.DataFrame({"device_name": ["A; B", "A; B"], "threads": ["2", "2"]})
    assert mixed_hardware(frame)
    assert not mixed_hardware(frame.assign(device_name="A"))
    assert mixed_hardware(frame.assign(device_name="A", threads=["2", "4"]))


@pytest.mark.parametrize("number, text", [(0, "0 FLOP"), (2500, "2.5 kFLOP"), (9.6e7, "96 MFLOP"), (3.21e12, "3.21 TFLOP"),
                                          (4e19, "40 EFLOP"), (np.nan, "–")])  # fmt: skip
def test_operations_are_readable(number, text):
    assert operations(number) == text


def test_pages_say_what_the_csv_says(pages):
    for name in ("comparison.md", "comparison.html", "comparison.tex"):
        text = pages[name]
        assert "diverged" in text
        assert "untuned" in text
        assert "edge of its grid" in text
        assert "2 + 1 diverged" in text
    assert r"linear\_probe" in pages["comparison.tex"]
    body = "\n".join(line for line in pages["comparison.tex"].splitlines() if not line.startswith("%"))
    assert "_" not in body.replace(r"\_", "")
    assert body.count(r"\midrule") == 2
    assert pages["comparison.md"].count("\n| ") == 16
    assert "whole study took" in pages["cost.html"]


def test_html_is_self_contained_and_repeats(study, pages, tmp_path):
    for name, text in pages.items():
        if name.endswith("html"):
            assert "<html" in text
            for loader in ("src=", "@import", "<link", "<script"):
                assert loader not in text
    comparison_pages(study[1]["comparison"], tmp_path / "a.md", tmp_path / "a.tex", tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text() == pages["comparison.html"]


def test_a_cell_without_runs_is_named(study, tmp_path):
    cells = [*study[0]["cells"], {"dataset": "alpha", "backbone": "lite0", "strategy": "ghost"}]
    with pytest.raises(InputError, match="ghost"):
        comparison_table(study[1]["runs"], study[1]["cells"], cells, tmp_path / "c.csv")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.71, "0.7 s"),
        (45, "45 s"),
        (130, "2.2 min"),
        (3_000, "50 min"),
        (9_000, "2.5 h"),
        (200_000, "2.3 d"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_counts_and_latex():
    assert [count(n) for n in (130, 5_130, 3_400_000)] == ["130", "5.13 k", "3.4 M"]
    assert escape_latex("a_b 5 % & {x}") == r"a\_b 5 \% \& \{x\}"
