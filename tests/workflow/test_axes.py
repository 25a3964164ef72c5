"""Studies along one axis, and a study that starts from the runs of another: augmentation, activations, neighbours, chains."""

import csv
import json
import re

import numpy as np
import pytest
from studies import WEIGHTS, Clone, Node, settings, tiny, write_photos, write_weights
from test_sealed import CHOSEN, ancestors, broken_seals

from ftbench.data.split import digest_of_split


def rows(path) -> list[dict]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def axes(tmp_path_factory) -> Clone:
    network = {"source": "ftbench", "model": "resnet8", "image_size": 8}
    config = settings(
        backbones={name: network | {"activation": name} for name in ("relu", "prelu")},
        strategies={"scratch": {"kind": "scratch", "learning_rate": 0.01, "augmentation": ["none", "trivial_augment"]}},
        exclude=[{"backbone": "prelu", "strategy": "scratch-trivial_augment"}],
    )
    clone = Clone.of_repository(tmp_path_factory.mktemp("axes"), config)
    clone.snakemake("results/tiny/tables/policies.csv", "results/tiny/tables/activations.csv")
    return clone


def test_one_line_of_config_compares_the_policies_of_a_strategy(axes):
    table = rows(axes.path("tables/policies.csv"))
    assert [(row["backbone"], row["strategy"], row["policy"]) for row in table] == [
        ("relu", "scratch", "none"), ("relu", "scratch", "crop_trivial_augment"), ("prelu", "scratch", "none")]  # fmt: skip
    comparison = {(row["backbone"], row["strategy"]): row for row in rows(axes.path("tables/comparison.csv"))}
    for row in table:
        cell = comparison[row["backbone"], f"scratch-{row['policy'].removeprefix('crop_')}"]
        assert row["accuracy_mean"] == cell["accuracy_mean"]
    first, second, _ = table
    gain = float(second["accuracy_mean"]) - float(first["accuracy_mean"])
    assert first["gain"] == "" and float(second["gain"]) == pytest.approx(gain)
    assert float(second["gain_low"]) <= gain <= float(second["gain_high"])
    record = json.loads(axes.path("runs/digits/relu/scratch-trivial_augment/seed0/run.json").read_text())
    assert record["recipe"]["augmentation"] == "crop_trivial_augment"  # digits must not be mirrored
    assert "trivial_augment" in axes.path("plots/digits.policies.svg").read_text()


def test_silent_units_are_counted_before_and_after(axes):
    counted = rows(axes.path("activations/digits/relu/scratch-none.csv"))
    assert {row["when"] for row in counted} == {"before", "after"}
    layers = [row["layer"] for row in counted if row["when"] == "before"]
    assert len(layers) == 7 and all(0 <= float(row["dead"]) <= 1 and 0 < float(row["sparsity"]) < 1 for row in counted)
    assert [row["sparsity"] for row in counted[:7]] != [row["sparsity"] for row in counted[7:]]  # training changed them
    table = rows(axes.path("tables/activations.csv"))
    assert {(row["strategy"], row["activation"]) for row in table} == {
        ("scratch-none", "relu"), ("scratch-trivial_augment", "relu"), ("scratch-none", "prelu")}  # fmt: skip
    record = json.loads(axes.path("runs/digits/prelu/scratch-none/seed0/run.json").read_text())
    plain = json.loads(axes.path("runs/digits/relu/scratch-none/seed0/run.json").read_text())
    assert (
        record["total_params"] == plain["total_params"] + 4
    )  # slopes: the stem's, and one per block, which uses it twice


def test_a_study_starts_from_the_runs_of_another(tmp_path):
    clone = Clone.of_repository(tmp_path / "clone", settings(study="before"))
    clone.snakemake("results/before/runs/digits/small/scratch/seed0/model.safetensors")
    chained = {
        "small": {
            "source": "ftbench",
            "model": "resnet8",
            "image_size": 8,
            "weights": "run:before/digits/small/scratch/0",
        }
    }
    strategies = {"knn": {"kind": "knn", "k": [1, 5]}, "lora": {"kind": "lora", "learning_rate": 0.01, "rank": 2}}
    strategies["last"] = {
        "kind": "last_block",
        "learning_rate": [0.01, 0.003],
        "cached_views": 2,
        "augmentation": "crop",
    }
    study = settings(backbones=chained, strategies=strategies, tuning={"trials": 2})
    clone.write_config(study)
    targets = [f"results/tiny/runs/digits/small/{name}/seed0/metrics.json" for name in strategies]
    clone.snakemake(*targets)
    (path,) = (clone.root / "resources" / "weights" / "ftbench").glob("resnet8.run-*.json")
    weights = json.loads(path.read_text())
    before = json.loads((clone.root / "results/before/runs/digits/small/scratch/seed0/run.json").read_text())
    assert before["digests"]["model_file"] in weights["origin"] and weights["mean"] == before["normalization"]["mean"]
    record = json.loads(clone.path("runs/digits/small/lora/seed0/run.json").read_text())
    assert record["normalization"] == before["normalization"] and record["digests"]["weights"] == weights["sha256"]
    assert 0 < record["trainable_params"] < record["total_params"] == before["total_params"]
    neighbours = json.loads(clone.path("runs/digits/small/knn/seed0/run.json").read_text())
    assert neighbours["trainable_params"] == 0 and neighbours["recipe"]["k"] in (1, 5)
    assert json.loads((clone.root / targets[0]).read_text())["accuracy"] > 0.2  # what was learned before is of use
    check_cached_views(clone, study, targets)
    clone.write_config(study | {"backbones": {"small": chained["small"] | {"model": "resnet14"}}})
    printed = clone.snakemake(*targets, fails=True)
    assert "the run before/digits/small/scratch/0 trained ftbench resnet8, not ftbench resnet14" in printed


