"""Scores of one run from its logits and the true labels.

Everything here is a pure function of `logits` (N, C) float and `labels` (N,) int in [0, C). Softmax and its logarithm are
computed in float64: a confident float32 row would round to probability 1 and lose the tail that NLL measures.
"""

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

ECE_BINS = 15  # Guo et al. 2017, "On Calibration of Modern Neural Networks", section 3
RESAMPLES = 10_000  # the Monte Carlo error of a 2.5 % quantile is then well below the digits that are shown
BOOTSTRAP_SEED = 20_240_229  # fixed, so that equal logits give equal intervals


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities (N, C) float64; the row maximum is subtracted first, so no exponent overflows."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def correct(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) bool: the largest logit is the true class. Ties go to the lower class number, as `argmax` has it."""
    return logits.argmax(axis=1) == labels


def nll(log_probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood of the true class, in nats."""
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Multi-class Brier score in [0, 2]: mean over images of the squared distance to the one-hot label (Brier 1950)."""
    # sum_c (p_c - y_c)^2 = sum_c p_c^2 - 2 p_true + 1: no one-hot matrix is needed
    true = probabilities[np.arange(len(labels)), labels]
    return float(((probabilities**2).sum(axis=1) - 2 * true + 1).mean())


def expected_calibration_error(confidence: np.ndarray, is_correct: np.ndarray, bins: int = ECE_BINS) -> float:
    """ECE in [0, 1] (Guo et al. 2017, eq. 3): the gap between confidence and accuracy, weighted by images per bin.

    `confidence` (N,) is the largest probability. Bins have equal width, are closed on the left, and the last is closed on
    both sides, so that confidence 1 belongs to it.
    """
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gap = np.bincount(which, weights=is_correct.astype(np.float64) - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def bootstrap_interval(right: int, images: int, resamples: int = RESAMPLES, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of an accuracy of `right` out of `images` (Efron 1979).

    The number of right answers in a resample of N images with replacement is Binomial(N, right/N) exactly, so it is drawn
    as such: no (resamples, N) index matrix. It covers the choice of test images only, not the training seed.
    """
    draws = np.random.default_rng(BOOTSTRAP_SEED).binomial(images, right / images, size=resamples) / images
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def scores(logits: np.ndarray, labels: np.ndarray) -> dict:
    """Every score of one run.

    Keys: accuracy, accuracy_bootstrap_low, accuracy_bootstrap_high, balanced_accuracy, macro_precision, macro_recall,
    macro_f1, nll, ece, brier, worst_class (class number), worst_class_accuracy, images, all Python numbers;
    per_class {precision, recall, f1, support}, arrays (C,); confusion (C, C) int, rows are true classes.
    A ratio with nothing below the line is 0 (`zero_division=0`). Macro averages run over the classes that occur among the
    labels or predictions, scikit-learn's default; worst class and balanced accuracy over those that have test images.
    """
    classes = logits.shape[1]
    predicted = logits.argmax(axis=1)
    is_correct = predicted == labels
    log_probabilities = log_softmax(logits)
    probabilities = np.exp(log_probabilities)
    every = np.arange(classes)
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    confusion = confusion_matrix(labels, predicted, labels=every)
    occurs = (support + confusion.sum(axis=0)) > 0
    tested = np.flatnonzero(support)
    worst = int(tested[recall[tested].argmin()])
    low, high = bootstrap_interval(int(is_correct.sum()), len(labels))
    return {
        "accuracy": float(is_correct.mean()),
        "accuracy_bootstrap_low": low,
        "accuracy_bootstrap_high": high,
        "balanced_accuracy": float(recall[tested].mean()),
        "macro_precision": float(precision[occurs].mean()),
        "macro_recall": float(recall[occurs].mean()),
        "macro_f1": float(f1[occurs].mean()),
        "nll": nll(log_probabilities, labels),
        "ece": expected_calibration_error(probabilities.max(axis=1), is_correct),
        "brier": brier(probabilities, labels),
        "worst_class": worst,
        "worst_class_accuracy": float(recall[worst]),
        "images": len(labels),
        "per_class": {"precision": precision, "recall": recall, "f1": f1, "support": support},
        "confusion": confusion,
    }
