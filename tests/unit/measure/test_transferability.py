"""LogME and the H-score: closed forms against numerical ones, invariances, and their table."""

import numpy as np
import pandas as pd
import pytest
import small
from scipy import optimize, stats

from ftbench.base.files import read_json, write_json
from ftbench.measure.transferability import h_score, log_maximum_evidence, score_transferability
from ftbench.model.features import extract_features
from ftbench.report.recommendation.transferability_table import sentences, transferability_pages, transferability_table


def blobs(separation: float, images=90, width=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    scales = np.linspace(0.5, 3, width)  # unequal: a covariance like a ball's would be shrunk to nothing
    features = scales * (rng.normal(0, 1, (images, width)) + separation * np.eye(classes, width)[labels])
    return features.astype(np.float32), labels


def evidence(features, target, log_alpha, log_beta) -> float:
    """Log density of the target under its Gaussian marginal, N(0, I/beta + F F'/alpha): no closed form of the weights."""
    alpha, beta = np.exp(np.clip([log_alpha, log_beta], -20, 20))
    covariance = np.eye(len(target)) / beta + features @ features.T / alpha
    return stats.multivariate_normal(np.zeros(len(target)), covariance).logpdf(target)


@pytest.mark.parametrize("width", [6, 40], ids=["more images than features", "more features than images"])
def test_logme_is_the_highest_marginal_density_over_both_precisions(width):
    features, labels = blobs(2.0, images=30, width=width)
    best = []
    for label in range(3):
        target = (labels == label).astype(float)
        found = [
            optimize.minimize(lambda p, t=target: -evidence(features.astype(float), t, *p), start, method="Nelder-Mead")
            for start in ((0.0, 1.0), (3.0, 2.0), (5.0, 1.0))
        ]
        best.append(-min(result.fun for result in found) / 30)
    assert log_maximum_evidence(features, labels, 3) == pytest.approx(np.mean(best), abs=2e-3)


@pytest.mark.parametrize("score", [log_maximum_evidence, h_score])
def test_better_separated_classes_score_higher_and_order_and_rotation_do_not_matter(score):
    values = [score(*blobs(separation), 3) for separation in (0.0, 0.5, 1.0, 2.0, 4.0)]
    assert (np.diff(values) > 0).all()
    features, labels = blobs(1.0)
    order = np.random.default_rng(1).permutation(len(labels))
    rotation = np.linalg.qr(np.random.default_rng(2).normal(0, 1, (6, 6)))[0]
    assert score(features[order], labels[order], 3) == pytest.approx(values[2], rel=1e-6)
    assert score(features @ rotation, labels, 3) == pytest.approx(values[2], rel=1e-4)
    renamed = (labels + 1) % 3
    assert score(features, renamed, 3) == pytest.approx(values[2], rel=1e-6)


def test_h_score_of_perfect_classes_and_without_any():
    features, labels = blobs(200.0, images=3000)
    assert h_score(features, labels, 3) == pytest.approx(2, abs=0.05)  # classes - 1, the most there is
    features, labels = blobs(0.0, images=3000)
    assert h_score(features, labels, 3) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("score", [log_maximum_evidence, h_score])
def test_dead_and_repeated_features_and_more_features_than_images_are_no_obstacle(score):
    features, labels = blobs(1.0, images=30, width=6)
    wide = np.concatenate([features, np.zeros((30, 20), np.float32), features, np.ones((30, 20), np.float32)], axis=1)
    assert np.isfinite(score(wide, labels, 3))
    assert np.isfinite(score(features, np.zeros(30, int), 3))  # two classes without an image


def test_only_training_rows_count(tmp_path):
    inputs = small.study(tmp_path) | small.weights(tmp_path)
    paths = {name: str(tmp_path / name) for name in ("f.npy", "cost.json", "a.json", "b.json")}
    extract_features(small.run("linear_probe"), inputs["images"], inputs["weights"], inputs["record"], paths["f.npy"], paths["cost.json"], inputs["split"])  # fmt: skip
    score_transferability(paths["f.npy"], inputs["labels"], inputs["split"], inputs["classes"], paths["a.json"])
    first = read_json(paths["a.json"])
    assert first["images"] == 42 and first["dimension"] == 64 and first["seconds"] > 0
    features, parts = np.load(paths["f.npy"]), np.load(inputs["split"])
    assert first["logme"] == log_maximum_evidence(
        features[parts["train"]], np.load(inputs["labels"])[parts["train"]], 3
    )
    features[parts["validation"]] = 1e6
    np.save(paths["f.npy"], features)
    score_transferability(paths["f.npy"], inputs["labels"], inputs["split"], inputs["classes"], paths["b.json"])
    assert read_json(paths["b.json"]) | {"seconds": 0} == first | {"seconds": 0}


def table(folder, accuracies, logmes, h_scores=None, metric="accuracy"):
    """transferability_table over one data set: per backbone a probe, an overfitted and a chosen fine-tuning.

    Balanced accuracies on the test set run the other way round.
    """
    rows, scored, cells = [], [], []
    for number, (accuracy, logme) in enumerate(zip(accuracies, logmes)):
        name = f"b{number}"
        cell = {"dataset": "d", "backbone": name}
        rows.append(
            cell
            | {
                "strategy": "probe",
                "kind": "linear_probe",
                "validation_score": 0.5 + number / 100,
                "accuracy_mean": 0.4,
            }
        )
        rows.append(cell | {"strategy": "lucky", "kind": "finetune", "validation_score": 0.6, "accuracy_mean": 0.999})
        rows.append(
            cell | {"strategy": "chosen", "kind": "finetune", "validation_score": 0.7, "accuracy_mean": accuracy}
        )
        cells += [cell | {"strategy": strategy} for strategy in ("lucky", "chosen")]
        write_json(folder / f"{name}.json", {"logme": logme, "h_score": (h_scores or logmes)[number], "seconds": 1.0})
        scored.append({"labels": cell, "scores": str(folder / f"{name}.json")})
    frame = pd.DataFrame(rows)
    frame["balanced_accuracy"] = 1 - frame["accuracy_mean"]
    chosen_by = ["dataset", "backbone", "strategy", "validation_score"]
    frame[chosen_by].to_csv(folder / "cells.csv", index=False)
    frame.drop(columns="validation_score").to_csv(folder / "comparison.csv", index=False)
    paths = [folder / f"{name}.csv" for name in ("comparison", "cells", "t", "c")]
    transferability_table(scored, *paths[:2], cells, metric, *paths[2:])
    return pd.read_csv(folder / "t.csv"), pd.read_csv(folder / "c.csv").set_index("score")


def test_the_measured_accuracy_is_that_of_the_strategy_which_validation_chose(tmp_path):
    frame, correlations = table(tmp_path, [0.8, 0.85, 0.9, 0.95], [1.0, 2.0, 4.0, 3.0])
    assert frame["fine_tuned_strategy"].tolist() == ["chosen"] * 4
    assert frame["fine_tuned_score"].tolist() == [0.8, 0.85, 0.9, 0.95]
    assert frame["probe_validation_score"].tolist() == pytest.approx([0.5, 0.51, 0.52, 0.53])
    # Five of six pairs agree: tau (5 - 1) / 6; one swap of neighbours in four: rho 1 - 6 * 2 / (4 * 15).
    assert correlations.loc["logme", "kendall"] == pytest.approx(2 / 3)
    assert correlations.loc["logme", "spearman"] == pytest.approx(0.8)
    assert correlations.loc["probe_validation_score", "kendall"] == pytest.approx(1)
    # Of the 24 orders of four, one has ρ = 1 and one -1; four have 0.8 or more.
    assert correlations.loc["probe_validation_score", ["kendall_p", "spearman_p"]].tolist() == pytest.approx(
        [1 / 12] * 2
    )
    assert correlations.loc["logme", "spearman_p"] == pytest.approx(2 * 4 / 24)
    said = sentences(correlations.reset_index().assign(kendall_p=0.0004))[0]
    assert "over 4 backbones: LogME τ = +0.67 (p <0.001), ρ = +0.80 (p 0.333)" in said


def test_where_balanced_accuracy_selects_it_is_also_what_is_measured(tmp_path):
    frame, correlations = table(tmp_path, [0.8, 0.85, 0.9, 0.95], [1.0, 2.0, 4.0, 3.0], metric="balanced_accuracy")
    assert frame["fine_tuned_score"].tolist() == pytest.approx([0.2, 0.15, 0.1, 0.05])
    assert correlations.loc["logme", "kendall"] == pytest.approx(-2 / 3)
    transferability_pages(tmp_path / "t.csv", tmp_path / "c.csv", "balanced_accuracy", {"html": tmp_path / "t.html"})
    assert "test scores: balanced accuracy" in (tmp_path / "t.html").read_text()


def test_fewer_than_four_backbones_a_diverged_one_and_equal_scores_give_a_sentence(tmp_path):
    _, correlations = table(tmp_path, [0.8, 0.9, 0.95], [1.0, 2.0, 3.0])
    assert correlations["kendall"].isna().all()
    assert sentences(correlations.reset_index()) == [
        "d: no rank correlation, since there are 3 of at least 4 backbones"
    ]
    frame, correlations = table(tmp_path, [0.8, 0.9, 0.95, 0.97], [1.0, 1.0, 1.0, 1.0])
    assert np.isnan(correlations.loc["logme", "kendall"]) and correlations.loc["probe_validation_score", "kendall"] == 1
    only_equal = correlations.loc[["logme"]].reset_index()
    assert "there are equal scores" in sentences(only_equal)[0]