def check_cached_views(clone: Clone, study: dict, targets: list[str]) -> None:
    """The frozen part ran once for both trials and the run; who reads it pays for it, and its limit is no reason to run again."""
    (folder,) = clone.path("features/digits/small").glob("*views")
    assert folder.name == "last_block-crop-2views"
    cost = json.loads((folder / "cost.json").read_text())
    parts = np.load(clone.path("data/digits/split.npz"))
    assert cost["images"] == 2 * len(parts["train"]) + len(parts["validation"])
    run = clone.path("runs/digits/small/last/seed0")
    assert json.loads((run / "cost.json").read_text())["view_seconds"] == cost["view_seconds"] > 0
    recipe = json.loads((run / "run.json").read_text())["recipe"]
    assert recipe["cached_views"] == 2 and recipe["learning_rate"] in (0.01, 0.003)
    clone.write_config(study | {"cached_views_gb": 5})
    assert clone.plan(*targets) == []
    efficiency = "results/tiny/runs/digits/small/efficiency.json"
    clone.snakemake(efficiency)
    counted = json.loads((clone.root / efficiency).read_text())
    last, lora = (counted["cells"][name] for name in ("last", "lora"))
    assert last["step_flops"][0] < lora["step_flops"][0] / 2 and last["validation_flops"] < lora["validation_flops"]
    assert last["feature_flops"] == cost["images"] * (
        counted["forward_flops"] - last["validation_flops"] // len(parts["validation"])
    )


def test_weights_that_saw_the_test_images_stop_the_study_before_it_scores(tmp_path):
    """Two divisions of one folder: the second study's test images were trained on by the weights that it starts from.

    In both studies every seed trains, tunes, fits and is scored on a split of its own; where it is allowed, the second one tests in folds.
    """

    def divided(seed: int) -> dict:
        entry = {"source": "imagefolder", "path": "photos/train", "image_size": 8, "on_corrupt": "skip"}
        return {"photos": entry | {"test_fraction": 0.5, "validation_fraction": 0.25, "split_seed": seed}}

    tuned = {"tuning": {"trials": 1}, "strategies": {"scratch": {"kind": "scratch", "learning_rate": [0.01]}}}
    study = settings(study="before", splits="per_seed", datasets=divided(0), **tuned)
    clone = Clone.of_repository(tmp_path / "clone", study)
    write_photos(clone.root / "photos")
    clone.snakemake("results/before/runs/photos/small/scratch/seed0/model.safetensors")
    cell, data = "photos/small/scratch/seed0", clone.root / "results/before/data/photos"
    trial = json.loads((clone.root / f"results/before/tuning/{cell}/trial0/trial.json").read_text())
    run = json.loads((clone.root / f"results/before/runs/{cell}/run.json").read_text())
    own, shared = (digest_of_split(np.load(data / name)) for name in ("splits/seed0.npz", "split.npz"))
    assert trial["digests"]["split"] == run["digests"]["split"] == own != shared and run["seed"] == 0
    small = {"source": "ftbench", "model": "resnet8", "image_size": 8, "weights": "run:before/photos/small/scratch/0"}
    changes = {"datasets": divided(1), "backbones": {"small": small}, "strategies": {"knn": {"kind": "knn", "k": [1]}}}
    study = settings(seeds=[0, 1], splits="per_seed", **changes)
    clone.write_config(study)
    cells = "results/tiny/tables/cells.csv"
    printed = clone.snakemake(cells, fails=True)
    assert re.search(
        r"backbones\.small\.weights is run:before/photos/small/scratch/0, which was trained on \d+ of the", printed
    )
    assert not (clone.root / cells).exists()
    small["seen_test_images"] = "allow"
    photos = divided(1)["photos"] | {"test_fraction": None, "test_folds": 2}
    clone.write_config(study | {"datasets": {"photos": photos}})
    check_folds(clone)
    (row,) = rows(clone.root / cells)
    assert int(row["seen_test_images"]) > 0 and (row["seeds"], row["test_folds"]) == ("2", "2")
    own = "runs/photos-fold1/small/knn/seed{}/run.json"
    fitted = [json.loads(clone.path(own.format(seed)).read_text()) for seed in (0, 1)]
    assert fitted[0]["digests"]["split"] != fitted[1]["digests"]["split"] and all(one["stochastic"] for one in fitted)


