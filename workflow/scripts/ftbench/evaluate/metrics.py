"""Every score of a run, a row of `SCORES` each: metrics.json, the CSV tables and the pages take theirs from it.

To add a score: write its function, a pure one of the run's `Answers`; add its row; give it a line with an example by hand
in docs/metrics.md.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from ftbench.evaluate.answers import Answers
from ftbench.evaluate.calibration import (
    adaptive_calibration_error,
    brier,
    expected_calibration_error,
    has_mistake,
    nll,
    reliability,
)
from ftbench.evaluate.probabilities import mean_probabilities
from ftbench.evaluate.ranking import auc, auc_high, auc_low, kappa, top5_accuracy, untested_classes
from ftbench.evaluate.selective import area, curve, risks
from ftbench.evaluate.wilson import wilson

RESAMPLES = 10_000  # the Monte Carlo error of a 2.5 % quantile is then well below the digits that are shown
Z_95 = float(ndtri(0.975))  # scipy.stats takes a second to import
BOOTSTRAP_SEED = 20_240_229  # fixed, so that equal logits give equal intervals

# How the scores of a cell's finished seeds become one number of the cell.
MEAN = "mean"
MODE = "most frequent"
INTERVAL = "mean with the crossed interval of ftbench.compare.statistics"
KEPT = "none: it stays in metrics.json"
# What a score needs beside the test logits.
VALIDATION, MIRRORED = "validation", "mirrored"


class Score(NamedTuple):
    """One score: where its value comes from, how the tables average it, and how readers see it."""

    name: str  # its key in metrics.json, and its column in the CSV tables
    of: Callable[[Answers], Any]
    kind: str = MEAN
    heading: str = ""  # of its column in the pages, without the unit
    unit: str = ""  # "%" and "points" show a fraction times 100
    spec: str = ".1f"  # of the number in the pages
    comparison: int = 0  # its place among the scores of the comparison page, 1 to n without a gap; 0: it is not there
    calibration: int = 0  # the same for the calibration page
    needs: str = ""  # VALIDATION or MIRRORED; the score is None without it


def bootstrap_interval(right: int, images: int, resamples: int = RESAMPLES, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of an accuracy of `right` out of `images` (Efron 1979).

    The number of right answers in a resample of N images with replacement is Binomial(N, right/N) exactly, so it is drawn
    as such: no (resamples, N) index matrix. It covers the choice of test images only, not the training seed.
    """
    draws = np.random.default_rng(BOOTSTRAP_SEED).binomial(images, right / images, size=resamples) / images
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def accuracy(answers: Answers) -> float:
    return float(answers.is_correct.mean())


def bootstrap_low(answers: Answers) -> float:
    return bootstrap_interval(int(answers.is_correct.sum()), len(answers.labels))[0]


def bootstrap_high(answers: Answers) -> float:
    return bootstrap_interval(int(answers.is_correct.sum()), len(answers.labels))[1]


def balanced_accuracy(answers: Answers) -> float:
    """Mean recall of the classes that have test images."""
    return float(answers.by_class["recall"][answers.tested].mean())


def macro(part: str) -> Callable[[Answers], float]:
    """The mean of "precision", "recall" or "f1" over the classes that occur among labels or predictions, as scikit-learn
    has it by default.
    """

    def mean(answers: Answers) -> float:
        occurs = (answers.by_class["support"] + answers.confusion.sum(axis=0)) > 0
        return float(answers.by_class[part][occurs].mean())

    return mean


def worst_class(answers: Answers) -> int:
    """The number of the class with the lowest recall, among those that have test images."""
    return int(answers.tested[answers.by_class["recall"][answers.tested].argmin()])


def worst_class_accuracy(answers: Answers) -> float:
    return float(answers.by_class["recall"][worst_class(answers)])


def class_gap(answers: Answers) -> float:
    """The best recall of a class minus the worst."""
    return float(answers.by_class["recall"][answers.tested].max() - worst_class_accuracy(answers))


def per_class(answers: Answers) -> dict[str, np.ndarray]:
    """precision, recall, recall_low, recall_high, f1 and support, (C,) each. The ends are Wilson's 95 % interval (1927) of
    this one run; NaN without test images.
    """
    tested, support = answers.tested, answers.by_class["support"]
    ends = np.full((2, len(support)), np.nan)
    images = support[tested]
    ends[:, tested] = wilson(np.diag(answers.confusion)[tested] / images, Z_95**2 / images)
    return answers.by_class | {"recall_low": ends[0], "recall_high": ends[1]}


def listed(values: np.ndarray) -> list:
    """Values as JSON has them: None for NaN, which alone differs from itself."""
    return [None if value != value else value for value in values.tolist()]


