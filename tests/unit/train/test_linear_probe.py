"""The linear probe: the optimum it claims, the head it writes, and LP-FT's start from it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from small import PENALTIES, probe_job

from ftbench.base.files import read_json
from ftbench.data.own_split import split_for_seed
from ftbench.model import backbones
from ftbench.predict import from_features
from ftbench.train import fit_on_features, start
from ftbench.train import run as training
from ftbench.train.strategies.linear_probe import fit_head, head_logits


def problem(classes=3, count=150, width=6, seed=0):
    """Features of very different scales, one of them dead, and labels that they half explain."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    features = rng.normal(size=(count, width)) + np.eye(classes, width)[labels]
    features = features * np.logspace(-2, 2, width) + np.linspace(-5, 50, width)
    features[:, -1] = 3.25
    return features.astype(np.float32), labels


def standardisation(features):
    mean, std = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    return mean, np.maximum(std, 0.1 * np.sqrt(np.mean(std**2)))


def unfolded(features, weight, bias):
    """The head in terms of standardised features: the standardisation, taken back out."""
    mean, std = standardisation(features)
    return (features - mean) / std, weight * std, bias + weight.astype(np.float64) @ mean


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("l2", [1e-3, 0.1, 10.0])
def test_the_gradient_of_the_stated_objective_vanishes_at_the_solution(classes, l2):
    features, labels = problem(classes)
    weight, bias = fit_head(features, labels, classes, l2)
    assert weight.dtype == bias.dtype == np.float32 and weight.shape == (classes, 6) and bias.shape == (classes,)
    x, w, b = (torch.from_numpy(np.asarray(part, np.float64)) for part in unfolded(features, weight, bias))
    w.requires_grad_(), b.requires_grad_()
    loss = torch.nn.functional.cross_entropy(x @ w.T + b, torch.from_numpy(labels)) + l2 / 2 * (w**2).sum()
    for gradient in torch.autograd.grad(loss, [w, b]):
        assert gradient.abs().max() < 1e-3


def test_no_other_head_nearby_is_better():
    features, labels = problem()
    x, w, b = unfolded(features, *fit_head(features, labels, 3, 0.05))

    def objective(w, b):
        logits = torch.from_numpy(x @ w.T + b)
        return float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))) + 0.025 * (w**2).sum()

    rng, best = np.random.default_rng(1), objective(w, b)
    for _ in range(50):
        assert objective(w + rng.normal(0, 0.05, w.shape), b + rng.normal(0, 0.05, b.shape)) > best - 1e-6


def test_it_is_scikit_learns_solution_on_standardised_features():
    features, labels = problem(4)
    x, _, _ = unfolded(features, np.zeros((4, 6)), np.zeros(4))
    model = LogisticRegression(C=1 / (0.01 * len(labels)), max_iter=10_000, tol=1e-8).fit(x, labels)
    weight, bias = fit_head(features, labels, 4, 0.01)
    ours = torch.from_numpy(head_logits(features, weight, bias)).softmax(1).numpy()
    assert np.allclose(ours, model.predict_proba(x), atol=2e-3)


