"""A whole study of two data sets, from images to tables and figures, and the files that it leaves."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file
from studies import CORRUPT, FIGURES, TABLES, cells, runs, seeds

RUN = ["run.json", "cost.json", "history.csv", "model.safetensors", "val_logits.npz", "test_logits.npz", "metrics.json"]
TRAIN = ["images.npy", "labels.npy", "groups.npy", "classes.json", "files.csv", "train.json", "split.npz"]
TEST = ["test_images.npy", "test_labels.npy", "test_files.csv", "test.json"]
# The columns that users were promised, in this order; more may follow them.
COLUMNS = [
    "dataset",
    "backbone",
    "strategy",
    "seeds",
    "accuracy_mean",
    "accuracy_ci_low",
    "accuracy_ci_high",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "nll",
    "ece",
    "worst_class_accuracy",
    "train_seconds",
    "tuning_seconds",
    "trainable_params",
    "total_params",
    "peak_memory_mb",
    "images_per_second",
]
PARAMETERS = 78_042  # of ResNet-8 with ten outputs


def read(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def study(finished):
    return finished.clone


@pytest.fixture(scope="module")
def comparison(study):
    return pd.read_csv(study.path("tables/comparison.csv")).set_index(["dataset", "backbone", "strategy"])


def test_every_file_of_the_path_grammar_exists(study):
    expected = [f"tables/{name}.{suffix}" for name, suffixes in TABLES.items() for suffix in suffixes]
    expected += ["plots/critical_difference.svg", "summary.html"]
    for dataset in ("digits", "photos"):
        expected += [*(f"plots/{dataset}.{figure}.svg" for figure in FIGURES), f"plots/{dataset}.mistakes.json"]
        expected += [f"data/{dataset}/{name}" for name in [*TRAIN, *TEST, "normalization.json"]]
        audited = ("duplicates.csv", "label_issues.csv", "test_marks.csv", "audit.json")
        expected += [f"data/{dataset}/audit/{name}" for name in audited]
    expected += [f"features/digits/pretrained/{name}" for name in ("train.npy", "test.npy", "transferability.json")]
    expected += [f"runs/{place}/efficiency.json" for place in ("digits/pretrained", "digits/small", "photos/small")]
    for dataset, backbone, strategy, seed in runs():
        expected += [f"runs/{dataset}/{backbone}/{strategy}/seed{seed}/{name}" for name in RUN]
        expected.append(f"tuning/{dataset}/{backbone}/{strategy}/selected.json")
        if strategy in ("finetune", "hopeless", "scratch"):
            expected += [f"tuning/{dataset}/{backbone}/{strategy}/trial{k}/trial.json" for k in (0, 1)]
    assert [name for name in [*expected, "study.json"] if not study.path(name).is_file()] == []
    assert len(list((study.root / "resources/weights/ftbench").glob("resnet8.file-pretrained-*"))) == 2


def test_nothing_else_is_left_behind(study):
    names = [path.name for path in study.root.glob("results/**/*")]
    noted = ".written.jsonl"  # of every file, so that its readers can tell
    assert [name for name in names if name.startswith(".") and name != noted] == []
    assert [name for name in names if name.endswith((".resume", ".failed", ".tmp"))] == []
    found = {path.relative_to(study.path("runs")).as_posix() for path in study.path("runs").glob("*/*/*/*")}
    assert found == {f"{dataset}/{backbone}/{strategy}/seed{seed}" for dataset, backbone, strategy, seed in runs()}


def test_a_second_run_has_nothing_to_do(study):
    assert "Nothing to be done" in study.snakemake()


def test_comparison_has_the_promised_columns_and_one_row_per_cell(study):
    table = pd.read_csv(study.path("tables/comparison.csv"))
    assert list(table.columns[: len(COLUMNS)]) == COLUMNS
    assert set(map(tuple, table[["dataset", "backbone", "strategy"]].to_numpy())) == cells()
    assert len(table) == len(cells())


def test_accuracies_are_plausible(comparison):
    """60 steps stand in for pretraining, and 120 images train the rest: far above chance, and below 1."""
    for cell, least in {
        ("digits", "pretrained", "linear_probe"): 0.7,
        ("digits", "pretrained", "finetune"): 0.5,
        ("digits", "pretrained", "lp_ft"): 0.7,
        ("digits", "small", "scratch"): 0.4,
    }.items():
        row = comparison.loc[cell]
        assert least < row.accuracy_mean < 1, cell
        assert 0 <= row.accuracy_ci_low <= row.accuracy_mean <= row.accuracy_ci_high <= 1, cell
        assert row.seeds == len(seeds(cell[2])), cell
    untrained = comparison.loc[("digits", "small", "tutorial")]  # 14 steps at a learning rate of 0.001
    assert untrained.accuracy_mean < 0.4


def test_parameters_are_those_of_the_strategies(comparison):
    trainable = comparison.loc["digits"].trainable_params.droplevel("backbone")
    assert trainable["linear_probe"] == 650  # 64 features × 10 classes + 10 biases
    assert set(trainable.drop("linear_probe")) == {PARAMETERS}
    assert set(comparison.loc["digits"].total_params) == {PARAMETERS}


def test_costs_are_charged(study, comparison):
    for dataset, backbone, strategy, seed in runs():
        cost = read(study.path(f"runs/{dataset}/{backbone}/{strategy}/seed{seed}/cost.json"))
        assert cost["train_seconds"] > 0, strategy
        assert cost["resumes"] == 0, strategy
    tuning = comparison.tuning_seconds
    assert tuning.loc["digits", "small", "tutorial"] == 0
    assert tuning.loc["digits", "pretrained", "finetune"] > 0
    # lp_ft has no trials of its own and starts from the probe, whose other penalties were tried for it too
    assert tuning.loc["digits", "pretrained", "lp_ft"] >= tuning.loc["digits", "pretrained", "linear_probe"] > 0


def test_scores_follow_from_the_saved_logits(study):
    for dataset, backbone, strategy, seed in runs():
        folder = study.path(f"runs/{dataset}/{backbone}/{strategy}/seed{seed}")
        saved = np.load(folder / "test_logits.npz")
        labels = np.load(study.path(f"data/{dataset}/test_labels.npy"))
        assert np.array_equal(saved["labels"], labels)
        assert np.array_equal(saved["ids"], np.arange(len(labels)))
        if strategy != "hopeless":
            accuracy = (saved["logits"].argmax(1) == labels).mean()
            assert read(folder / "metrics.json")["accuracy"] == pytest.approx(accuracy)
        validation = np.load(folder / "val_logits.npz")
        assert np.array_equal(validation["ids"], np.load(study.path(f"data/{dataset}/split.npz"))["validation"])


def test_images_that_may_be_mirrored_get_test_time_augmentation_and_others_do_not(study, comparison):
    found = {
        path.relative_to(study.path("runs")).as_posix() for path in study.path("runs").rglob("test_logits_flipped.npz")
    }
    assert found == {f"photos/small/scratch/seed{seed}/test_logits_flipped.npz" for seed in (0, 1)}
    assert 0 <= comparison.loc[("photos", "small", "scratch")].tta_accuracy <= 1
    assert comparison.loc["digits"].tta_accuracy.isna().all()


def test_seeds_give_different_networks_and_the_probe_has_one(study):
    folder = study.path("runs/digits/small/scratch")
    first, second = (load_file(folder / f"seed{seed}/model.safetensors") for seed in (0, 1))
    assert not first["conv1.weight"].equal(second["conv1.weight"])
    run = read(study.path("runs/digits/pretrained/linear_probe/seed0/run.json"))
    assert not run["stochastic"]


def test_figures_are_svg(study):
    for path in study.path("plots").glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg"), path


def test_study_json_holds_the_resolved_config(study):
    resolved = read(study.path("study.json"))
    assert resolved["tuning"] == {"trials": 2, "equal_compute": False, "search": "grid", "rungs": 2, "seed": 1000}
    assert resolved["strategies"]["scratch"]["recipe"]["epochs"] == 6
    assert resolved["strategies"]["scratch"]["recipe"]["schedule"] == "cosine"


def test_a_folder_of_images_of_several_sizes_runs_beside_the_digits(study, comparison):
    train, test = (read(study.path(f"data/photos/{part}.json")) for part in ("train", "test"))
    assert train["size"] == test["size"] == [16, 16]
    assert train["per_class"] == {"bright": 12, "dark": 12}
    assert test["per_class"] == {"bright": 6, "dark": 6}
    assert np.load(study.path("data/photos/images.npy")).shape == (24, 16, 16, 3)
    assert comparison.loc[("photos", "small", "scratch")].accuracy_mean > 0.5
    normalization = read(study.path("data/photos/normalization.json"))
    run = read(study.path("runs/photos/small/scratch/seed0/run.json"))
    assert run["normalization"] == {key: normalization[key] for key in ("mean", "std")}


def test_a_corrupt_image_is_skipped_counted_and_named(study):
    assert read(study.path("data/photos/train.json"))["skipped"] == [CORRUPT]
    assert "broken.jpg" in study.path("logs/prepare_train/photos.log").read_text()


def test_a_pretrained_network_keeps_its_own_normalization(study):
    run = read(study.path("runs/digits/pretrained/finetune/seed0/run.json"))
    assert run["normalization"] == {"mean": [0.3, 0.3, 0.3], "std": [0.37, 0.37, 0.37]}


def test_a_diverged_trial_is_recorded_and_not_chosen(study):
    selected = read(study.path("tuning/digits/pretrained/finetune/selected.json"))
    assert [trial["status"] for trial in selected["trials"]] == ["finished", "diverged"]
    assert selected["status"] == "finished"
    assert selected["chosen"] == 0.01
    where = selected["trials"][1]["diverged"]
    assert where["epoch"] == 1
    assert where["step"] >= 1
    assert where["learning_rate"] > 1e7


def test_a_cell_whose_trials_all_diverged_is_a_result(study, comparison):
    for seed in (0, 1):
        folder = study.path(f"runs/digits/pretrained/hopeless/seed{seed}")
        assert read(folder / "run.json")["status"] == "diverged"
        assert np.isnan(np.load(folder / "test_logits.npz")["logits"]).all()
    row = comparison.loc[("digits", "pretrained", "hopeless")]
    assert pd.isna(row.accuracy_mean)
    assert row.diverged_seeds == 2
    assert row.tuning_seconds > 0
    assert comparison.drop(index=("digits", "pretrained", "hopeless")).accuracy_mean.notna().all()
    assert row.status == "diverged"
    for name, row_end in (("comparison.html", "</tr>"), ("comparison.md", "\n"), ("comparison.tex", "\n")):
        (shown,) = (part for part in study.path(f"tables/{name}").read_text().split(row_end) if "hopeless" in part)
        assert "diverged" in shown, name
