"""Which labels look mistaken: confident learning on probabilities that no image had a part in.

The training images are dealt into folds, duplicates into one. Linear probes, fitted on frozen features of all other folds, judge each
fold; those that are fitted on all of them judge the test images. cleanlab (Northcutt et al. 2021, arXiv:1911.00068) says which labels are
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
    judges: list[str]  # the features whose probes answer together, the best first
    accuracy: float  # of the training images, out of fold

    @property
    def said(self) -> str:
        """ "a", or "a, b and c"."""
        return " and ".join(filter(None, (", ".join(self.judges[:-1]), self.judges[-1])))


def judge(
    features: dict[str, tuple[np.ndarray, np.ndarray | None]], labels: np.ndarray, clusters: np.ndarray, classes: int
) -> Judged | None:
    """Judge by the mean probabilities of one probe per kind of features; None without features or with too few images.

    The best features on the first fold, by log loss, judge; the others join in that order as long as the loss of the mean falls.
    `features`: {name: (training (N, D), test (M, D) or None)}; `labels` and `clusters` are (N,), the latter equal for duplicates.
    """
    fold = folds(labels, clusters)
    if not features or len(np.unique(fold)) < FOLDS:
        return None
    tried = {name: _best_strength(vectors, labels, fold, classes) for name, (vectors, _) in features.items()}
    judges = _together({name: answers for name, (_, answers) in tried.items()}, labels[fold == 0])
    probabilities, of_test = np.zeros((len(labels), classes)), None
    for name in judges:
        train, test = features[name]
        for number in range(FOLDS):
            out = fold == number
            fitted = _fit(train[~out], labels[~out], tried[name][0])
            probabilities[out] += _predict(fitted, train[out], classes) / len(judges)
        if test is not None:
            answers = _predict(_fit(train, labels, tried[name][0]), test, classes) / len(judges)
            of_test = answers if of_test is None else of_test + answers
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    judged = Judged(probabilities, of_test, judges, accuracy)
    print(
        f"labels are judged by a linear probe on {judged.said}, right on {accuracy:.1%} of the training images, each out of its fold"
    )
    return judged


def _best_strength(vectors: np.ndarray, labels: np.ndarray, fold: np.ndarray, classes: int) -> tuple[float, np.ndarray]:
    """The strength whose probe has the lowest loss on the first fold, and its probabilities there."""
    out = fold == 0
    answers = {each: _predict(_fit(vectors[~out], labels[~out], each), vectors[out], classes) for each in STRENGTHS}
    best = min(answers, key=lambda each: _loss(answers[each], labels[out]))
    return best, answers[best]


def _together(answers: dict[str, np.ndarray], labels: np.ndarray) -> list[str]:
    """The names whose mean answers have a low loss: the best one, then each next one that lowers it."""
    ranked = sorted(answers, key=lambda name: (_loss(answers[name], labels), name))
    chosen = ranked[:1]
    for name in ranked[1:]:
        before, after = (np.mean([answers[each] for each in names], axis=0) for names in (chosen, [*chosen, name]))
        if _loss(after, labels) < _loss(before, labels):
            chosen.append(name)
    return chosen


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


def _loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean -log of the probability that is given to the labels."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-9)).mean())
