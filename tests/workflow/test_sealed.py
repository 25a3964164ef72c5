"""The sealed test set: nothing that trains or selects depends on a test image, directly or through other jobs.

Only the unopened download is shared by both sides, and the weights file of the user.
"""

import pytest
from studies import Node

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
