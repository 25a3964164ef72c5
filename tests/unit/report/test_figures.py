import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from matplotlib.figure import Figure
from unit.synthetic import evaluate_study, write_study

from ftbench.base.errors import InputError
from ftbench.base.files import write_json
from ftbench.report.classes.confusion_figure import confusion
from ftbench.report.classes.mistakes_figure import mistakes
from ftbench.report.classes.mistakes_list import find_mistakes, write_mistakes
from ftbench.report.classes.per_class_figure import per_class
from ftbench.report.cost.pareto_figure import pareto
from ftbench.report.cost.pareto_front import cost_of, front
from ftbench.report.data.montage_figure import montage
from ftbench.report.layout.pictures import thumbnail, tile
from ftbench.report.layout.style import TALLEST, line_styles, save
from ftbench.report.protocol.augmentations_figure import augmentations
from ftbench.report.protocol.learning_curves_figure import finding, learning_curves
from ftbench.report.protocol.tuning_figure import tuning
from ftbench.report.result.accuracy_figure import accuracy
from ftbench.report.uncertainty.critical_difference_figure import critical_difference
from ftbench.report.uncertainty.reliability_figure import pooled, reliability
from ftbench.report.uncertainty.risk_coverage_figure import risk_coverage

FIGURES = (
    "learning_curves",
    "tuning",
    "accuracy",
    "pareto",
    "confusion",
    "per_class",
    "montage",
    "augmentations",
    "mistakes",
    "reliability",
    "risk_coverage",
)


def draw(study, tables, folder):
    dataset = study["datasets"][0]
    data, order = study["data"][dataset], (study["strategies"], study["backbones"])
    out = {name: folder / f"{name}.svg" for name in FIGURES}
    learning_curves(study["runs"], dataset, *order, out["learning_curves"])
    tuning(study["selected"], dataset, *order, out["tuning"])
    accuracy(tables["comparison"], tables["runs"], tables["differences"], dataset, *order, out["accuracy"])
    pareto(tables["comparison"], dataset, *order, out["pareto"])
    confusion(study["runs"], tables["cells"], dataset, out["confusion"])
    per_class(tables["per_class"], dataset, out["per_class"])
    montage(
        *(data / name for name in ("images.npy", "labels.npy", "classes.json", "split.npz")), dataset, out["montage"]
    )
    augmentations(data / "augmentations.npz", dataset, out["augmentations"])
    images = np.load(data / "test_images.npy")
    found = find_mistakes(study["runs"], tables["cells"], images, dataset)
    mistakes(found, images, data / "classes.json", dataset, out["mistakes"])
    reliability(study["runs"], dataset, *order, out["reliability"])
    risk_coverage(study["runs"], dataset, *order, out["risk_coverage"])
    return {name: path.read_text() for name, path in out.items()}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    study = write_study(root)
    return study, evaluate_study(study, root / "tables")


@pytest.fixture(scope="module")
def figures(study, tmp_path_factory):
    return draw(*study, tmp_path_factory.mktemp("plots"))


def test_every_figure_is_svg_without_a_date(figures):
    for text in figures.values():
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "<dc:date>" not in text


def test_titles_state_the_finding(figures):
    # Text is drawn as paths, and matplotlib writes it beside them as a comment.
    assert "has the highest mean, " in figures["accuracy"] and "not told apart from it" in figures["accuracy"]
    assert "is most accurate" in figures["pareto"]
    assert "2 of 6 choices on shapes lie at the edge" in figures["tuning"]
    assert "is most often taken for" in figures["confusion"]
    assert "hardest class" in figures["per_class"]
    assert "mistakes on shapes" in figures["mistakes"]
    assert "are balanced: 25 images each" in figures["montage"]
    assert "7 of 7 cells on shapes are too sure" in figures["reliability"]
    assert "lp_ft on res_18 has the lowest area" in figures["risk_coverage"]
    assert "<!-- diverged -->" in figures["accuracy"]


def test_equal_studies_give_equal_bytes(study, figures, tmp_path):
    again = draw(*study, tmp_path)
    assert [name for name in FIGURES if again[name] != figures[name]] == []


def test_a_study_of_two_cells(tmp_path):
    study = write_study(
        tmp_path,
        backbones=("one",),
        strategies=("linear_probe", "finetune"),
        seeds=(0,),
        classes=2,
        images=40,
        diverged_cell=False,
    )
    texts = draw(study, evaluate_study(study, tmp_path / "tables"), tmp_path / "plots")
    assert "finetune on one" in texts["accuracy"]


