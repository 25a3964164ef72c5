"""Test-time augmentation: the image and its mirror image vote with their mean probability.

Krizhevsky et al. 2012 (section 4.1) average the softmax of ten views; the two views here are the part of it that needs no
choice. It is a column of its own: no other score, interval or test of the study uses it.
"""

import numpy as np

from ftbench.metrics import log_softmax


def mean_probabilities(logits: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """(N, C) float64: the mean of the softmax of two logits (N, C) of the same images."""
    return (np.exp(log_softmax(logits)) + np.exp(log_softmax(flipped))) / 2


def tta_accuracy(logits: np.ndarray, flipped: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of the mean probabilities; `labels` (N,) int."""
    return float((mean_probabilities(logits, flipped).argmax(axis=1) == labels).mean())
