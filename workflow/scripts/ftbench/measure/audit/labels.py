"""Which labels look mistaken: confident learning on probabilities that no image had a part in.

The training images are dealt into folds, duplicates into one. A linear probe, fitted on frozen features of all other folds, judges each
fold; one that is fitted on all of them judges the test images. cleanlab (Northcutt et al. 2021, arXiv:1911.00068) says which labels are
suspected, and ranks them.
"""

from typing import NamedTuple

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5
STRENGTHS = (0.001, 0.01, 0.1)  # inverse L2 penalties on standardized features, tried on the first fold
STEPS = 100  # of L-BFGS; what the probabilities gain after them is less than another fold's luck
SEED = 0


class Judged(NamedTuple):
    """Probabilities (N, C) of the training images and (M, C) of the test images, and what gave them."""

    train: np.ndarray
    test: np.ndarray | None
    judge: str
    accuracy: float  # of the training images, out of fold


def judge(
    features: dict[str, tuple[np.ndarray, np.ndarray | None]], labels: np.ndarray, clusters: np.ndarray, classes: int
) -> Judged | None:
    """Judge by the features whose probe is best on the first fold, by log loss; None without features or with too few images.

    `features`: {name: (training (N, D), test (M, D) or None)}; `labels` and `clusters` are (N,), the latter equal for duplicates.
    """
    fold = folds(labels, clusters)
    if not features or len(np.unique(fold)) < FOLDS:
        return None
    trials = [
        (_loss(vectors, labels, fold, strength), name, strength)
        for name, (vectors, _) in features.items()
        for strength in STRENGTHS
    ]
    _, name, strength = min(trials)
    train, test = features[name]
    probabilities = np.zeros((len(labels), classes))
    for number in range(FOLDS):
        out = fold == number
        probabilities[out] = _predict(_fit(train[~out], labels[~out], strength), train[out], classes)
    of_test = None if test is None else _predict(_fit(train, labels, strength), test, classes)
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    print(
        f"labels are judged by a linear probe on {name}, right on {accuracy:.1%} of the training images, each out of its fold"
    )
    return Judged(probabilities, of_test, name, accuracy)


def folds(labels: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """(N,) the fold of each image: clusters whole, each class of their first images dealt out evenly."""
    _, first, number = np.unique(clusters, return_index=True, return_inverse=True)
    rng = np.random.default_rng(SEED)
    order = np.lexsort((rng.permutation(len(first)), labels[first]))
    dealt = np.empty(len(first), np.int64)
    dealt[order] = np.arange(len(first)) % FOLDS
    return dealt[number]


def suspected(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Positions of the suspected labels, the worst first: those that both of cleanlab's pruning rules would remove."""
    return find_label_issues(
        labels, probabilities, filter_by="both", return_indices_ranked_by="self_confidence", n_jobs=1
    )


def ranking(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """All positions (N,), the least trusted label first: the probability of the given label."""
    return np.argsort(get_label_quality_scores(labels, probabilities, method="self_confidence"), kind="stable")


def _fit(vectors: np.ndarray, labels: np.ndarray, strength: float) -> Pipeline:
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=STEPS, tol=1e-3))
    return probe.fit(vectors, labels)


def _predict(probe: Pipeline, vectors: np.ndarray, classes: int) -> np.ndarray:
    """(N, classes); 0 for a class that the probe never saw."""
    probabilities = np.zeros((len(vectors), classes))
    probabilities[:, probe.classes_] = probe.predict_proba(vectors)
    return probabilities


def _loss(vectors: np.ndarray, labels: np.ndarray, fold: np.ndarray, strength: float) -> float:
    """Mean -log of the probability that a probe gives the labels of the first fold."""
    out = fold == 0
    probabilities = _predict(_fit(vectors[~out], labels[~out], strength), vectors[out], labels.max() + 1)
    given = probabilities[np.arange(out.sum()), labels[out]]
    return float(-np.log(np.maximum(given, 1e-9)).mean())