def tuning_of(strategy, parameter, chosen, at_edge, trials, folder) -> str:
    """The figure of one cell's trials, as text."""
    content = {
        "tuned": True,
        "parameter": parameter,
        "chosen": chosen,
        "at_grid_edge": at_edge,
        "selection_metric": "accuracy",
    }
    write_json(folder / "selected.json", content | {"trials": trials})
    labels = {"dataset": "shapes", "backbone": "res_18", "strategy": strategy}
    entries = [{"labels": labels, "selected": folder / "selected.json"}]
    tuning(entries, "shapes", [strategy], ["res_18"], folder / "tuning.svg")
    return (folder / "tuning.svg").read_text()


def test_tuning_of_neighbours_alone_has_a_panel(tmp_path):
    trials = [{"trial": n, "k": k, "validation_accuracy": a} for n, (k, a) in enumerate([(1, 0.5), (5, 0.7)])]
    drawn = tuning_of("knn", "k", 5, True, trials, tmp_path)
    assert "1 of 1 choices on shapes lies at the edge of its grid" in drawn


def test_a_halving_draws_its_rungs(tmp_path):
    tried = [(0, 0.1, 0.5, 0), (1, 0.2, 0.7, 0), (1, 0.2, 0.9, 1)]
    trials = [{"trial": n, "learning_rate": r, "validation_accuracy": a, "rung": g} for n, r, a, g in tried]
    drawn = tuning_of("finetune", "learning_rate", 0.2, False, trials, tmp_path)
    assert "Fainter: the shorter trials" in drawn


def test_a_study_where_everything_diverged_says_so(tmp_path):
    study = write_study(tmp_path, backbones=("one",), strategies=("finetune",), images=40)
    texts = draw(study, evaluate_study(study, tmp_path / "tables"), tmp_path / "plots")
    for name in ("accuracy", "pareto", "confusion", "per_class", "mistakes", "reliability", "risk_coverage"):
        assert "No run on shapes finished" in texts[name]
    assert "diverged" in texts["learning_curves"]


def test_a_perfect_model_has_no_mistakes_to_draw(tmp_path):
    study = write_study(
        tmp_path, backbones=("one",), strategies=("finetune",), seeds=(0,), images=40, diverged_cell=False
    )
    path = study["runs"][0]["test_logits"]
    saved = dict(np.load(path))
    saved["logits"] = (np.eye(4, dtype=np.float32) * 50)[saved["labels"]]
    np.savez(path, **saved)
    texts = draw(study, evaluate_study(study, tmp_path / "tables"), tmp_path / "plots")
    assert "makes no mistake" in texts["mistakes"]
    assert "No test image is taken for another class" in texts["confusion"]


def test_one_style_per_strategy_by_its_position():
    names = [f"s{number}" for number in range(12)]
    styles = line_styles(names)
    assert styles["s3"] == line_styles(names[:4])["s3"]
    assert len(set(styles.values())) == 12


def test_reliability_pools_runs_by_images_and_drops_thin_bins():
    bins = [
        {"images": [30, 9], "confidence": [0.6, 0.9], "accuracy": [0.5, 1.0]},
        {"images": [10, 0], "confidence": [0.8, None], "accuracy": [0.9, None]},
    ]
    confidence, accuracy = pooled(bins)
    assert confidence == pytest.approx([0.65])
    assert accuracy == pytest.approx([0.6])


def test_front():
    assert front(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 0.4, 0.7, 0.7])) == [0, 2]
    assert front(np.array([2.0, 2.0]), np.array([0.1, 0.9])) == [1]


def test_pictures():
    assert thumbnail(np.zeros((300, 150, 3), np.uint8)).shape == (96, 48, 3)
    canvas, (step, _) = tile([[np.zeros((10, 10, 3), np.uint8), None]])
    assert canvas.shape == (10, 21, 3)
    assert canvas[:, 10:].min() == 255
    assert step == 11


def other_ids(runs: list[dict], folder: Path) -> list[dict]:
    """The same runs, those of seed 1 with answers to other images."""
    moved = []
    for number, run in enumerate(runs):
        if run["labels"]["seed"] == 1:
            saved = dict(np.load(run["test_logits"]))
            saved["ids"] = saved["ids"] + 1
            np.savez(folder / f"{number}.npz", **saved)
            run = run | {"test_logits": folder / f"{number}.npz"}
        moved.append(run)
    return moved


