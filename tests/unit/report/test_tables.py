import html
import re

import numpy as np
import pandas as pd
import pytest
from unit.synthetic import evaluate_study, write_study

from ftbench.base.errors import InputError
from ftbench.report.classes.per_class_tables import class_pages
from ftbench.report.cost.cost_table import cost_pages, cost_table
from ftbench.report.layout.formats import count, duration, operations
from ftbench.report.layout.frames import mixed_hardware, read_table
from ftbench.report.layout.pages import escape_latex
from ftbench.report.recommendation.recommendation_table import recommendation_pages
from ftbench.report.result.comparison_table import (
    COMPARISON_COLUMNS,
    comparison_pages,
    comparison_table,
    detectable_note,
    folds_note,
)
from ftbench.report.uncertainty.calibration_table import calibration_pages
from ftbench.report.uncertainty.pairwise_table import pairwise_pages
from ftbench.report.uncertainty.ranks_tables import win_tie_loss_pages, win_tie_loss_table

SUFFIXES = {"html": "html", "markdown": "md", "latex": "tex"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    study = write_study(root, datasets=("zeta", "alpha"))
    return study, evaluate_study(
        study, root / "tables", {"small": {"minutes": 5, "parameters": 10**7, "latency_ms": 9}}
    )


def outs(folder, name):
    return {kind: folder / f"{name}.{suffix}" for kind, suffix in SUFFIXES.items()}


@pytest.fixture(scope="module")
def pages(study):
    """{file name: text} of every page, made from the study's tables."""
    paths = study[1]
    folder = paths["comparison"].parent / "pages"
    comparison_pages(paths["comparison"], paths["differences"], outs(folder, "comparison"))
    calibration_pages(paths["comparison"], outs(folder, "calibration"))
    pairwise_pages(paths["pairwise"], outs(folder, "pairwise"))
    cost_pages(paths["cost"], paths["runs"], outs(folder, "cost"))
    class_pages(paths["per_class"], paths["confused"], outs(folder, "per_class"), outs(folder, "confused"))
    recommendation_pages(paths["recommendation"], outs(folder, "recommendation"))
    win_tie_loss_table(paths["pairwise"], folder / "win_tie_loss.csv")
    win_tie_loss_pages(folder / "win_tie_loss.csv", study[0]["strategies"], "No diagram.", outs(folder, "win_tie_loss"))
    return {path.name: path.read_text() for path in folder.glob("[!.]*.*") if path.suffix != ".csv"}


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
    assert (
        (per_class["recall_ci_low"] <= per_class["recall"]) & (per_class["recall"] <= per_class["recall_ci_high"])
    ).all()
    confused = read_table(study[1]["confused"])
    assert confused.groupby(["dataset", "backbone", "strategy"]).size().max() == 5
    assert np.allclose(confused["share"] * 50, confused["images"])
    assert (confused["class"] != confused["predicted"]).all()
    cost, comparison = read_table(study[1]["cost"]), read_table(study[1]["comparison"])
    for name in set(cost) & set(comparison):  # of a cell with a diverged seed too
        assert cost[name].equals(comparison[name]), name
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
    cost_pages(tmp_path / "cost.csv", study[1]["runs"], outs(tmp_path, "cost"))
    assert "Energy, Wh" in (tmp_path / "cost.html").read_text()


def test_the_note_on_detectable_differences_leaves_out_what_no_difference_can_reach():
    comparison = pd.DataFrame(
        {"dataset": "d", "test_images": [100], "test_groups": 100, "of_recipe": True, "stochastic": True, "seeds": [2]}
    )
    pairs = pd.DataFrame({"dataset": "d", "detectable": [0.02, 0.04, 2.5]})
    said = detectable_note(comparison, pairs, "d")
    assert "a true difference of 3.0 points" in said and "2.0 to 4.0 points" in said
    assert "for 1 of 3 pairs the seeds vary so much that no difference could have been detected" in said
    of_models = comparison.assign(of_recipe=False)  # what stands once on trained models does not speak of single seeds
    assert "one seed says" in detectable_note(of_models, pairs, "d")
    assert detectable_note(of_models.assign(stochastic=False), pairs, "d") == said
    assert detectable_note(comparison, pairs[2:], "d").startswith(
        "d, 100 test images, 2 seeds: for 1 of 1 pairs the seeds vary"
    )


def test_a_data_set_in_folds_is_named_below_the_table():
    frame = pd.DataFrame({"dataset": ["d", "e"], "test_folds": [5, 0]})
    assert folds_note(frame, "d").startswith("d: tested in 5 folds, so that every image is answered once for each seed")
    assert folds_note(frame, "e") == ""


def test_mixed_hardware_is_flagged_in_both_tables_and_one_kind_is_not(study, pages, tmp_path):
    assert "do not compare" not in pages["cost.html"] + pages["comparison.md"]
    runs = pd.read_csv(study[1]["runs"])
    runs.loc[runs["backbone"] == "lite0", "device_name"] = "a GPU"
    runs.to_csv(tmp_path / "runs.csv", index=False)
    tables = [study[1][name] for name in ("cells", "differences")]
    comparison_table(tmp_path / "runs.csv", *tables, study[0]["cells"], tmp_path / "comparison.csv")
    cost_table(tmp_path / "runs.csv", study[0]["cells"], tmp_path / "cost.csv")
    comparison = outs(tmp_path, "comparison")
    comparison_pages(tmp_path / "comparison.csv", tables[1], comparison)
    cost_pages(tmp_path / "cost.csv", tmp_path / "runs.csv", outs(tmp_path, "cost"))
    for path in (*comparison.values(), tmp_path / "cost.html"):
        assert "do not compare" in path.read_text()


def test_the_size_of_a_saved_model_is_that_of_a_run_that_finished(study, tmp_path):
    """A diverged run leaves a file without tensors, and it may be a cell's first."""
    runs = pd.read_csv(study[1]["runs"])
    runs.loc[runs["status"] == "diverged", "checkpoint_bytes"] = 104
    runs = runs.sort_values("status", kind="stable")  # diverged before finished
    runs.to_csv(tmp_path / "runs.csv", index=False)
    tables = [study[1][name] for name in ("cells", "differences")]
    comparison_table(tmp_path / "runs.csv", *tables, study[0]["cells"], tmp_path / "comparison.csv")
    cost_table(tmp_path / "runs.csv", study[0]["cells"], tmp_path / "cost.csv")
    status = pd.read_csv(tmp_path / "comparison.csv")["status"]
    assert {"partly diverged", "diverged", "finished"} == set(status)
    for name in ("comparison.csv", "cost.csv"):
        sizes = pd.read_csv(tmp_path / name)["checkpoint_bytes"]
        assert ((sizes == 104) == (status == "diverged")).all()


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


def test_latex_needs_no_package_for_a_sign(pages):
    """pdflatex stops at a sign such as ≤ that is not written as a command."""
    assert "≤ 5.0 min" in pages["recommendation.md"]
    for name in (name for name in pages if name.endswith(".tex")):
        assert [line for line in pages[name].splitlines() if not line.startswith("%") and not line.isascii()] == [], (
            name
        )


def test_every_table_has_its_three_formats_with_the_same_cells(pages):
    names = {name.split(".")[0] for name in pages}
    assert {
        "comparison",
        "calibration",
        "pairwise",
        "cost",
        "per_class",
        "confused",
        "recommendation",
        "win_tie_loss",
    } == names
    for name in names:
        rows = [line.strip("| ").split(" | ") for line in pages[f"{name}.md"].splitlines() if line.startswith("| ")]
        table = pages[f"{name}.html"].split("<tbody>")[1].split("</tbody>")[0]
        found = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("<tr")[1:]]
        assert [[html.unescape(cell) for cell in row] for row in found] == [
            [cell.replace("**", "").replace(r"\|", "|").strip() for cell in row] for row in rows[1:]
        ], name
        assert pages[f"{name}.tex"].count(r" \\") == len(rows), name


