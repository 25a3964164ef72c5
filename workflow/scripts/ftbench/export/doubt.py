"""What a model knows about its own doubt: from validation logits and features, checked on the test set.

Three answers to "I don't know": a confidence from which on answers are right as often as was promised (`evaluate.promise`), a set of
classes that holds the true one (`evaluate.conformal`), and how unlike the training images an image is: the Euclidean distance of its
features, scaled to length 1, to the k-th nearest training image's (Sun et al. 2022, arXiv:2204.06507).
"""

import math

import numpy as np
from sklearn.metrics import roc_auc_score

from ftbench.base.errors import InputError
from ftbench.evaluate import conformal, promise
from ftbench.evaluate.calibration import fit_temperature, has_mistake
from ftbench.evaluate.probabilities import correct, log_softmax

ALPHAS = (0.1, 0.05)
SHOWN = ("lac", 0.1)  # the sets that predict, serve and the example show: the smallest that hold the truth with 90 %
K = 10  # neighbours
ALARMS = 0.05  # share of validation images, which are like the training images, that are called unlike
NOISE_SEED, NOISE = 20_240_229, 500


def temperature(validation: tuple) -> float:
    """The temperature that the study's calibration table shows for this run."""
    return fit_temperature(*validation[:2])


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    """(N, C) float64."""
    return np.exp(log_softmax(logits.astype(np.float64) / temperature))


def confidence(validation: tuple, test: tuple | None = None, temperature_: float | None = None) -> dict:
    """confidence.json without the distances: temperature, promises and sets, each with what it did on the test set.

    `validation` and `test` are logits (N, C), labels (N,) and ids (N,). The temperature is fitted unless it is given.
    """
    t = temperature(validation) if temperature_ is None else temperature_
    own, labels = probabilities(validation[0], t), validation[1]
    tested = (probabilities(test[0], t), test[1]) if test else None
    return {
        "temperature": t,
        "temperature_defined": bool(has_mistake(*validation[:2])),
        "validation_images": len(labels),
        "promises": [_promise(own, labels, tested, precision) for precision in promise.PROMISES],
        "sets": [_set(own, labels, tested, method, alpha) for method in conformal.METHODS for alpha in ALPHAS],
        "set": _set(own, labels, tested, *SHOWN),
        "unlike": None,
    }


def _promise(own, labels, tested, precision: float) -> dict:
    least = promise.threshold(own.max(1), correct(own, labels), precision)
    told = {"precision": precision, "level": promise.LEVEL, "threshold": least, "test": None}
    if tested:
        told["test"] = promise.checked(tested[0].max(1), correct(*tested), least)
    return told


def _set(own, labels, tested, method: str, alpha: float) -> dict:
    bound = conformal.bound(own, labels, alpha, method)
    told = {"method": method, "alpha": alpha, "bound": bound if math.isfinite(bound) else None, "test": None}
    if tested:
        chosen = conformal.sets(tested[0], bound, method)
        told["test"] = conformal.checked(chosen, tested[1], alpha, len(labels))
    return told


def threshold_for(confidence: dict, validation: tuple | None, precision: float) -> float:
    """The confidence from which on answers are given, at a promised precision. Raises InputError if validation cannot prove it.

    An exported model has only the promises of its file (`validation` None).
    """
    if not 0 < precision < 1:
        raise InputError(f"--unsure {precision:g} is no precision; give a share between 0 and 1, such as 0.95.")
    if validation is None:
        found = {entry["precision"]: entry["threshold"] for entry in confidence["promises"]}
        if precision not in found:
            raise InputError(f"--unsure {precision:g} is not among the promises that were exported; valid are {', '.join(map(str, found))}.")  # fmt: skip
        least = found[precision]
    else:
        own = probabilities(validation[0], confidence["temperature"])
        least = promise.threshold(own.max(1), correct(own, validation[1]), precision)
    if least is None:
        raise InputError(
            f"--unsure {precision:g} cannot be promised: {confidence['validation_images']} validation images prove no such precision at any "
            "confidence; ask for less, or validate on more images."
        )
    return least


def members(probabilities: np.ndarray, entry: dict) -> np.ndarray:
    """(N, C) bool: the classes in each image's set, by an entry of confidence.json."""
    bound = math.inf if entry["bound"] is None else entry["bound"]
    return conformal.sets(probabilities, bound, entry["method"])


def unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def distances(features: np.ndarray, reference: np.ndarray, k: int) -> np.ndarray:
    """(N,) Euclidean distance of features (N, D), scaled to length 1, to the k-th nearest of `reference` (M, D), which are."""
    bank, found = np.asarray(reference, np.float32).T, []
    for first in range(0, len(features), 1024):
        cosines = unit(features[first : first + 1024].astype(np.float32)) @ bank
        found.append(np.partition(cosines, -k, axis=1)[:, -k])
    return np.sqrt(np.maximum(2 - 2 * np.concatenate(found), 0)) if found else np.zeros(0, np.float32)


def noise(size: tuple[int, int]) -> np.ndarray:
    """NOISE images (N, H, W, 3) uint8 of independent uniform pixels: like nothing that was trained on."""
    return np.random.default_rng(NOISE_SEED).integers(0, 256, (NOISE, *size, 3), dtype=np.uint8)


def unlike(reference: np.ndarray, validation: np.ndarray, test: np.ndarray, strange: np.ndarray) -> dict:
    """The distance beyond which an image is called unlike the training images, and how well distances tell noise from test images.

    All are features (N, D). auroc is the probability that an image of noise is farther than a test image.
    """
    k = min(K, len(reference))
    own, tested, far = (distances(features, reference, k) for features in (validation, test, strange))
    threshold = float(np.quantile(own, 1 - ALARMS))
    truth = np.repeat([0, 1], (len(tested), len(far)))
    return {
        "k": k,
        "threshold": threshold,
        "reference_images": len(reference),
        "alarms_validation": ALARMS,
        "alarms_test": float((tested > threshold).mean()),
        "noise": {
            "kind": "independent uniform pixels",
            "images": len(far),
            "auroc": float(roc_auc_score(truth, np.concatenate([tested, far]))),
            "called_unlike": float((far > threshold).mean()),
        },
    }