def check_folds(clone: Clone) -> None:
    """All of a tiny study whose photos are tested in two folds, except for its figures: every image has the answer of its own fold's networks."""
    tables = [
        f"results/tiny/tables/{name}" for name in ("cells.csv", "comparison.html", "folds.html", "image_facts.csv")
    ]
    clone.snakemake(*tables, "results/tiny/summary.html")
    fold = np.load(clone.path("data/photos/split.npz"))["fold"]
    pooled = np.load(clone.path("runs/photos/small/knn/seed0/test_logits.npz"))
    assert pooled["ids"].tolist() == list(range(len(fold))) and set(fold) == {1, 2}
    contents = {}
    for number in (1, 2):
        own = np.load(clone.path(f"runs/photos-fold{number}/small/knn/seed0/test_logits.npz"))
        assert np.array_equal(pooled["logits"][fold == number], own["logits"])
        for part in ("", "test_"):
            contents[number, part] = [
                row["content"] for row in rows(clone.path(f"data/photos-fold{number}/{part}files.csv"))
            ]
        assert not set(contents[number, ""]) & set(contents[number, "test_"])
    assert sorted(contents[1, "test_"]) == sorted(contents[2, ""])
    table = {row["fold"]: float(row["accuracy"]) for row in rows(clone.path("tables/folds.csv"))}
    images = {str(number): np.sum(fold == number) for number in (1, 2)}
    (row,) = rows(clone.path("tables/comparison.csv"))
    mean = sum(table[number] * images[number] for number in table) / len(fold)
    assert float(row["accuracy_mean"]) == pytest.approx(mean) and row["dataset"] == "photos"
    assert "tested in 2 folds" in clone.path("tables/comparison.html").read_text()
    assert "as 2 folds show it" in clone.path("summary.html").read_text()
    assert clone.plan(*tables) == []
    check_seal(clone.graph(*tables))


def check_seal(graph: list[Node]) -> None:
    """Nothing that is chosen or fitted in a fold stands on a test image, or on anything of another fold."""
    assert broken_seals(graph) == []
    chosen = [
        output for node in graph for output in node.outputs if output.endswith(CHOSEN) and "photos-fold" in output
    ]
    assert len(chosen) == 2 * 2 * 2  # a model and how it was chosen, of each seed in each fold
    for target in chosen:
        own = re.search(r"/photos-fold(\d)/", target)[1]
        files = ancestors(graph, target)[0]
        assert {found for file in files for found in re.findall(r"/photos-fold(\d)/", file)} == {own}, target
        assert f"results/tiny/data/photos-fold{own}/labels.npy" in files


def test_cells_made_of_finished_runs_stand_beside_them_and_are_charged_with_them(tmp_path):
    """An ensemble, a soup and WiSE-FT of two seeds, with flips and on corrupted images; a second start has nothing to do."""
    digits = settings()["datasets"]["digits"] | {"flip": True}
    strategies = {
        "linear_probe": {"kind": "linear_probe"},
        "finetune": {"kind": "finetune", "learning_rate": 0.01},
        "together": {"kind": "ensemble", "of": "finetune"},
        "soup": {"kind": "soup", "of": "finetune"},
        "wise_ft": {"kind": "wise_ft", "of": "finetune", "probe": "linear_probe"},
    }
    study = settings(
        seeds=[0, 1],
        datasets={"digits": digits},
        backbones={"pretrained": tiny()["backbones"]["pretrained"]},
        strategies=strategies,
        corruptions={"enabled": True, "kinds": ["contrast"], "severities": [3], "images": 40},
    )
    clone = Clone.of_repository(tmp_path / "clone", study)
    write_weights(clone.root / WEIGHTS)
    targets = [f"results/tiny/tables/{name}" for name in ("comparison.csv", "robustness.csv")]
    clone.snakemake(*targets)
    table = {row["strategy"]: row for row in rows(clone.root / targets[0])}
    assert list(table) == list(strategies)
    params = {name: float(row["total_params"]) for name, row in table.items()}
    assert params["together"] == 2 * params["finetune"] == 2 * params["soup"] == 2 * params["wise_ft"]
    assert {name: row["seeds"] for name, row in table.items()} == {
        "linear_probe": "1", "finetune": "2", "together": "1", "soup": "1", "wise_ft": "2"}  # fmt: skip
    both = 2 * float(table["finetune"]["train_seconds"])
    assert all(float(table[name]["train_seconds"]) > both for name in ("together", "soup"))
    assert all(row["tta_accuracy"] for row in table.values())
    assert {row["strategy"] for row in rows(clone.root / targets[1])} == set(strategies) - {"together"}
    assert clone.plan(*targets) == []
