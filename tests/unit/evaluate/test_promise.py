"""A promised precision: proven by the exact binomial bound, kept on images from the same law."""

import numpy as np
import pytest
from scipy.stats import binom

from ftbench.evaluate import promise


def test_a_proof_is_clopper_and_pearsons_lower_bound():
    low = promise.proven(95, 100, 0.05)
    assert binom.sf(94, 100, low) == pytest.approx(0.05)
    assert promise.proven(0, 10, 0.05) == 0
    assert promise.proven(10, 10, 0.05) == pytest.approx(0.05 ** (1 / 10))


def test_all_right_answers_a_threshold_at_the_lowest_confidence():
    confidence = np.linspace(0.5, 1, 400)
    assert promise.threshold(confidence, np.ones(400, bool), 0.95) == 0.5
    assert promise.threshold(confidence, np.zeros(400, bool), 0.5) is None
    assert promise.threshold(confidence[:10], np.ones(10, bool), 0.99) is None  # ten images prove no 99 %


def test_images_of_equal_confidence_are_answered_together():
    confidence = np.repeat([0.9, 0.6], 200)
    right = np.repeat([True, False], 200)
    assert promise.threshold(confidence, right, 0.9) == 0.9


def test_the_promise_is_kept_in_nearly_all_repetitions():
    """Confidence is the chance of being right, so the true precision above a threshold t is (1 + t) / 2."""
    broken, found = 0, 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        confidence = rng.random(1000)
        least = promise.threshold(confidence, rng.random(1000) < confidence, 0.7)
        if least is not None:
            found += 1
            broken += (1 + least) / 2 < 0.7
    assert found > 200 and broken / 300 <= 0.05


def test_what_a_threshold_does_on_test_images():
    told = promise.checked(np.array([0.9, 0.8, 0.3, 0.2]), np.array([True, True, False, True]), 0.5)
    assert told["coverage"] == 0.5 and told["precision"] == 1 and told["answered"] == 2
    assert promise.checked(np.array([0.9]), np.array([True]), None) == {
        "threshold": None,
        "coverage": 0.0,
        "answered": 0,
        "precision": None,
        "precision_low": None,
        "precision_high": None,
    }