def bins(confidence: np.ndarray, is_correct: np.ndarray) -> dict[str, list]:
    """Reliability bins as JSON has them; an empty bin has None."""
    return {name: listed(values) for name, values in reliability(confidence, is_correct).items()}


def temperature_helps(answers: Answers) -> int:
    """1 if the temperature is defined and the test images' NLL is not worse at it; 0 where it is not to be used."""
    worse = nll(answers.scaled, answers.labels) > nll(answers.log_probabilities, answers.labels)
    return int(has_mistake(*answers.validation) and not worse)


def tta_accuracy(answers: Answers) -> float:
    """Accuracy of the mean probabilities of an image and its mirror image."""
    mean = mean_probabilities(answers.logits, answers.mirrored)
    return float((mean.argmax(axis=1) == answers.labels).mean())


# fmt: off
SCORES = (
    Score("accuracy", accuracy, INTERVAL),
    Score("accuracy_bootstrap_low", bootstrap_low),
    Score("accuracy_bootstrap_high", bootstrap_high),
    Score("balanced_accuracy", balanced_accuracy),
    Score("macro_precision", macro("precision")),
    Score("macro_recall", macro("recall")),
    Score("macro_f1", macro("f1"), heading="Macro F1", unit="%", comparison=2),
    Score("top5_accuracy", top5_accuracy, heading="Top-5", unit="%", comparison=7),
    Score("auc", auc, heading="AUC", unit="%", comparison=8),
    Score("auc_low", auc_low),
    Score("auc_high", auc_high),
    Score("kappa", kappa, heading="Kappa", spec=".3f", comparison=9),
    Score("untested_classes", untested_classes),
    Score("nll", lambda a: nll(a.log_probabilities, a.labels),
          heading="NLL", unit="nats", spec=".3f", comparison=5, calibration=1),
    Score("ece", lambda a: expected_calibration_error(a.confidence, a.is_correct),
          heading="ECE", unit="%", comparison=6, calibration=3),
    Score("adaptive_ece", lambda a: adaptive_calibration_error(a.confidence, a.is_correct),
          heading="Adaptive ECE", unit="%", calibration=4),
    Score("brier", lambda a: brier(a.probabilities, a.labels),
          heading="Brier", spec=".3f", calibration=2),
    Score("aurc", lambda a: area(risks(a.confidence, a.is_correct)), heading="AURC", unit="%", spec=".2f", calibration=8),
    Score("temperature", lambda a: a.temperature,
          heading="Temperature", spec=".2f", calibration=5, needs=VALIDATION),
    Score("nll_scaled", lambda a: nll(a.scaled, a.labels),
          heading="NLL at it", unit="nats", spec=".3f", calibration=6, needs=VALIDATION),
    Score("ece_scaled", lambda a: expected_calibration_error(a.scaled_confidence, a.is_correct),
          heading="ECE at it", unit="%", calibration=7, needs=VALIDATION),
    Score("temperature_helps", temperature_helps,
          heading="It helps in", unit="%", spec=".0f", calibration=9, needs=VALIDATION),
    Score("worst_class", worst_class, MODE),
    Score("worst_class_accuracy", worst_class_accuracy, heading="Worst class", unit="%", comparison=3),
    Score("class_gap", class_gap, heading="Class gap", unit="points", comparison=4),
    Score("per_class", per_class, KEPT),
    Score("confusion", lambda a: a.confusion, KEPT),
    Score("reliability", lambda a: bins(a.confidence, a.is_correct), KEPT),
    Score("reliability_scaled", lambda a: bins(a.scaled_confidence, a.is_correct), KEPT, needs=VALIDATION),
    Score("risk_coverage", lambda a: curve(risks(a.confidence, a.is_correct)).tolist(), KEPT),
    Score("tta_accuracy", tta_accuracy, heading="With flips", unit="%", comparison=1, needs=MIRRORED),
)
# fmt: on


def scores(
    logits: np.ndarray,
    labels: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    mirrored: np.ndarray | None = None,
    names: Collection[str] | None = None,
    folds: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Any]:
    """The scores of one run by name, as `SCORES` has them, or those of `names`, and `images`.

    The arguments are those of `Answers`. Numbers are Python's. worst_class is a class number, per_class holds arrays (C,),
    confusion is (C, C) int with true classes as rows, risk_coverage has 100 risks, at 1 ... 100 % of the images. A score whose
    `validation` or `mirrored` is missing is None.
    """
    answers = Answers(logits, labels, validation, mirrored, folds)
    given = {"": True, VALIDATION: validation is not None, MIRRORED: mirrored is not None}
    asked = [score for score in SCORES if names is None or score.name in names]
    values = {score.name: score.of(answers) if given[score.needs] else None for score in asked}
    return values | {"images": len(labels)}