def test_bad_input_is_named(study, tmp_path):
    np.savez(tmp_path / "a.npz", original=np.zeros((1, 4, 4, 3), np.uint8))
    with pytest.raises(InputError, match="at least one policy"):
        augmentations(tmp_path / "a.npz", "shapes", tmp_path / "a.svg")
    with pytest.raises(InputError, match="names test image 199"):
        find_mistakes(study[0]["runs"], study[1]["cells"], np.zeros((3, 4, 4, 3), np.uint8), "shapes")
    with pytest.raises(InputError, match="answers other test images than"):
        runs = other_ids(study[0]["runs"], tmp_path)
        find_mistakes(runs, study[1]["cells"], np.zeros((300, 4, 4, 3), np.uint8), "shapes")


def test_the_list_of_mistakes_names_the_files_of_the_most_confident_ones(study, tmp_path):
    made, tables = study
    data = made["data"]["shapes"]
    images, names = np.load(data / "test_images.npy"), json.loads((data / "classes.json").read_text())
    pd.DataFrame({"id": range(200), "file": [f"test/{k}.png" for k in range(200)]}).to_csv(tmp_path / "f.csv")
    found = find_mistakes(made["runs"], tables["cells"], images, "shapes")
    write_mistakes(found, images, data / "classes.json", tmp_path / "f.csv", tmp_path / "m.json")
    listed = json.loads((tmp_path / "m.json").read_text())
    runs = [one for one in made["runs"] if found.cell.items() <= one["labels"].items()]
    logits = np.stack([np.load(run["test_logits"])["logits"] for run in runs]).astype(float)
    labels = np.load(runs[0]["test_logits"])["labels"]
    wrong = logits.argmax(axis=2) != labels
    assert listed["seeds"] == [run["labels"]["seed"] for run in runs] and len(runs) > 1
    assert (listed["images"], listed["wrong"]) == (200, int((wrong.sum(axis=0) * 2 > len(runs)).sum()))
    assert listed["wrong_of_every_seed"] == wrong.all(axis=0).sum() <= listed["wrong"]
    assert listed["wrong_of_any_seed"] == wrong.any(axis=0).sum() >= listed["wrong"]
    assert len(listed["shown"]) == min(24, listed["wrong"])
    assert sorted(one["confidence"] for one in listed["shown"])[::-1] == [one["confidence"] for one in listed["shown"]]
    mean = (np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)).mean(axis=0)
    for one in listed["shown"]:
        row, said = one["row"], names.index(one["predicted"])
        assert one["file"] == f"test/{row}.png" and one["seeds"] == wrong[:, row].sum() > len(runs) / 2
        assert one["label"] == names[labels[row]] and one["picture"].startswith("data:image/png;base64,")
        assert said != labels[row] and one["confidence"] == pytest.approx(np.delete(mean[row], labels[row]).max())
        assert one["confidence"] == pytest.approx(mean[row, said])
    write_mistakes(None, images, data / "classes.json", tmp_path / "f.csv", tmp_path / "none.json")
    assert json.loads((tmp_path / "none.json").read_text())["shown"] == []


def test_the_cost_axis_is_time_on_equal_hardware_and_operations_on_mixed(study, tmp_path):
    comparison = pd.read_csv(study[1]["comparison"])
    equal = cost_of(comparison)
    assert np.allclose(equal.values, np.maximum(comparison["train_seconds"] + comparison["tuning_seconds"], 0.1))
    comparison.loc[0, "device_name"] = "a GPU"
    mixed = cost_of(comparison)
    assert np.allclose(mixed.values, np.maximum(comparison["train_flops"] + comparison["tuning_flops"], 1))
    comparison.to_csv(tmp_path / "comparison.csv", index=False)
    pareto(tmp_path / "comparison.csv", "shapes", study[0]["strategies"], study[0]["backbones"], tmp_path / "p.svg")
    text = " ".join(re.findall("<!-- (.*?) -->", (tmp_path / "p.svg").read_text()))  # titles wrap
    assert "FLOP" in text and "Cost is in operations" in text


