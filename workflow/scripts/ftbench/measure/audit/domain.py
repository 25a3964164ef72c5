"""Whether training and test images come from one source: how well a classifier tells them apart.

An area under the ROC curve of 0.5 is chance. Its null distribution is measured: the same classifier on the same images with shuffled
sides. A small p says that the parts differ; how much, the area says.
"""

import warnings

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

MOST = 2000  # images of each side
DIRECTIONS = 32  # principal components that are kept
FOLDS = 5
SHUFFLES = 100
FEWEST = 20  # images of each side; with fewer nothing is said
SEED = 0


def separability(train: np.ndarray, test: np.ndarray) -> dict | None:
    """{auc, null_low, null_high, p} for features (N, D) and (M, D): the area, the middle 95 % of its null, P(null ≥ area)."""
    if min(len(train), len(test)) < FEWEST:
        return None
    rng = np.random.default_rng(SEED)
    parts = [part[rng.permutation(len(part))[:MOST]] for part in (train, test)]
    vectors = np.concatenate(parts).astype(np.float64)
    vectors = (vectors - vectors.mean(axis=0)) / np.maximum(vectors.std(axis=0), 1e-9)
    kept = min(DIRECTIONS, vectors.shape[1], len(vectors) // 10)
    vectors = PCA(kept, whiten=True, random_state=SEED).fit_transform(vectors)
    side = np.repeat([0, 1], [len(part) for part in parts])
    area = _area(vectors, side)
    null = np.array([_area(vectors, rng.permutation(side)) for _ in range(SHUFFLES)])
    low, high = np.quantile(null, (0.025, 0.975))
    p = (1 + (null >= area).sum()) / (1 + SHUFFLES)
    return {"auc": area, "null_low": float(low), "null_high": float(high), "p": float(p)}


def _area(vectors: np.ndarray, side: np.ndarray) -> float:
    """Area under the ROC curve of out-of-fold scores."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores = cross_val_predict(
            LogisticRegression(max_iter=50),
            vectors,
            side,
            cv=StratifiedKFold(FOLDS, shuffle=True, random_state=SEED),
            method="decision_function",
        )
    return float(roc_auc_score(side, scores))
