import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, precision_score

from ftbench.evaluate import calibration, metrics
from ftbench.evaluate.probabilities import log_softmax


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 40)
    logits = rng.normal(0, 1.5, (200, 5)).astype(np.float32)
    logits[np.arange(200), labels] += 1.0
    return logits, labels


def naive_ece(confidence, right, bins):
    total = 0.0
    for k in range(bins):
        inside = (confidence >= k / bins) & ((confidence < (k + 1) / bins) | (k == bins - 1))
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def test_macro_recall_is_accuracy_on_a_balanced_set(data):
    result = metrics.scores(*data)
    assert result["macro_recall"] == pytest.approx(result["accuracy"], abs=1e-12)
    assert result["balanced_accuracy"] == pytest.approx(result["accuracy"], abs=1e-12)


def test_agrees_with_scikit_learn(data):
    logits, labels = data
    labels = np.where(labels == 4, 0, labels)  # unbalanced, and class 4 has no test image
    result = metrics.scores(logits, labels)
    predicted = logits.argmax(1)
    assert result["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0))
    assert result["macro_precision"] == pytest.approx(
        precision_score(labels, predicted, average="macro", zero_division=0)
    )
    recalls = [(predicted[labels == number] == number).mean() for number in range(4)]
    assert result["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    probabilities = np.exp(log_softmax(logits))
    assert result["nll"] == pytest.approx(log_loss(labels, probabilities, labels=range(5)))
    assert result["worst_class"] != 4
    assert result["confusion"].sum() == 200


def test_a_saturated_wrong_model_has_ece_1_and_brier_2():
    logits = np.zeros((10, 3), np.float32)
    logits[:, 0] = 1e4
    result = metrics.scores(logits, np.full(10, 2))
    assert result["ece"] == 1.0
    assert result["brier"] == pytest.approx(2.0)
    assert result["accuracy"] == 0.0
    assert result["nll"] == pytest.approx(1e4)  # finite: the log-softmax does not overflow


def test_a_perfect_model():
    labels = np.arange(12) % 4
    logits = (np.eye(4, dtype=np.float32) * 1e4)[labels]
    result = metrics.scores(logits, labels)
    for name in ("accuracy", "macro_precision", "macro_recall", "macro_f1", "worst_class_accuracy"):
        assert result[name] == 1.0
    assert result["nll"] == result["ece"] == result["brier"] == 0.0
    assert (result["accuracy_bootstrap_low"], result["accuracy_bootstrap_high"]) == (1.0, 1.0)


def test_by_hand():
    # Softmax of [ln 3, 0] is [3/4, 1/4]; the second image is wrong.
    logits = np.log(np.array([[3.0, 1.0], [3.0, 1.0]])).astype(np.float32)
    result = metrics.scores(logits, np.array([0, 1]))
    assert result["nll"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2, rel=1e-6)
    assert result["brier"] == pytest.approx((2 * 0.25**2 + 2 * 0.75**2) / 2, rel=1e-6)
    assert result["ece"] == pytest.approx(0.25, rel=1e-6)
    assert result["macro_precision"] == pytest.approx(0.25)
    assert result["confusion"].tolist() == [[1, 0], [1, 0]]
    assert (result["worst_class"], result["worst_class_accuracy"]) == (1, 0.0)


def test_temperature_keeps_what_only_the_argmax_decides(data):
    logits, labels = data
    one, other = metrics.scores(logits, labels), metrics.scores(logits / np.float32(4), labels)
    for name in ("accuracy", "macro_f1", "macro_precision", "worst_class"):
        assert one[name] == other[name]
    assert one["nll"] != other["nll"]


def test_ece_equals_the_naive_loop():
    rng = np.random.default_rng(3)
    confidence = np.concatenate([rng.uniform(0, 1, 500), [0.0, 1.0, 1.0]])
    right = rng.random(503) < confidence
    for bins in (1, 10, 15):
        assert calibration.expected_calibration_error(confidence, right, bins) == pytest.approx(
            naive_ece(confidence, right, bins)
        )


def test_bootstrap_is_that_of_resampled_indices_and_repeats():
    right = np.arange(400) < 340
    rng = np.random.default_rng(0)
    naive = [right[rng.integers(0, 400, 400)].mean() for _ in range(4000)]
    low, high = metrics.bootstrap_interval(340, 400)
    assert (low, high) == metrics.bootstrap_interval(340, 400)
    assert low == pytest.approx(np.quantile(naive, 0.025), abs=0.004)
    assert high == pytest.approx(np.quantile(naive, 0.975), abs=0.004)
