"""From logits to probabilities and answers: what tests, scores and figures all start from.

`logits` are (N, C) float. Softmax and its logarithm are computed in float64: a confident float32 row would round to
probability 1 and lose the tail that NLL measures.
"""

import numpy as np


def correct(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) bool: the largest logit is the true class. Ties go to the lower class number, as `argmax` has it."""
    return logits.argmax(axis=1) == labels


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities (N, C) float64; the row maximum is subtracted first, so no exponent overflows."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def mean_probabilities(logits: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """(N, C) float64: the mean of the softmax of two logits (N, C) of the same images."""
    return (np.exp(log_softmax(logits)) + np.exp(log_softmax(flipped))) / 2
