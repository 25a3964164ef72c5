"""The sealed test set: nothing that trains or selects depends on a test image, directly or through other jobs.

Only the unopened download is shared by both sides, and the weights file of the user.
"""

import json
import re

import pandas as pd
import pytest
from studies import WEIGHTS, Clone, Node, tiny, write_photos, write_weights

from ftbench.evaluate.metrics import SCORES
from ftbench.tools import command_line

CHOSEN = ("model.safetensors", "selected.json", "trial.json")
TEST_FILES = (
    "test_images.npy",
    "test_labels.npy",
    "test_files.csv",
    "test.json",
    "test.npy",
    "test_flipped.npy",
    "test_cost.json",
    "test_logits",
    "duplicates.csv",
    "label_issues.csv",
    "test_marks.csv",
    "audit.json",
    "corrupted_logits",
    "test_slices",
)
TEST_RULES = (
    "prepare_test",
    "extract_test_features",
    "predict_test",
    "predict_test_features",
    "evaluate",
    "audit_dataset",
    "predict_corrupted",
)


def ancestors(graph: list[Node], target: str) -> tuple[set[str], set[str]]:
    """(files, rules) that `target` depends on, the rule that makes it included."""
    makers = {output: node for node in graph for output in node.outputs}
    files, rules, waiting = set(), set(), [target]
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None:
            rules.add(node.rule)
            waiting += node.inputs - files
            files |= node.inputs
    return files, rules


def broken_seals(graph: list[Node]) -> list[tuple[str, str]]:
    """(chosen file, what it must not depend on) for every model, trial and selected recipe of the graph."""
    broken = []
    for target in sorted(output for node in graph for output in node.outputs if output.endswith(CHOSEN)):
        files, rules = ancestors(graph, target)
        broken += [(target, file) for file in sorted(files) if file.split("/")[-1].startswith(TEST_FILES)]
        broken += [(target, rule) for rule in sorted(rules) if rule.startswith(TEST_RULES)]
    return broken


@pytest.fixture(scope="module")
def graph(finished):
    return finished.clone.graph()


def test_no_model_and_no_recipe_descends_from_a_test_image(graph):
    chosen = [output for node in graph for output in node.outputs if output.endswith(CHOSEN)]
    assert len(chosen) == 13 + 8 + 7  # models, trials, selected recipes
    assert broken_seals(graph) == []


def test_the_graph_is_whole(graph):
    """Every input is made by a job or given by the user: a file that the summary dropped would hide its ancestors."""
    made = {output for node in graph for output in node.outputs}
    given = {file for node in graph for file in node.inputs} - made
    assert given == {"pretrained.safetensors"}
    assert {node.rule for node in graph} >= {"train", "train_trial", "fit_probe", "prepare_test", "predict_test"}


@pytest.mark.parametrize(
    "rule, extra, found",
    [
        ("train", "results/tiny/data/digits/test_images.npy", "test_images.npy"),
        ("train_trial", "results/tiny/data/photos/test_labels.npy", "test_labels.npy"),
        ("select_recipe", "results/tiny/runs/digits/small/scratch/seed0/metrics.json", "evaluate"),
        ("fit_probe", "results/tiny/features/digits/pretrained/test.npy", "extract_test_features"),
        ("split_dataset", "results/tiny/data/digits/test.json", "prepare_test"),  # two jobs above the model
        ("prepare_train", "results/tiny/data/digits/test_files.csv", "test_files.csv"),
    ],
)
def test_the_walk_finds_a_broken_seal(graph, rule, extra, found):
    doctored = [
        Node(node.rule, node.inputs | {extra}, node.outputs) if node.rule == rule else node
        for node in graph
        if not (rule == "prepare_train" and node.rule == "prepare_test")  # else the doctored graph has a circle
    ]
    assert any(what.endswith(found) for _, what in broken_seals(doctored))


def test_no_test_image_was_prepared_while_anything_trained(finished):
    """The same by what was on disk: all models were there before the first test image."""
    names = {name.split("/")[-1] for name in finished.trained}
    assert {"model.safetensors", "selected.json", "trial.json", "val_logits.npz"} <= names
    assert sum(name.endswith("model.safetensors") for name in finished.trained) == 13
    assert [name for name in finished.trained if name.split("/")[-1].startswith("test")] == []


