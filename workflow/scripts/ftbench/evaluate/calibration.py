"""Does a model know how sure it may be? Calibration errors, reliability bins, and the temperature that mends them.

The temperature is fitted on validation logits and applied to test logits: one number larger than 0 that divides every
logit, so no prediction changes (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2).
"""

import numpy as np

ECE_BINS = 15  # Guo et al. 2017, section 3
# Beyond these a model is all but certain or all but uniform. Validation without a mistake is not fitted at all: T is 1.
TEMPERATURES = (0.01, 100.0)


def nll(log_probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood of the true class, in nats."""
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Multi-class Brier score in [0, 2]: mean over images of the squared distance to the one-hot label (Brier 1950)."""
    # sum_c (p_c - y_c)^2 = sum_c p_c^2 - 2 p_true + 1: no one-hot matrix is needed
    true = probabilities[np.arange(len(labels)), labels]
    return float(((probabilities**2).sum(axis=1) - 2 * true + 1).mean())


def reliability(confidence: np.ndarray, is_correct: np.ndarray, bins: int = ECE_BINS) -> dict[str, np.ndarray]:
    """Images, mean confidence and accuracy of bins of equal width: {"images" (B,) int, "confidence", "accuracy" (B,)}.

    `confidence` (N,) is the largest probability. A bin is closed on the left, and the last on both sides, so that
    confidence 1 belongs to it. An empty bin has NaN means.
    """
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    images = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        return {
            "images": images,
            "confidence": np.bincount(which, weights=confidence, minlength=bins) / images,
            "accuracy": np.bincount(which, weights=is_correct.astype(np.float64), minlength=bins) / images,
        }


def expected_calibration_error(confidence: np.ndarray, is_correct: np.ndarray, bins: int = ECE_BINS) -> float:
    """ECE in [0, 1] (Guo et al. 2017, eq. 3): the gap between confidence and accuracy in the bins of `reliability`,
    weighted by images per bin.
    """
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gap = np.bincount(which, weights=is_correct.astype(np.float64) - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def adaptive_calibration_error(confidence: np.ndarray, is_correct: np.ndarray, bins: int = ECE_BINS) -> float:
    """The same with bins of equal size instead of equal width (Nguyen & O'Connor 2015, section 3.2), of the largest probability alone:
    Nixon et al. 2019 call "adaptive" what also averages over all classes, which this is not.

    Images are sorted by confidence and cut into `bins` groups whose sizes differ by at most one. If most confidences lie
    near 1, equal widths would put nearly all images into one bin. Images of equal confidence share their mean answer, so
    the order in which they come does not matter.
    """
    level, inverse = np.unique(confidence, return_inverse=True)
    answers = np.bincount(inverse, weights=is_correct.astype(np.float64), minlength=len(level)) / np.bincount(inverse)
    rank = np.sort(inverse)
    gap = answers[rank] - level[rank]
    edges = np.linspace(0, len(confidence), min(bins, len(confidence)) + 1).round().astype(np.int64)
    return float(np.abs(np.add.reduceat(gap, edges[:-1])).sum() / len(confidence))


def has_mistake(logits: np.ndarray, labels: np.ndarray) -> bool:
    """Whether some image's true class is not the only largest logit: else every lower temperature has a lower NLL."""
    true = logits[np.arange(len(labels)), labels]
    return bool(((logits >= true[:, None]).sum(axis=1) > 1).any())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature within `TEMPERATURES` at which softmax(logits / T) has the lowest NLL on these images.

    `logits` (N, C) and `labels` (N,) are the validation set's. NLL is convex in 1 / T, so the one minimum is the global one.
    Without a mistake there is none, and the temperature is 1: the logits stay as they are.
    """
    if not has_mistake(logits, labels):
        return 1.0
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    true = shifted[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        beta = np.exp(-log_temperature)
        return float((np.log(np.exp(shifted * beta).sum(axis=1)) - true * beta).mean())

    from scipy.optimize import minimize_scalar  # half a second to import, and most jobs that read this file fit nothing

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))
