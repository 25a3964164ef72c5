"""Selective prediction: what a model's error falls to where it may leave its least sure answers to a human.

Risk is the share of wrong answers among those given, coverage the share of images that are answered, the surest first
(El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks").
"""

import numpy as np

POINTS = 100  # of the curve that is kept: one for each percent of coverage


def risks(confidence: np.ndarray, is_correct: np.ndarray) -> np.ndarray:
    """(N,) risk when the k surest images are answered, k = 1 ... N; the last one is the plain error.

    Equal confidences have no order, so each image of such a group counts with the group's mean error: the expected curve over
    all orders. Saturated models have large groups at confidence 1.
    """
    _, inverse = np.unique(-confidence, return_inverse=True)
    wrong = np.bincount(inverse, weights=~is_correct) / np.bincount(inverse)
    answered = np.arange(1, len(confidence) + 1)
    return np.cumsum(wrong[np.sort(inverse)]) / answered


def area(risk: np.ndarray) -> float:
    """AURC in [0, 1]: the mean risk over all coverages 1/N ... 1, from `risks` (Geifman et al. 2019); lower is better."""
    return float(risk.mean())


def curve(risk: np.ndarray, points: int = POINTS) -> np.ndarray:
    """(points,) risk at coverages 1/points ... 1, at the next whole image."""
    coverage = np.arange(1, points + 1) / points
    return risk[np.maximum(np.ceil(coverage * len(risk) - 1e-9).astype(np.int64), 1) - 1]