def test_a_seed_with_its_own_split_stands_on_no_other_seeds_split_trial_or_probe(tmp_path):
    """Of a study that has not begun: it has all jobs, also those whose files the shared study would bring along."""
    clone = Clone.of_repository(tmp_path / "clone", tiny() | {"splits": "per_seed"})
    write_weights(clone.root / WEIGHTS)
    write_photos(clone.root / "photos")
    graph = clone.graph_to_run()
    assert broken_seals(graph) == []
    chosen = [output for node in graph for output in node.outputs if output.endswith(CHOSEN)]
    blind = {name for name in chosen if not any(file.endswith("/images.npy") for file in ancestors(graph, name)[0])}
    assert len(blind) == 4 and all(
        name.endswith("selected.json") for name in blind
    )  # of a fixed learning rate: lp_ft, tutorial
    # models of 3 strategies with trials and 2 without on the digits, 1 with on the photos, a probe that has no trial; each for 2 seeds
    assert len(chosen) == 2 * (7 + (2 + 2 + 2 + 2) + 7)
    for target in chosen:
        own = re.search(r"/seed(\d+)/", target)[1]
        seeds = {found for file in ancestors(graph, target)[0] for found in re.findall(r"/seed(\d+)[./]", file)}
        assert seeds <= {own}, target  # of a fixed learning rate, none


def test_predictions_from_outside_keep_the_seal_and_the_scores_of_the_run_that_they_were_written_from(
    clone, monkeypatch
):
    """The photos of both parts have the same names, train/dark/00.png and test/dark/00.png, and stand in one file."""
    monkeypatch.chdir(clone.root)
    written = ["predictions", "tiny", "--dataset", "photos", "--backbone", "small", "--strategy", "scratch"]
    assert command_line.main([*written, "--seed", "0", "cloud.csv"]) == 0
    config = clone.read_config()
    given = {"kind": "predictions", "backbone": "cloud", "values": "logits", "files": {"photos": "cloud.csv"}}
    clone.write_config(config | {"strategies": config["strategies"] | {"api": given}})
    assert broken_seals(clone.graph() + clone.graph_to_run()) == []
    targets = [
        f"results/tiny/{name}"
        for name in (
            "tables/comparison.html",
            "tables/cost.html",
            "tables/recommendation.html",
            "plots/photos.pareto.svg",
        )
    ]
    clone.snakemake(*targets)
    own, again = (clone.path(f"runs/photos/{cell}/seed0") for cell in ("small/scratch", "cloud/api"))
    for name in ("val_logits.npz", "test_logits.npz"):
        assert (own / name).read_bytes() == (again / name).read_bytes()
    scores = [json.loads((folder / "metrics.json").read_text()) | {"tta_accuracy": None} for folder in (own, again)]
    assert scores[0] == scores[1]  # an answer for the mirrored image is not in the file
    runs = (
        pd.read_csv(clone.path("tables/runs.csv"), dtype=str)
        .query("dataset == 'photos' and seed == '0'")
        .set_index("backbone")
    )
    same = [score.name for score in SCORES if score.name in runs and score.name != "tta_accuracy"]
    same += ["validation_accuracy", "validation_balanced_accuracy", "validation_nll"]
    assert runs.loc["small", same].fillna("").tolist() == runs.loc["cloud", same].fillna("").tolist()
    assert (
        runs.loc["cloud", ["train_seconds", "tuning_seconds", "total_params", "latency_ms_batch1", "peak_memory_mb"]]
        .isna()
        .all()
    )
    choice = pd.read_csv(clone.path("tables/recommendation.csv")).query("dataset == 'photos' and budget != 'no limit'")
    assert (choice["cells"] == 1).all() and (choice["best_backbone"] == "small").all()
    page = clone.path("tables/comparison.html").read_text()
    assert "given from outside" in page and "nan" not in re.sub("<[^>]*>", " ", page).lower().split()
    drawn = " ".join(re.findall("<!-- (.*?) -->", clone.path("plots/photos.pareto.svg").read_text()))  # titles wrap
    assert "what it cost is not known: api on cloud" in drawn
    (clone.root / "cloud.csv").write_text((clone.root / "cloud.csv").read_text() + "train/new/1.png,0,0\n")
    assert {job.rule for job in clone.plan("results/tiny/runs/photos/cloud/api/seed0/metrics.json")} == {
        "take_predictions",
        "take_test_predictions",
        "evaluate_once",
    }
