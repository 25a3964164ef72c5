"""Scores of the whole ranking of classes, not of the first place alone: top-5, the area under the ROC curve, and Cohen's kappa."""

import numpy as np
from scipy.special import ndtri  # scipy.stats takes a second to import

from ftbench.evaluate.answers import Answers

TOP, FEW = 5, 10  # with ten classes or fewer, half of all guesses would be among the first five
LEVEL = 0.95


def top5_accuracy(answers: Answers) -> float | None:
    """Share of images whose class is among the five largest logits; None with ten classes or fewer. Ties count against it."""
    if answers.logits.shape[1] <= FEW:
        return None
    true = answers.logits[np.arange(len(answers.labels)), answers.labels]
    above = (answers.logits >= true[:, None]).sum(axis=1)
    return float((above <= TOP).mean())


def auc(answers: Answers) -> float | None:
    """Macro area under the ROC curve, one class against the rest, by its probability (Hand & Till 2001, without pairs).

    The mean over the classes that have test images, but not all of them; None where there is no such class.
    """
    found = _areas(answers)
    return None if found is None else float(found[0])


def auc_low(answers: Answers) -> float | None:
    return _end(answers, -1)


def auc_high(answers: Answers) -> float | None:
    return _end(answers, 1)


def _end(answers: Answers, side: int) -> float | None:
    """An end of the 95 % interval over test images of this one run: DeLong et al. 1988 for the mean over classes, cut to [0, 1]."""
    found = _areas(answers)
    if found is None:
        return None
    mean, influence = found
    error = np.sqrt(influence.var(ddof=1) / len(influence))
    return float(np.clip(mean + side * ndtri((1 + LEVEL) / 2) * error, 0, 1))


def _areas(answers: Answers) -> tuple[float, np.ndarray] | None:
    """The mean area, and what each image adds to it (N,): DeLong's structural components of every class, averaged."""
    labels, images = answers.labels, len(answers.labels)
    classes = [number for number in answers.tested if 0 < (labels == number).sum() < images]
    if not classes:
        return None
    areas, influence = [], np.zeros(images)
    for number in classes:
        scores, positive = answers.log_probabilities[:, number], labels == number
        ranks, own = mean_ranks(scores), np.empty(images)
        own[positive], own[~positive] = mean_ranks(scores[positive]), mean_ranks(scores[~positive])
        positives, negatives = positive.sum(), (~positive).sum()
        # Of a positive, the share of negatives below it; of a negative, the share of positives above it.
        component = np.where(positive, (ranks - own) / negatives, 1 - (ranks - own) / positives)
        area = component[positive].mean()
        areas.append(area)
        influence += (component - area) * images / np.where(positive, positives, negatives)
    return float(np.mean(areas)), influence / len(classes)


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """(N,) ranks from 1, the lowest first; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def kappa(answers: Answers) -> float | None:
    """Cohen's kappa: how far the accuracy lies above what equal shares of answers reach by chance, 1 at most.

    None where chance alone would be right always: one class among labels and answers alike.
    """
    confusion = answers.confusion / answers.confusion.sum()
    expected = float(confusion.sum(axis=0) @ confusion.sum(axis=1))
    return None if expected == 1 else float((np.trace(confusion) - expected) / (1 - expected))


def untested_classes(answers: Answers) -> int:
    """Classes without a test image: no recall, no area and no worst class is known of them."""
    return int(answers.logits.shape[1] - len(answers.tested))