def test_without_penalty_and_scale_it_is_plain_logistic_regression():
    rng = np.random.default_rng(3)
    features, labels = rng.normal(size=(300, 4)).astype(np.float32), rng.integers(0, 3, 300)
    model = LogisticRegression(C=np.inf, max_iter=10_000, tol=1e-8).fit(features, labels)
    weight, bias = fit_head(features, labels, 3, 0.0)
    ours = torch.from_numpy(head_logits(features, weight, bias)).softmax(1).numpy()
    assert np.allclose(ours, model.predict_proba(features), atol=2e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_folded_head_gives_the_standardised_models_logits_on_unseen_features(classes):
    features, labels = problem(classes)
    weight, bias = fit_head(features, labels, classes, 0.01)
    unseen = features[:20] + 0.5
    mean, std = standardisation(features)
    _, w, b = unfolded(features, weight, bias)
    logits = head_logits(unseen, weight, bias)
    assert logits.dtype == np.float32
    assert np.allclose(logits, (unseen - mean) / std @ w.T + b, atol=1e-3)


def test_a_feature_that_hardly_ever_fires_does_not_rule_the_images_where_it_does():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    features = (rng.normal(size=(400, 5)) + np.eye(3, 5)[labels]).astype(np.float32)
    rare = np.zeros((400, 1), np.float32)
    rare[labels.argmax()] = 1e-3  # once in 400 images, and very little
    weight, bias = fit_head(np.hstack([features, rare]), labels, 3, 1e-3)
    unseen = np.hstack([features[:50], np.full((50, 1), 0.01, np.float32)])  # ten times what was ever seen
    moved = head_logits(unseen, weight, bias) - head_logits(unseen * [1, 1, 1, 1, 1, 0], weight, bias)
    assert abs(moved).max() < 0.5
    without, bias = fit_head(features, labels, 3, 1e-3)
    assert np.allclose(weight[:, :5], without, atol=0.1)


def test_features_that_are_all_constant_leave_the_class_frequencies():
    labels = np.array([0, 0, 0, 1])
    weight, bias = fit_head(np.ones((4, 3), np.float32), labels, 2, 1e-3)
    assert (weight == 0).all() and np.allclose(np.exp(bias) / np.exp(bias).sum(), [0.75, 0.25], atol=1e-3)


def test_less_penalty_fits_the_training_rows_better():
    features, labels = problem(4)
    losses = []
    for l2 in PENALTIES:
        logits = torch.from_numpy(head_logits(features, *fit_head(features, labels, 4, l2)))
        losses.append(float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))))
    assert losses == sorted(losses)


def test_two_classes_get_two_logits_of_opposite_sign_and_the_right_probabilities():
    features, labels = problem(2)
    weight, bias = fit_head(features, labels, 2, 1e-3)
    assert np.allclose(weight[0], -weight[1])
    logits = head_logits(features, weight, bias)
    assert np.mean(logits.argmax(1) == labels) > 0.6
    rates = torch.from_numpy(logits).softmax(1)[:, 1].numpy()
    assert rates.mean() == pytest.approx(labels.mean(), abs=0.01)  # as the unpenalised bias makes it


def test_the_scale_and_offset_of_a_feature_do_not_matter():
    features, labels = problem()
    scaled = features * np.float32(64) + np.float32(16)
    first, second = (head_logits(f, *fit_head(f, labels, 3, 0.01)[:2]) for f in (features, scaled))
    assert np.allclose(first, second, atol=2e-2)


def test_a_dead_feature_gets_no_weight():
    features, labels = problem()
    assert not fit_head(features, labels, 3, 0.01)[0][:, -1].any()


def test_more_penalty_means_smaller_weights():
    features, labels = problem()
    norms = [
        np.linalg.norm(unfolded(features, *fit_head(features, labels, 3, l2)[:2])[1]) for l2 in (1e-4, 1e-2, 1, 100)
    ]
    assert norms == sorted(norms, reverse=True) and norms[-1] < 0.05


def test_nothing_in_it_is_random():
    features, labels = problem()
    np.random.seed(1)
    first = fit_head(features, labels, 3, 0.01)
    np.random.seed(2)
    second = fit_head(features, labels, 3, 0.01)
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])


# --- the job ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    """(inputs, paths of a fitted probe): features of the small study from "pretrained" weights."""
    folder = tmp_path_factory.mktemp("probe")
    inputs = small.study(folder / "data") | small.weights(folder)
    return inputs, probe_job(folder / "probe", inputs)


def test_the_head_has_the_networks_names_and_gives_the_saved_validation_logits(cell):
    inputs, paths = cell
    head, saved, split = load_file(paths["model"]), np.load(paths["val_logits"]), np.load(inputs["split"])
    assert set(head) == {"fc.weight", "fc.bias"} and head["fc.weight"].shape == (3, 64)
    assert np.array_equal(saved["ids"], split["validation"])
    assert np.array_equal(saved["labels"], np.load(inputs["labels"])[split["validation"]])
    rows = np.sort(np.concatenate([split["train"], split["validation"]]))
    vectors = np.load(paths["features"])[np.searchsorted(rows, split["validation"])]
    assert np.array_equal(saved["logits"], head_logits(vectors, head["fc.weight"].numpy(), head["fc.bias"].numpy()))


