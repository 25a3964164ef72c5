import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve

from ftbench.evaluate import calibration, selective
from ftbench.evaluate.probabilities import log_softmax

RNG = np.random.default_rng(0)
CONFIDENCE = RNG.uniform(0.1, 1, 700)
RIGHT = RNG.random(700) < CONFIDENCE**2  # too sure


def test_ece_by_hand():
    # One bin holds .60 and .65 (one right), one .90 (right), the last 1.0 (wrong) and .95 (right).
    confidence = np.array([0.60, 0.65, 0.90, 1.0, 0.95])
    right = np.array([True, False, True, False, True])
    expected = (abs(0.5 - 0.625) * 2 + abs(1 - 0.90) * 1 + abs(0.5 - 0.975) * 2) / 5
    assert calibration.expected_calibration_error(confidence, right, bins=15) == pytest.approx(expected)
    bins = calibration.reliability(confidence, right, bins=15)
    assert bins["images"].tolist() == [0] * 9 + [2, 0, 0, 0, 1, 2]
    assert bins["accuracy"][[9, 13, 14]].tolist() == [0.5, 1.0, 0.5]
    assert bins["confidence"][9] == pytest.approx(0.625)
    assert np.isnan(bins["accuracy"][0])


def test_ece_is_what_the_reliability_bins_say():
    bins = calibration.reliability(CONFIDENCE, RIGHT)
    gap = np.nansum(bins["images"] * np.abs(bins["accuracy"] - bins["confidence"])) / len(RIGHT)
    assert calibration.expected_calibration_error(CONFIDENCE, RIGHT) == pytest.approx(gap)


def test_a_saturated_wrong_model_has_calibration_errors_of_one():
    confidence, right = np.ones(50), np.zeros(50, dtype=bool)
    assert calibration.expected_calibration_error(confidence, right) == 1.0
    assert calibration.adaptive_calibration_error(confidence, right) == 1.0


def test_adaptive_ece_by_hand():
    # Two bins of two: (.5, .6) with one right, (.8, .9) with both right.
    confidence, right = np.array([0.9, 0.5, 0.8, 0.6]), np.array([True, True, True, False])
    expected = (abs(1 - 1.1) + abs(2 - 1.7)) / 4
    assert calibration.adaptive_calibration_error(confidence, right, bins=2) == pytest.approx(expected)


def test_adaptive_ece_equals_the_naive_loop_and_ignores_the_order():
    order = np.argsort(CONFIDENCE)
    parts = np.array_split(order, 14)  # 700 images in 14 equal runs
    naive = sum(abs(RIGHT[part].sum() - CONFIDENCE[part].sum()) for part in parts) / len(RIGHT)
    assert calibration.adaptive_calibration_error(CONFIDENCE, RIGHT, bins=14) == pytest.approx(naive)
    tied = np.round(CONFIDENCE, 1)
    shuffled = RNG.permutation(len(tied))
    one = calibration.adaptive_calibration_error(tied, RIGHT)
    assert calibration.adaptive_calibration_error(tied[shuffled], RIGHT[shuffled]) == pytest.approx(one)
    assert calibration.adaptive_calibration_error(CONFIDENCE[:4], RIGHT[:4]) > 0  # fewer images than bins


def test_adaptive_ece_is_that_of_scikit_learns_quantile_bins():
    """Bins of equal size without ties: Nguyen & O'Connor 2015, by another hand."""
    confidence, right = CONFIDENCE[:690], RIGHT[:690]  # 15 bins of 46
    accuracy, mean = calibration_curve(right, confidence, n_bins=15, strategy="quantile")
    assert calibration.adaptive_calibration_error(confidence, right) == pytest.approx(
        np.abs(accuracy - mean).mean(), abs=2e-3
    )


def draw(images, classes=5, scale=1.0):
    labels = RNG.integers(0, classes, images)
    logits = RNG.normal(0, 1, (images, classes))
    logits[np.arange(images), labels] += 1.5
    return (scale * logits).astype(np.float32), labels


def test_the_temperature_has_the_lowest_nll():
    logits, labels = draw(500, scale=4.0)

    def loss(temperature):
        return calibration.nll(log_softmax(logits / temperature), labels)

    found = calibration.fit_temperature(logits, labels)
    best = minimize_scalar(loss, bounds=(0.1, 20), method="bounded")
    assert found == pytest.approx(best.x, rel=1e-3)
    assert loss(found) <= min(loss(found * 1.02), loss(found / 1.02), loss(1.0))


def test_the_temperature_scales_with_the_logits_and_stays_within_its_bounds():
    logits, labels = draw(500)
    assert calibration.fit_temperature(3 * logits, labels) == pytest.approx(
        3 * calibration.fit_temperature(logits, labels), rel=1e-3
    )
    right = 5 * np.eye(3, dtype=np.float32)
    assert (
        calibration.fit_temperature(right, np.arange(3)) == 1
    )  # no mistake: the surer the better, so none is the best
    assert calibration.fit_temperature(right, np.array([1, 2, 0])) == pytest.approx(100, rel=0.05)


def test_risk_and_coverage_by_hand():
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    right = np.array([True, False, True, False])
    risk = selective.risks(confidence, right)
    assert risk == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])
    assert selective.area(risk) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert selective.curve(risk, points=2) == pytest.approx([1 / 2, 1 / 2])


def test_equal_confidences_count_as_the_mean_over_all_orders():
    confidence = np.array([0.9, 0.5, 0.5, 0.5])
    right = np.array([True, False, True, True])
    orders = []
    for places in ([1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]):
        wrong = np.cumsum(~right[[0, *places]])
        orders.append(wrong / np.arange(1, 5))
    assert selective.risks(confidence, right) == pytest.approx(np.mean(orders, axis=0))


def test_the_curve_ends_at_the_plain_error_and_knows_good_confidence_from_bad():
    good = selective.risks(CONFIDENCE, RIGHT)
    assert good[-1] == pytest.approx(1 - RIGHT.mean())
    bad = selective.risks(1 - CONFIDENCE, RIGHT)
    constant = selective.risks(np.full(700, 0.5), RIGHT)
    assert constant == pytest.approx(np.full(700, 1 - RIGHT.mean()))
    assert selective.area(good) < selective.area(constant) < selective.area(bad)
    assert len(selective.curve(good)) == 100
    assert len(selective.curve(good[:7])) == 100  # fewer images than points