def test_numbers_in_html_sort_by_value_not_by_text(pages, study):
    table = pages["comparison.html"].split("<tbody>")[1].split("</tbody>")[0]
    order = [float(value) for value in re.findall(r'data-order="([^"]*)"[^>]*>[^<]*\[', table)]
    frame = read_table(study[1]["comparison"])
    assert order == pytest.approx(frame["accuracy_mean"].dropna().tolist())
    assert table.count("-1e+308") >= 5  # what a diverged cell lacks sorts below all else


def test_html_is_self_contained_small_and_repeats(study, pages, tmp_path):
    for name, text in pages.items():
        if name.endswith("html"):
            page = re.sub(r'<script type="text/plain".*?</script>', "", text, flags=re.S)
            assert "<html" in page
            for loader in ("src=", "@import", "http:", "https:"):
                assert loader not in page
            assert set(re.findall(r'href="([^"]*)"', page)) == {"data:,"}
            assert len(text) < 400_000
    again = outs(tmp_path, "a")
    comparison_pages(study[1]["comparison"], study[1]["differences"], again)
    assert again["html"].read_text() == pages["comparison.html"]


def test_the_comparison_says_what_could_have_been_found(study, pages):
    note = "alpha, 200 test images, 3 seeds: a true difference of "
    for name in ("comparison.md", "comparison.html", "comparison.tex"):
        assert note in pages[name]
    frame = read_table(study[1]["comparison"])
    finished = frame[frame["accuracy_mean"].notna()]
    assert (finished["detectable_difference"] > 0.02).all()


def test_wins_and_losses_mirror_each_other(study, pages):
    frame = pd.read_csv(study[1]["comparison"].parent / "pages/win_tie_loss.csv").set_index(
        ["strategy_a", "strategy_b"]
    )
    for (a, b), row in frame.iterrows():
        other = frame.loc[(b, a)]
        assert (row["wins"], row["ties"], row["losses"]) == (other["losses"], other["ties"], other["wins"])
    pairs = read_table(study[1]["pairwise"]).query("family == 'strategies'")
    assert frame.to_numpy().sum() == 2 * len(pairs)
    assert frame["wins"].sum() == (pairs["p_holm"] < 0.05).sum() > 0


def test_a_cell_without_runs_is_named(study, tmp_path):
    cells = [*study[0]["cells"], {"dataset": "alpha", "backbone": "lite0", "strategy": "ghost"}]
    with pytest.raises(InputError, match="ghost"):
        comparison_table(study[1]["runs"], study[1]["cells"], study[1]["differences"], cells, tmp_path / "c.csv")


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
