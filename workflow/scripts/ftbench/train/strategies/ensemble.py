"""Ensemble: the networks of all seeds of another strategy answer together, by the mean of their probabilities.

Lakshminarayanan et al. 2017 (arXiv:1612.01474). Nothing is trained or chosen anew. An answer costs as many forward passes as there are
networks, and so do parameters, bytes and training: all of it is charged.
"""

import numpy as np

DECLARES = {
    "start": "of",
    "engine": "runs",
    "tuned": None,
    "stochastic": False,
    "recipe": {},
    "together": True,
}


def answers(logits: np.ndarray) -> np.ndarray:
    """Logits (K, N, C) of K networks -> (N, C) float32, the logarithm of the mean of their probabilities."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.logaddexp.reduce(log_probabilities, axis=0).astype(np.float32) - np.float32(np.log(len(logits)))