def test_the_choice_is_by_validation_and_everything_tried_is_told(cell):
    _, paths = cell
    selected, record = read_json(paths["selected"]), read_json(paths["run_json"])
    assert [trial["l2"] for trial in selected["trials"]] == PENALTIES
    best = max(trial["validation_accuracy"] for trial in selected["trials"])
    assert selected["trials"][selected["trial"]]["validation_accuracy"] == best == record["validation_accuracy"]
    assert selected["chosen"] == selected["trials"][selected["trial"]]["l2"] == record["recipe"]["l2"]
    assert (selected["status"], selected["tuned"], selected["parameter"]) == ("finished", True, "l2")
    assert selected["at_grid_edge"] == (selected["chosen"] in (min(PENALTIES), max(PENALTIES)))
    assert list(pd.read_csv(paths["history"])["l2"]) == PENALTIES


def test_the_record_and_the_cost_are_those_of_a_run(cell):
    inputs, paths = cell
    record, cost = read_json(paths["run_json"]), read_json(paths["cost"])
    assert (record["seed"], record["stochastic"], record["epochs"], record["best_epoch"]) == (0, False, 0, None)
    assert (record["trainable_params"], record["total_params"]) == (64 * 3 + 3, 77_587)
    assert record["digests"]["weights"] == read_json(inputs["record"])["sha256"]
    assert "seconds" not in Path(paths["run_json"]).read_text()
    extraction = read_json(paths["features_cost"])
    assert cost["feature_seconds"] == extraction["feature_seconds"] > 0
    assert cost["train_seconds"] > 0 and cost["tuning_seconds"] > 0 and cost["probe"] is None
    assert cost["peak_memory_mb"] >= extraction["peak_memory_mb"] and cost["resumes"] == 0


def test_a_split_of_its_own_is_fitted_on_the_shared_features_and_counts_as_random(cell, tmp_path):
    inputs, paths = cell
    (tmp_path / "splits").mkdir()
    parts = dict(np.load(inputs["split"]))
    np.savez(tmp_path / "split.npz", **parts, groups=np.arange(len(parts["labels"])))
    own = inputs | {"split": str(tmp_path / "splits" / "seed3.npz")}
    settings = {"validation_fraction": 0.3, "split_seed": 0, "seed": 3}
    split_for_seed(tmp_path / "split.npz", inputs["classes"], settings, own["split"])
    fitted = small.probe_job(tmp_path, own, paths["features"], paths["features_cost"], own_split=True, seed=3)
    record, shared = read_json(fitted["run_json"]), read_json(paths["run_json"])
    assert (record["seed"], record["stochastic"]) == (3, True)
    assert record["identity"] != shared["identity"] and record["digests"]["split"] != shared["digests"]["split"]
    parts = np.load(own["split"])
    assert np.array_equal(np.load(fitted["val_logits"])["ids"], parts["validation"])
    assert record["trained_images" if "trained_images" in record else "images_seen"] == len(parts["train"])


def test_the_same_features_give_the_same_bytes(cell, tmp_path):
    inputs, paths = cell
    again = probe_job(tmp_path / "again", inputs, paths["features"], paths["features_cost"])
    for key in ("model", "val_logits", "run_json"):
        assert Path(paths[key]).read_bytes() == Path(again[key]).read_bytes(), key


@pytest.mark.parametrize(
    "scores, chosen",
    [([0.5, 0.5, 0.5], 10.0), ([0.7, 0.7, 0.1], 0.1), ([0.9, 0.7, 0.8], 0.001), ([0.1, 0.2, 0.2], 10.0)],
)
def test_ties_go_to_the_larger_penalty(cell, tmp_path, monkeypatch, scores, chosen):
    inputs, paths = cell
    given = iter(scores)
    keys = ("validation_accuracy", "validation_balanced_accuracy", "validation_nll")
    monkeypatch.setattr(fit_on_features, "validation_scores", lambda *_: dict(zip(keys, (next(given), 0.5, 1.0))))
    again = probe_job(tmp_path, inputs, paths["features"], paths["features_cost"], grid=[0.001, 0.1, 10.0])
    selected = read_json(again["selected"])
    assert selected["chosen"] == chosen and selected["at_grid_edge"] == (chosen != 0.1)


