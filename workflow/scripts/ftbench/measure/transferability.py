"""How promising a frozen backbone's features are, before anything is fine-tuned: LogME and the H-score.

Both are closed forms of the cached features of the training part. They cost seconds, so a user who has a hundred backbones can
learn which few to fine-tune; `ftbench.report.recommendation.transferability_table` compares their order with the one that fine-tuning found.
"""

import time

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage

from ftbench.base.files import read_json, write_json
from ftbench.data.split import training_rows

ITERATIONS = 100  # of LogME's fixed point, which converges in ten or so
TOLERANCE = 1e-3  # of the ratio of its two precisions, as in the authors' own iteration


def log_maximum_evidence(features: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """LogME: the log evidence per image of a Bayesian linear regression of the one-hot labels, mean over classes.

    You et al. 2021 (arXiv:2102.11005, algorithm 1, with the fixed point of arXiv:2110.10545, section 4.3). `features` (N, D),
    `labels` (N,) in [0, classes). The precisions alpha of the weights and beta of the noise maximise the evidence of each class.
    Higher is better.
    """
    images, width = features.shape
    features = features.astype(np.float64)
    if images >= width:  # the smaller of the two matrices of inner products
        squares, directions = np.linalg.eigh(features.T @ features)
    else:
        squares, directions = np.linalg.eigh(features @ features.T)
    seen = squares > squares.max() * max(images, width) * np.finfo(np.float64).eps
    squares, directions = squares[seen], directions[:, seen]
    if images >= width:
        directions = features @ directions / np.sqrt(squares)  # left singular vectors, (N, rank)
    evidences = []
    for label in range(classes):
        target = (labels == label).astype(np.float64)
        projected = (directions.T @ target) ** 2  # of the target's energy, by direction of the features
        outside = max(target @ target - projected.sum(), 0.0)  # what no weight explains
        alpha, beta = 1.0, 1.0
        for _ in range(ITERATIONS):
            ratio = alpha / beta
            effective = (squares / (squares + ratio)).sum()  # number of well-determined weights
            weights = (squares * projected / (squares + ratio) ** 2).sum()  # |m|², the squared norm of the solution
            residual = (projected * (ratio / (squares + ratio)) ** 2).sum() + outside
            alpha = effective / max(weights, 1e-12)
            beta = (images - effective) / max(residual, 1e-12)
            if abs(alpha / beta - ratio) <= TOLERANCE * ratio:
                break
        # Evidence at the fixed point (Bishop 2006, eq. 3.86); directions beyond the rank contribute log(alpha).
        ratio = alpha / beta
        weights = (squares * projected / (squares + ratio) ** 2).sum()
        residual = (projected * (ratio / (squares + ratio)) ** 2).sum() + outside
        rank = len(squares)
        determinant = np.log(alpha + beta * squares).sum() + (width - rank) * np.log(alpha)
        evidence = 0.5 * (
            width * np.log(alpha) + images * np.log(beta) - images * np.log(2 * np.pi)
            - determinant - beta * residual - alpha * weights
        )  # fmt: skip
        evidences.append(evidence / images)
    return float(np.mean(evidences))


def h_score(features: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """H-score: how much of the features' covariance lies between the classes, tr(cov(f)⁻¹ cov(E[f | y])).

    Bao et al. 2019 ("An Information-Theoretic Approach to Transferability"), with the covariance shrunk as in Ibrahim et al. 2022
    (arXiv:2110.06893) by Ledoit and Wolf (2004): with fewer images than features the plain one has no inverse. From 0 to at most
    classes - 1; higher is better.
    """
    features = features.astype(np.float64)
    features = features - features.mean(axis=0)
    images, width = features.shape
    shrinkage = ledoit_wolf_shrinkage(features, assume_centered=True)
    covariance = features.T @ features / images
    mean_variance = np.trace(covariance) / width
    shrunk = (1 - shrinkage) * covariance
    shrunk.flat[:: width + 1] += shrinkage * mean_variance
    means = np.zeros((classes, width))
    for label in range(classes):
        own = labels == label
        if own.any():  # weighted by the class's share
            means[label] = np.sqrt(own.sum() / images) * features[own].mean(axis=0)
    between = means.T @ means
    solved = np.linalg.lstsq(shrunk, between, rcond=None)[0]  # constant features make it singular
    return float((1 - shrinkage) * np.trace(solved))


def score_transferability(features: str, labels: str, split: str, classes: str, out: str) -> None:
    """Write logme, h_score, images, dimension and seconds, from the training rows of the cached `features` alone.

    `features` (N, D) are the rows of `training_rows(split)`. Validation rows are left out: they measure what is chosen.
    """
    start = time.perf_counter()
    rows, parts = training_rows(split), np.load(split)
    train = np.searchsorted(rows, parts["train"])
    vectors, target = np.load(features)[train], np.load(labels)[parts["train"]]
    count = len(read_json(classes))
    scores = {"logme": log_maximum_evidence(vectors, target, count), "h_score": h_score(vectors, target, count)}
    seconds = time.perf_counter() - start
    write_json(out, scores | {"images": len(vectors), "dimension": vectors.shape[1], "seconds": seconds})
    print(f"LogME {scores['logme']:.4f}, H-score {scores['h_score']:.4f}, {seconds:.1f} s")
