"""Scores of one run from its logits and the true labels.

Everything here is a pure function of `logits` (N, C) float and `labels` (N,) int in [0, C). Softmax and its logarithm are
computed in float64: a confident float32 row would round to probability 1 and lose the tail that NLL measures.
"""

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from statsmodels.stats.proportion import proportion_confint

from ftbench.evaluate.calibration import adaptive_calibration_error, brier, expected_calibration_error, log_softmax, nll
from ftbench.evaluate.selective import area, risks

RESAMPLES = 10_000  # the Monte Carlo error of a 2.5 % quantile is then well below the digits that are shown
BOOTSTRAP_SEED = 20_240_229  # fixed, so that equal logits give equal intervals


def correct(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) bool: the largest logit is the true class. Ties go to the lower class number, as `argmax` has it."""
    return logits.argmax(axis=1) == labels


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
    macro_f1, nll, ece, adaptive_ece, brier, aurc, worst_class (class number), worst_class_accuracy, class_gap (best recall of a
    class minus the worst), images, all Python numbers; per_class {precision, recall, recall_low, recall_high, f1, support},
    arrays (C,), where the ends are Wilson's 95 % interval (1927) of this one run, NaN without test images; confusion (C, C) int,
    rows are true classes.
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
    confidence = probabilities.max(axis=1)
    ends = np.full((2, classes), np.nan)
    ends[:, tested] = proportion_confint(np.diag(confusion)[tested], support[tested], method="wilson")
    return {
        "accuracy": float(is_correct.mean()),
        "accuracy_bootstrap_low": low,
        "accuracy_bootstrap_high": high,
        "balanced_accuracy": float(recall[tested].mean()),
        "macro_precision": float(precision[occurs].mean()),
        "macro_recall": float(recall[occurs].mean()),
        "macro_f1": float(f1[occurs].mean()),
        "nll": nll(log_probabilities, labels),
        "ece": expected_calibration_error(confidence, is_correct),
        "adaptive_ece": adaptive_calibration_error(confidence, is_correct),
        "brier": brier(probabilities, labels),
        "aurc": area(risks(confidence, is_correct)),
        "worst_class": worst,
        "worst_class_accuracy": float(recall[worst]),
        "class_gap": float(recall[tested].max() - recall[worst]),
        "images": len(labels),
        "per_class": {
            "precision": precision,
            "recall": recall,
            "recall_low": ends[0],
            "recall_high": ends[1],
            "f1": f1,
            "support": support,
        },
        "confusion": confusion,
    }


def mean_probabilities(logits: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """(N, C) float64: the mean of the softmax of two logits (N, C) of the same images."""
    return (np.exp(log_softmax(logits)) + np.exp(log_softmax(flipped))) / 2


def tta_accuracy(logits: np.ndarray, flipped: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of the mean probabilities; `labels` (N,) int."""
    return float((mean_probabilities(logits, flipped).argmax(axis=1) == labels).mean())
