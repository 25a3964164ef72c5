"""Score one run's test logits: `test_logits.npz` in, `metrics.json` out. No model is loaded.

Validation logits are read for one thing: the temperature, which is fitted on them and applied to the test logits.
"""

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.base.logits import load_logits
from ftbench.evaluate.calibration import expected_calibration_error, fit_temperature, log_softmax, nll, reliability
from ftbench.evaluate.metrics import scores, tta_accuracy
from ftbench.evaluate.selective import curve, risks

# What a diverged run has None for, so that every metrics.json has the same keys.
SCORES = (
    "accuracy",
    "accuracy_bootstrap_low",
    "accuracy_bootstrap_high",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "nll",
    "ece",
    "adaptive_ece",
    "brier",
    "aurc",
    "temperature",
    "nll_scaled",
    "ece_scaled",
    "worst_class",
    "worst_class_accuracy",
    "class_gap",
    "per_class",
    "confusion",
    "reliability",
    "reliability_scaled",
    "risk_coverage",
    "tta_accuracy",
)


def _listed(values: np.ndarray) -> list:
    """Values as JSON has them: None for NaN, which alone differs from itself."""
    return [None if value != value else value for value in values.tolist()]


def _bins(confidence: np.ndarray, is_correct: np.ndarray) -> dict[str, list]:
    """Reliability bins as JSON has them: None where a bin is empty."""
    return {name: _listed(values) for name, values in reliability(confidence, is_correct).items()}


def calibrate(
    logits: np.ndarray, labels: np.ndarray, validation_logits: np.ndarray, validation_labels: np.ndarray
) -> dict:
    """What is known of a run's confidences: the temperature that validation asks for, and the test set before and after.

    Returns temperature, nll_scaled, ece_scaled (of softmax(logits / temperature)), reliability and reliability_scaled (bins
    as lists: images, confidence, accuracy), risk_coverage (100 risks, at 1 ... 100 % of the images, by the unscaled confidence).
    No prediction changes: the largest logit stays the largest.
    """
    temperature = fit_temperature(validation_logits, validation_labels)
    is_correct = logits.argmax(axis=1) == labels
    before = np.exp(log_softmax(logits).max(axis=1))
    scaled = log_softmax(logits.astype(np.float64) / temperature)
    after = np.exp(scaled.max(axis=1))
    return {
        "temperature": temperature,
        "nll_scaled": nll(scaled, labels),
        "ece_scaled": expected_calibration_error(after, is_correct),
        "reliability": _bins(before, is_correct),
        "reliability_scaled": _bins(after, is_correct),
        "risk_coverage": curve(risks(before, is_correct)).tolist(),
    }


def evaluate(logits_path, val_logits_path, run_path, classes_path, out, flipped_path=None) -> None:
    """Write the scores of a run as JSON: the scalars of `ftbench.evaluate.metrics.scores`, what `calibrate` returns, and these.

    status "finished" or "diverged" (as in run.json; a diverged run has None for every score), images, per_class (a list of {class,
    precision, recall, recall_low, recall_high, f1, support} in class order), confusion (list of rows, true by predicted),
    worst_class (its name), tta_accuracy (with the logits of the mirrored images, `flipped_path`; None without them).
    Raises InputError where the logits do not fit the classes, or a finished run's logits are not finite.
    """
    logits, labels, _ = load_logits(logits_path)
    status = read_json(run_path)["status"]
    classes = read_json(classes_path)
    if logits.shape[1] != len(classes):
        raise InputError(
            f"{logits_path} has logits for {logits.shape[1]} classes and {classes_path} names {len(classes)}: they must agree."
        )
    if status == "diverged":
        write_json(out, {"status": status, "images": len(labels), **dict.fromkeys(SCORES)})
        return
    validation_logits, validation_labels, _ = load_logits(val_logits_path)
    for path, values in ((logits_path, logits), (val_logits_path, validation_logits)):
        if not np.isfinite(values).all():
            raise InputError(
                f"{path} holds values that are not finite although {run_path} says {status!r}: train this run again."
            )
    result = scores(logits, labels) | calibrate(logits, labels, validation_logits, validation_labels)
    columns = {name: _listed(values) for name, values in result["per_class"].items()}
    result["per_class"] = [
        {"class": name, **{key: values[number] for key, values in columns.items()}}
        for number, name in enumerate(classes)
    ]
    result["confusion"] = result["confusion"].tolist()
    result["worst_class"] = classes[result["worst_class"]]
    result["tta_accuracy"] = tta_accuracy(logits, load_logits(flipped_path)[0], labels) if flipped_path else None
    write_json(out, {"status": status, **result})