def test_the_selection_metric_chooses(cell, tmp_path, monkeypatch):
    inputs, paths = cell
    given = iter([(0.9, 0.1), (0.1, 0.9)])
    keys = ("validation_accuracy", "validation_balanced_accuracy", "validation_nll")
    monkeypatch.setattr(fit_on_features, "validation_scores", lambda *_: dict(zip(keys, (*next(given), 1.0))))
    again = probe_job(
        tmp_path,
        inputs,
        paths["features"],
        paths["features_cost"],
        grid=[0.1, 1.0],
        selection_metric="balanced_accuracy",
    )
    assert read_json(again["selected"])["chosen"] == 1.0


def test_a_grid_of_one_has_no_edge(cell, tmp_path):
    inputs, paths = cell
    again = probe_job(tmp_path, inputs, paths["features"], paths["features_cost"], grid=[0.1])
    assert read_json(again["selected"])["at_grid_edge"] is False


# --- what is built on it ---------------------------------------------------------------------------------------------


def test_lp_ft_starts_with_the_probes_own_logits(cell):
    inputs, paths = cell
    given = inputs | {"probe": {"model": paths["model"], "cost": paths["cost"]}}
    run, split = small.run("lp_ft", seed=5), np.load(inputs["split"])
    for channels_last, crop in ((True, True), (False, False)):
        machine = run | {"channels_last": channels_last, "crop_kernels": crop}
        backbone = start.build(machine, given, 3, read_json(inputs["record"]))
        backbones.prepare(backbone, machine, torch.device("cpu"))
        images = torch.from_numpy(np.load(inputs["images"])[split["validation"]])
        logits, _ = backbones.predict(backbone, [images], torch.autocast("cpu", enabled=False))
        assert np.abs(logits - np.load(paths["val_logits"])["logits"]).max() < 1e-4


def test_lp_ft_is_charged_the_probe_and_bound_to_it(cell, tmp_path):
    inputs, paths = cell
    given = inputs | {"probe": {"model": paths["model"], "cost": paths["cost"]}}
    run, outputs = small.run("lp_ft", recipe={"epochs": 1}), small.outputs(tmp_path)
    recipe = small.selected(tmp_path / "selected.json", run["recipe"])
    training.train(run=run, code="c", inputs=given, recipe=recipe, **outputs)
    cost, record = read_json(outputs["cost"]), read_json(outputs["run_json"])
    assert cost["probe"] == {"cost": read_json(paths["cost"]), "tuning_seconds": read_json(paths["cost"])["tuning_seconds"]}  # fmt: skip
    assert record["digests"]["probe"] == read_json(paths["run_json"])["digests"]["model_file"]
    assert record["trainable_params"] == record["total_params"]


def test_a_head_under_other_names_is_an_error_not_a_random_start(cell, tmp_path):
    inputs, paths = cell
    save_file({f"classifier.{k}": v for k, v in load_file(paths["model"]).items()}, tmp_path / "head.safetensors")
    given = inputs | {"probe": {"model": str(tmp_path / "head.safetensors"), "cost": paths["cost"]}}
    with pytest.raises(RuntimeError, match="classifier.fc.weight"):
        start.build(small.run("lp_ft"), given, 3, read_json(inputs["record"]))


def test_test_logits_from_features_are_those_of_the_whole_network(cell, tmp_path):
    inputs, paths = cell
    pixels, labels = small.images(15, seed=9)
    backbone = start.build(small.run("lp_ft"), inputs | {"probe": {"model": paths["model"]}}, 3, small.STATISTICS)
    expected, vectors = backbones.predict(
        backbone, [torch.from_numpy(pixels)], torch.autocast("cpu", enabled=False), features=True
    )
    np.save(tmp_path / "test.npy", vectors)
    np.save(tmp_path / "labels.npy", labels)
    out = str(tmp_path / "test_logits.npz")
    from_features.predict_from_features(
        "linear_probe", str(tmp_path / "test.npy"), [paths["model"]], str(tmp_path / "labels.npy"), [out]
    )
    saved = np.load(out)
    assert np.allclose(saved["logits"], expected, atol=1e-4) and saved["logits"].dtype == np.float32
    assert np.array_equal(saved["labels"], labels) and np.array_equal(saved["ids"], np.arange(15))
