"""Whether training and test images come from one source: how well a classifier tells them apart.

An area under the ROC curve of 0.5 is chance. Its null distribution is measured: the same classifier on the same images with shuffled
sides. A small p says that the parts differ; how much, the area says. The classifier is a least-squares discriminant on the first
principal components, judged out of fold; all shuffles are fitted at once.
"""

import numpy as np
from scipy.stats import rankdata

MOST = 2000  # images of each side
DIRECTIONS = 32  # principal components that are kept
FOLDS = 5
SHUFFLES = 200
FEWEST = 20  # images of each side; with fewer nothing is said
SEED = 0


def separability(train: np.ndarray, test: np.ndarray) -> dict | None:
    """{auc, null_low, null_high, p} for features (N, D) and (M, D): the area, the middle 95 % of its null, P(null ≥ area)."""
    if min(len(train), len(test)) < FEWEST:
        return None
    rng = np.random.default_rng(SEED)
    parts = [part[rng.permutation(len(part))[:MOST]] for part in (train, test)]
    side = np.repeat([0.0, 1.0], [len(part) for part in parts])
    vectors = _components(np.concatenate(parts).astype(np.float64))
    sides = np.stack([side, *(rng.permutation(side) for _ in range(SHUFFLES))], axis=1)
    area, *null = _areas(vectors, sides, rng.permutation(np.arange(len(side)) % FOLDS))
    low, high = np.quantile(null, (0.025, 0.975))
    p = (1 + (np.array(null) >= area).sum()) / (1 + SHUFFLES)
    return {"auc": float(area), "null_low": float(low), "null_high": float(high), "p": float(p)}


def _components(vectors: np.ndarray) -> np.ndarray:
    """(N, K) standardized scores of the first principal components of standardized features (N, D)."""
    vectors = (vectors - vectors.mean(axis=0)) / np.maximum(vectors.std(axis=0), 1e-9)
    values, directions = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    kept = min(DIRECTIONS, len(vectors) // 10, int((values > 1e-9 * values.max()).sum()))
    return vectors @ (directions[:, -kept:] / np.sqrt(values[-kept:]))


def _areas(vectors: np.ndarray, sides: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """(S,) area under the ROC curve of out-of-fold scores for each column of sides (N, S); ties count half (Mann-Whitney)."""
    vectors = np.column_stack([vectors, np.ones(len(vectors))])
    scores = np.empty(sides.shape)
    for number in range(FOLDS):
        out = fold == number
        centred = sides[~out] - sides[~out].mean(axis=0)
        scores[out] = vectors[out] @ np.linalg.lstsq(vectors[~out], centred, rcond=None)[0]
    ranks = rankdata(scores, axis=0)
    ones = sides.sum(axis=0)
    return ((ranks * sides).sum(axis=0) - ones * (ones + 1) / 2) / (ones * (len(sides) - ones))
