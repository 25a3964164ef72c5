"""Sets that hold the true class: by hand, and as often as promised on images from the same law."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from ftbench.evaluate import conformal

ROW = np.array([[0.5, 0.3, 0.2]])


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of four classes that are honest: the label is drawn from them."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.6] * 4, count)
    return p, (p.cumsum(1) > rng.random((count, 1))).argmax(1)


def test_scores_by_hand():
    assert np.allclose(conformal.scores(ROW, "lac"), [[0.5, 0.7, 0.8]])
    assert np.allclose(conformal.scores(ROW, "aps"), [[0.0, 0.5, 0.8]])
    assert np.allclose(conformal.scores(ROW[:, ::-1], "aps"), [[0.8, 0.5, 0.0]])
    seven = np.full((1, 7), 1 / 7)
    extra = conformal.scores(seven, "raps") - conformal.scores(seven, "aps")
    assert np.allclose(extra, [[0, 0, 0, 0, 0, 0.01, 0.02]])


def test_the_bound_is_the_promised_order_statistic():
    p = np.repeat(ROW, 9, axis=0)
    labels = np.array([0] * 7 + [1, 2])
    assert conformal.bound(p, labels, 0.1, "lac") == pytest.approx(0.8)  # the 9th of 9 scores: ceil(10 * 0.9)
    assert conformal.bound(p, labels, 0.2, "lac") == pytest.approx(0.7)
    assert math.isinf(conformal.bound(p[:8], labels[:8], 0.1, "lac"))  # 8 images cannot promise 90 %


@pytest.mark.parametrize("method", conformal.METHODS)
def test_sets_hold_the_truth_as_often_as_promised(method):
    """Over many calibrations the coverage lies between the promise and the promise plus 1 / (n + 1), as the theorem says."""
    held = total = 0
    for seed in range(200):
        p, labels = drawn(300, seed)
        bound = conformal.bound(p[:99], labels[:99], 0.1, method)
        chosen = conformal.sets(p[99:], bound, method)
        assert chosen[np.arange(201), p[99:].argmax(1)].all()
        held += int(chosen[np.arange(201), labels[99:]].sum())
        total += 201
    assert held / total > 0.9 - 4 * math.sqrt(0.09 / total * 3)  # images of one calibration are not independent
    if method == "lac":  # the others always hold the most probable class and so cover more
        assert held / total < 0.9 + 0.01 + 4 * math.sqrt(0.09 / total * 3)


def test_least_ambiguous_sets_are_the_smallest():
    p, labels = drawn(4000, 1)
    sizes = {}
    for method in ("lac", "aps"):
        bound = conformal.bound(p[:2000], labels[:2000], 0.1, method)
        sizes[method] = conformal.sets(p[2000:], bound, method).sum(1).mean()
    assert sizes["lac"] <= sizes["aps"]


def test_a_sure_network_gets_small_adaptive_sets():
    p = np.full((200, 10), 1e-6)
    p[:, 0] = 1 - 9e-6
    labels = np.array([0] * 195 + [1] * 5)
    assert conformal.sets(p, conformal.bound(p, labels, 0.1, "aps"), "aps").sum(1).max() == 1


def test_what_is_told_of_coverage_has_its_exact_interval():
    chosen = np.zeros((100, 3), bool)
    chosen[:, 0] = True
    labels = np.array([0] * 90 + [1] * 10)
    told = conformal.checked(chosen, labels, 0.1, 1000)
    assert told["coverage"] == 0.9 and told["mean_size"] == 1 and told["kept"] and not told["empty_promise"]
    assert binom.sf(89, 100, told["coverage_low"]) == pytest.approx(0.025)
    assert binom.cdf(90, 100, told["coverage_high"]) == pytest.approx(0.025)
    assert not conformal.checked(chosen, np.array([0] * 70 + [1] * 30), 0.1, 1000)["kept"]
    assert conformal.checked(chosen, labels, 0.1, 5)["empty_promise"]
