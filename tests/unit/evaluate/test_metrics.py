import numpy as np
import pytest
from sklearn.metrics import (
    cohen_kappa_score,
    f1_score,
    log_loss,
    precision_score,
    roc_auc_score,
    top_k_accuracy_score,
)
from statsmodels.stats.proportion import proportion_confint

from ftbench.evaluate import calibration, metrics
from ftbench.evaluate.metrics import Z_95
from ftbench.evaluate.probabilities import log_softmax
from ftbench.evaluate.wilson import wilson


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


def test_the_area_under_the_roc_curve_and_kappa_are_scikit_learns(data):
    logits, labels = data
    result = metrics.scores(logits, labels)
    probabilities = np.exp(log_softmax(logits))
    assert result["auc"] == pytest.approx(roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"))
    assert result["kappa"] == pytest.approx(cohen_kappa_score(labels, logits.argmax(1)))
    assert result["auc_low"] < result["auc"] < result["auc_high"]
    assert result["top5_accuracy"] is None  # five classes


def test_the_interval_of_the_area_is_that_of_the_bootstrap(data):
    logits, labels = data
    result, rng = metrics.scores(logits, labels), np.random.default_rng(5)
    areas = []
    for _ in range(300):
        rows = rng.integers(len(labels), size=len(labels))
        areas.append(metrics.scores(logits[rows], labels[rows], names=["auc"])["auc"])
    width = result["auc_high"] - result["auc_low"]
    assert width == pytest.approx(2 * 1.96 * np.std(areas), rel=0.2)


def test_classes_without_test_images_are_left_out_and_counted(data):
    logits, labels = data
    few = labels < 3
    result = metrics.scores(logits[few], labels[few])
    assert result["untested_classes"] == 2 and 0.5 < result["auc"] < 1
    alone = metrics.scores(logits[labels == 1], labels[labels == 1])
    assert alone["auc"] is None and alone["auc_low"] is None and alone["untested_classes"] == 4
    everything_right = metrics.scores(np.eye(2)[[1, 1]], np.array([1, 1]))
    assert everything_right["kappa"] is None


def test_top_5_of_many_classes_is_scikit_learns():
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(300, 12)), rng.integers(12, size=300)
    expected = top_k_accuracy_score(labels, logits, k=5, labels=range(12))
    assert metrics.scores(logits, labels)["top5_accuracy"] == pytest.approx(expected)


def test_a_temperature_that_nothing_defines_or_that_worsens_the_test_set_is_marked():
    sure = np.array([[4.0, 0.0]] * 40)
    right, some_wrong = np.zeros(40, int), np.r_[np.zeros(36, int), np.ones(4, int)]
    undefined = metrics.scores(sure, some_wrong, (sure, right))
    assert (undefined["temperature"], undefined["temperature_helps"]) == (1.0, 0)
    assert undefined["nll_scaled"] == undefined["nll"]
    one_wrong = np.r_[np.zeros(39, int), np.ones(1, int)]
    helpful = metrics.scores(sure, some_wrong, (sure, some_wrong))
    assert helpful["temperature_helps"] == 1 and helpful["nll_scaled"] <= helpful["nll"]
    worse = metrics.scores(3 * sure, one_wrong, (3 * sure, np.r_[np.zeros(20, int), np.ones(20, int)]))
    assert worse["nll_scaled"] > worse["nll"] and worse["temperature_helps"] == 0


@pytest.mark.parametrize("images", [1, 2, 7, 50, 1000, 10_000])
def test_the_interval_of_a_class_is_wilsons_as_statsmodels_has_it(images):
    right = np.unique(np.linspace(0, images, 101).astype(int))
    low, high = wilson(right / images, Z_95**2 / np.full(len(right), images))
    theirs = proportion_confint(right, images, method="wilson")
    assert np.allclose([low, high], theirs, rtol=0, atol=1e-12)
    assert (low >= 0).all() and (high <= 1).all() and low[0] == 0 and high[-1] == 1