def test_a_cell_of_unknown_cost_has_no_place_on_the_front_and_is_named(study, tmp_path):
    comparison = pd.read_csv(study[1]["comparison"])
    costs = ["train_seconds", "tuning_seconds", "train_flops", "latency_ms_batch1", "total_params", "latency_threads"]
    for rows, said in (
        (comparison.index[:1], "cost is not known: tutorial on lite0."),
        (comparison.index, "No cost is known on shapes"),
    ):
        comparison.loc[rows, costs] = np.nan
        comparison.to_csv(tmp_path / "comparison.csv", index=False)
        pareto(tmp_path / "comparison.csv", "shapes", study[0]["strategies"], study[0]["backbones"], tmp_path / "p.svg")
        assert said in " ".join(re.findall("<!-- (.*?) -->", (tmp_path / "p.svg").read_text()))


def twelve_data_sets() -> pd.DataFrame:
    """The columns of comparison.csv that ranks need: five strategies on twelve data sets, s0 the best on each."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "dataset": f"d{d}",
            "backbone": "b",
            "strategy": f"s{s}",
            "accuracy_mean": 0.9 - 0.05 * s + 0.02 * rng.random(),
        }
        for d in range(12)
        for s in range(5)
    )


def test_critical_difference_is_a_diagram_from_ten_data_sets_on_and_a_sentence_before(tmp_path):
    frame = twelve_data_sets()
    for name, part in (("many", frame), ("few", frame[frame["dataset"].isin(["d1", "d2"])])):
        part.to_csv(tmp_path / f"{name}.csv", index=False)
        critical_difference(tmp_path / f"{name}.csv", [f"s{s}" for s in range(5)], tmp_path / f"{name}.svg")
    few, many = ((tmp_path / f"{name}.svg").read_text() for name in ("few", "many"))
    assert "s0 on b ranks best over 12 data sets" in many
    assert all(f"s{s} on b (" in many or f") s{s} on b" in many for s in range(5))
    assert "No critical-difference diagram" in few
    assert "sets: s0 on b (1.00)" in few


def test_bars_of_a_critical_difference_do_not_depend_on_the_order_of_a_set(tmp_path, monkeypatch):
    twelve_data_sets().to_csv(tmp_path / "ranks.csv", index=False)
    original, bars = scikit_posthocs.critical_difference_diagram, []

    def backwards(*args, **kwargs):
        drawn = original(*args, **kwargs)
        for (bar,) in drawn["crossbars"]:
            bars.append(bar.get_xdata())
            bar.set_xdata(bar.get_xdata()[::-1])
        return drawn

    pages = []
    for number, function in enumerate((original, backwards)):
        monkeypatch.setattr(scikit_posthocs, "critical_difference_diagram", function)
        critical_difference(tmp_path / "ranks.csv", [f"s{s}" for s in range(5)], tmp_path / f"{number}.svg")
        pages.append((tmp_path / f"{number}.svg").read_text())
    assert any(len(set(bar)) > 1 for bar in bars)
    assert pages[0] == pages[1]


def test_a_figure_taller_than_a_laptop_s_window_is_shown_smaller_and_drawn_the_same(tmp_path):
    sizes = {}
    for height in (4, 20):
        save(Figure(figsize=(8, height)), tmp_path / "figure.svg")
        page = (tmp_path / "figure.svg").read_text()
        sizes[height] = [float(value) for value in re.findall(r'(?:width|height)="([\d.]+)pt"', page)[:2]]
        assert f'viewBox="0 0 576 {72 * height}"' in page
    assert sizes[4] == [576, 288]
    assert sizes[20] == pytest.approx([576 * TALLEST / 20, 72 * TALLEST], rel=1e-4)
    assert 96 * TALLEST < 768 - 24  # CSS pixels of the window, less the report's margins


def test_the_title_of_the_learning_curves_speaks_of_all_seeds():
    seeds = {
        ("a", "x"): [(0.99, 6, 10), (0.81, 8, 10)],
        ("a", "y"): [(0.92, 5, 10), (0.94, 5, 10)],
        ("a", "z"): [(0.5, 1, 9)],
    }
    assert finding(seeds, "d").startswith(
        "y on a reaches 93.0 % validation accuracy in the best epochs of 2 seeds, 5 of 10"
    )
    seeds[("a", "z")] = [(0.95, 3, 9)]
    assert finding(seeds, "d") == "z on a reaches 95.0 % validation accuracy in its best epoch, 3 of 9 (d)"
    assert finding({}, "d") == "Every trained run on d diverged"
