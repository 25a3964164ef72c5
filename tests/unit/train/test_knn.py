"""Neighbours in feature space, against scikit-learn's."""

import numpy as np
import pytest
import small
from sklearn.neighbors import KNeighborsClassifier
from small import probe_job

from ftbench.base.files import read_json
from ftbench.predict import from_features
from ftbench.train import strategies

KNN = strategies.load("knn")


def problem(seed=0, count=120):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    return (rng.normal(size=(count, 8)) + 1.5 * np.eye(3, 8)[labels]).astype(np.float32), labels


@pytest.mark.parametrize("k", [1, 7, 30])
def test_votes_are_those_of_weighted_neighbours_by_cosine(k):
    (features, labels), (queries, _) = problem(0), problem(1, 40)
    logits = KNN.logits(queries, KNN.fit(features, labels, 3, k))
    judge = KNeighborsClassifier(
        k, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07), algorithm="brute"
    )
    shares = judge.fit(features, labels).predict_proba(queries)
    assert logits.dtype == np.float32 and np.allclose(np.exp(logits) - 1e-3, shares, atol=0.02)  # the bank is float16


def test_a_training_image_finds_itself_and_a_class_without_a_vote_stays_finite():
    features, labels = problem()
    logits = KNN.logits(features, KNN.fit(features, labels, 5, 1))
    assert (logits.argmax(1) == labels).all() and np.isfinite(logits).all() and logits.shape == (120, 5)


def test_more_neighbours_than_images_are_all_of_them():
    features, labels = problem(count=12)
    fitted = KNN.fit(features, labels, 3, 500)
    assert np.array_equal(KNN.logits(features, fitted), KNN.logits(features, KNN.fit(features, labels, 3, 12)))


def test_it_is_a_run_like_any_other_that_learned_nothing(tmp_path):
    inputs = small.study(tmp_path / "data") | small.weights(tmp_path)
    paths = probe_job(tmp_path / "knn", inputs, kind="knn", strategy="knn", grid=[1, 5, 20])
    record, selected = read_json(paths["run_json"]), read_json(paths["selected"])
    assert (record["kind"], record["trainable_params"], record["stochastic"]) == ("knn", 0, False)
    assert (
        selected["parameter"] == "k"
        and selected["chosen"] in (1, 5, 20)
        and record["recipe"]["k"] == selected["chosen"]
    )
    out = [str(tmp_path / "test_logits.npz")]
    from_features.predict_from_features("knn", paths["features"], [paths["model"]], inputs["labels"], out)
    split, saved = np.load(inputs["split"]), np.load(paths["val_logits"])
    rows = np.sort(np.concatenate([split["train"], split["validation"]]))
    assert np.allclose(
        np.load(out[0])["logits"][np.searchsorted(rows, split["validation"])], saved["logits"], atol=1e-5
    )
