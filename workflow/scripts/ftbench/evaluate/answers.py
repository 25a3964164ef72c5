"""One run's answers to its test images, and the parts that several scores need: each is computed when first asked for."""

from functools import cached_property

import numpy as np

from ftbench.evaluate.calibration import fit_temperature
from ftbench.evaluate.probabilities import correct, log_softmax


class Answers:
    """What every score is a function of.

    `logits` (N, C) float and `labels` (N,) int in [0, C) are the test set's. `validation` is the pair of the same two of
    the validation images, `mirrored` (N, C) the logits of the mirrored test images; None if the run has none. `folds` are the fold of
    each test image (N,) and of each validation image, if the run is pooled of several: each fold's temperature is fitted on its own
    validation images.
    """

    def __init__(
        self,
        logits: np.ndarray,
        labels: np.ndarray,
        validation: tuple[np.ndarray, np.ndarray] | None = None,
        mirrored: np.ndarray | None = None,
        folds: tuple[np.ndarray, np.ndarray] | None = None,
    ):
        self.logits, self.labels, self.validation, self.mirrored = logits, labels, validation, mirrored
        self.folds = folds

    @cached_property
    def predicted(self) -> np.ndarray:
        """(N,) int: the class with the largest logit."""
        return self.logits.argmax(axis=1)

    @cached_property
    def is_correct(self) -> np.ndarray:
        """(N,) bool."""
        return correct(self.logits, self.labels)

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        """(N, C) float64."""
        return log_softmax(self.logits)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(N, C) float64."""
        return np.exp(self.log_probabilities)

    @cached_property
    def confidence(self) -> np.ndarray:
        """(N,) float64: the largest probability."""
        return self.probabilities.max(axis=1)

    @cached_property
    def by_class(self) -> dict[str, np.ndarray]:
        """precision, recall, f1 and support (test images), (C,) each. A ratio with nothing below the line is 0."""
        right, support, answered = np.diagonal(self.confusion), self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        return {
            "precision": _ratio(right, answered),
            "recall": _ratio(right, support),
            "f1": _ratio(2 * right, support + answered),
            "support": support,
        }

    @cached_property
    def confusion(self) -> np.ndarray:
        """(C, C) int: images of each true class (row) by predicted class (column)."""
        classes = self.logits.shape[1]
        return np.bincount(self.labels * classes + self.predicted, minlength=classes**2).reshape(classes, classes)

    @cached_property
    def tested(self) -> np.ndarray:
        """Numbers of the classes that have test images."""
        return np.flatnonzero(self.by_class["support"])

    @cached_property
    def temperature(self) -> float:
        """The temperature that fits the validation logits best; of several folds the geometric mean of theirs."""
        found = list(self._temperatures.values())
        return found[0] if len(found) == 1 else float(np.exp(np.log(found).mean()))

    @cached_property
    def _temperatures(self) -> dict[int, float]:
        """{fold: its temperature}; of a run that is not pooled, the one of fold 0."""
        if self.folds is None:
            return {0: fit_temperature(*self.validation)}
        logits, labels = self.validation
        own = {int(number): self.folds[1] == number for number in np.unique(self.folds[0])}
        return {number: fit_temperature(logits[rows], labels[rows]) for number, rows in own.items()}

    @cached_property
    def scaled(self) -> np.ndarray:
        """(N, C) float64: log-probabilities of the test logits divided by the temperature. No prediction changes."""
        own = self._temperatures
        by_image = own[0] if self.folds is None else np.array([own[int(number)] for number in self.folds[0]])[:, None]
        return log_softmax(self.logits.astype(np.float64) / by_image)

    @cached_property
    def scaled_confidence(self) -> np.ndarray:
        """(N,) float64: the largest probability at the temperature."""
        return np.exp(self.scaled.max(axis=1))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
