import functools

import numpy as np
import pytest
from scipy import stats

from ftbench.base.errors import InputError
from ftbench.evaluate.statistics import (
    cell_interval,
    crossed_variance,
    difference,
    half_width,
    holm,
    mcnemar,
    noncentrality,
    summarize,
    win_tie_loss,
)

REPETITIONS, IMAGES = 2_000, 300
ERROR = 3 * np.sqrt(0.05 * 0.95 / REPETITIONS)  # three binomial standard errors of a rate of 5 %
SEED_EFFECT, STRATEGY_EFFECT, MEAN, SPREAD = 0.25, 0.5, 2.0, 2.0


def draw(rng, difficulty, seeds, seed_effect=SEED_EFFECT):
    """Right answers (repetitions, seeds, images) of a cell with image x strategy, seed and residual effects."""
    repetitions, _, images = difficulty.shape
    score = difficulty + rng.normal(0, STRATEGY_EFFECT, (repetitions, 1, images)).astype(np.float32)
    score = score + rng.normal(0, seed_effect, (repetitions, seeds, 1)).astype(np.float32)
    return rng.random(score.shape, dtype=np.float32) < 1 / (1 + np.exp(-2 * score))


def true_accuracy(shift: float, seed_effect: float) -> float:
    """Of the population of images and seeds: the logistic curve averaged over the sum of its normal effects."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    spread = np.sqrt(SPREAD**2 + STRATEGY_EFFECT**2 + seed_effect**2)
    return float(weights @ (1 / (1 + np.exp(-2 * (MEAN + shift + spread * nodes)))) / weights.sum())


@functools.cache
def simulated(seeds: int, shift: float, seed_effect: float = SEED_EFFECT) -> dict:
    """Rates over `REPETITIONS` studies of two cells, A easier by `shift`: rejections, and coverage of both kinds of interval."""
    rng = np.random.default_rng([seeds, round(100 * shift), round(100 * seed_effect)])
    difficulty = rng.normal(MEAN, SPREAD, (REPETITIONS, 1, IMAGES)).astype(np.float32)
    a = summarize(draw(rng, difficulty + np.float32(shift), seeds, seed_effect))
    b = summarize(draw(rng, difficulty, seeds, seed_effect))
    variance, df = crossed_variance(a, b)
    gap = a.per_image.mean(axis=-1) - b.per_image.mean(axis=-1)
    truth = true_accuracy(shift, seed_effect)
    error = np.abs(gap - (truth - true_accuracy(0, seed_effect))) / np.sqrt(variance)
    return {
        "rejected": float((2 * stats.t.sf(np.abs(gap) / np.sqrt(variance), df) < 0.05).mean()),
        "covered": float((error <= stats.t.ppf(0.975, df)).mean()),
        "cell_covered": float((np.abs(a.per_image.mean(axis=-1) - truth) <= half_width(a)).mean()),
        "detectable": float(np.median(np.sqrt(variance) * [noncentrality(round(d, 2)) for d in df])),
    }


@pytest.mark.parametrize("seed_effect", [0.1, 0.25, 0.5])
@pytest.mark.parametrize(("seeds", "most"), [(2, 0.08), (3, 0.05), (5, 0.05)])
def test_false_positives_under_seed_variance(seeds, most, seed_effect):
    assert simulated(seeds, 0.0, seed_effect)["rejected"] <= most + ERROR


@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_intervals_of_differences_cover_the_truth(seeds, shift):
    assert simulated(seeds, shift)["covered"] >= 0.93


@pytest.mark.parametrize("seed_effect", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_intervals_of_single_cells_cover_the_truth(seeds, seed_effect):
    assert simulated(seeds, 0.0, seed_effect)["cell_covered"] >= 0.93


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_power_rises_with_the_true_difference_and_with_seeds(seeds):
    power = [simulated(seeds, shift)["rejected"] for shift in (0.0, 0.25, 0.5, 1.0)]
    assert power == sorted(power)
    assert power[-1] > 0.4
    assert seeds == 2 or power[-1] > simulated(seeds - 1 if seeds == 3 else 3, 1.0)["rejected"]


def test_the_detectable_difference_is_found_in_four_of_five_studies():
    """A shift whose true difference is what studies of five seeds call detectable is found by about 80 % of them."""
    truth = true_accuracy(0.62, SEED_EFFECT) - true_accuracy(0.0, SEED_EFFECT)
    found = simulated(5, 0.62)
    assert found["detectable"] == pytest.approx(truth, rel=0.08)
    assert found["rejected"] == pytest.approx(0.8, abs=0.06)


def test_noncentrality_gives_the_power_it_was_asked_for():
    assert noncentrality(1e6) == pytest.approx(stats.norm.ppf(0.975) + stats.norm.ppf(0.8), abs=1e-3)
    for df in (1.0, 2.0, 7.5, 400.0):
        assert stats.nct.sf(stats.t.ppf(0.975, df), df, noncentrality(df)) == pytest.approx(0.8, abs=1e-6)
    assert noncentrality(2.0) > noncentrality(3.0) > noncentrality(30.0)


def test_pooled_mcnemar_would_fail_where_the_crossed_interval_does_not():
    rng = np.random.default_rng(1)
    difficulty = rng.normal(MEAN, SPREAD, (400, 1, 1000)).astype(np.float32)
    a, b = (draw(rng, difficulty, 3, seed_effect=0.5) for _ in range(2))
    pooled = mcnemar(a.reshape(400, -1), b.reshape(400, -1))
    assert (pooled < 0.05).mean() > 0.2


def test_one_seed_has_no_seed_term():
    rng = np.random.default_rng(0)
    a, b = rng.random((1, 300)) < 0.8, rng.random((1, 300)) < 0.7
    result = difference(summarize(a), summarize(b))
    paired = stats.ttest_rel(a[0].astype(float), b[0].astype(float))
    assert result["p"] == pytest.approx(paired.pvalue)
    assert result["df"] == pytest.approx(299)
    low, high = paired.confidence_interval(0.95)
    assert (result["ci_low"], result["ci_high"]) == pytest.approx((low, high))


def test_variance_by_the_formula():
    rng = np.random.default_rng(0)
    a, b = (rng.random((s, 50)) < q for s, q in ((3, 0.8), (2, 0.6)))
    image = (a.mean(0) - b.mean(0)).var(ddof=1) / 50
    seed = a.mean(1).var(ddof=1) / 3 + b.mean(1).var(ddof=1) / 2
    interaction = a.var(0, ddof=1).mean() / 150 + b.var(0, ddof=1).mean() / 100
    variance, _ = crossed_variance(summarize(a), summarize(b))
    assert variance == pytest.approx(image + max(0, seed - interaction))


def test_sign_flips_with_the_order_and_p_stays():
    rng = np.random.default_rng(2)
    a, b = rng.random((3, 200)) < 0.9, rng.random((4, 200)) < 0.8
    a, b = summarize(a), summarize(b)
    one, other = difference(a, b), difference(b, a)
    assert one["p"] == pytest.approx(other["p"])
    assert one["difference"] == pytest.approx(-other["difference"])
    assert (one["ci_low"], one["effect_low"]) == pytest.approx((-other["ci_high"], -other["effect_high"]))


def test_cohens_h_by_hand():
    a = np.arange(400)[None] < 300
    b = np.arange(400)[None] < 200
    result = difference(summarize(a), summarize(b))
    assert result["effect_size"] == pytest.approx(2 * np.pi / 3 - np.pi / 2)
    assert result["effect_low"] < result["effect_size"] < result["effect_high"]


def test_cells_that_agree_on_everything():
    a = np.arange(100)[None] < 90
    same = difference(summarize(a), summarize(a))
    bound = 1.96**2 / (100 + 1.96**2)  # no image of 100 told them apart: Wilson, not a width of zero
    assert (same["difference"], same["p"]) == (0.0, 1.0)
    assert (same["ci_low"], same["ci_high"]) == pytest.approx((-bound, bound), rel=1e-4)
    assert same["detectable"] > bound and same["effect_high"] == -same["effect_low"] > 0
    perfect = cell_interval(summarize(np.ones((3, 100), dtype=bool)))
    assert perfect["ci_high"] == 1.0
    assert 0.95 < perfect["ci_low"] < 1.0  # Wilson, not a width of zero


def test_two_images_decide_nothing():
    """All right against all wrong has no variance at all; two coins agree as often as not."""
    right, wrong = (summarize(np.full((2, 2), value)) for value in (True, False))
    result = difference(right, wrong)
    assert (result["difference"], result["p"], result["ci_high"]) == (1.0, 0.5, 1.0)
    assert result["ci_low"] < 0.5 and result["effect_low"] < result["effect_size"]


def test_intervals_end_where_differences_do():
    """Two seeds at 20 and 80 % say nothing of the recipe: the interval is all there is, and no difference could be found."""
    shaky = np.array([np.arange(200) < right for right in (40, 160)])
    steady = np.tile(np.arange(200) < 190, (2, 1))
    result = difference(summarize(steady), summarize(shaky))
    assert (result["ci_low"], result["ci_high"]) == (-1.0, 1.0)
    assert (result["effect_low"], result["effect_high"]) == pytest.approx((-np.pi, np.pi))
    assert result["detectable"] > 1


def test_cell_interval_grows_with_seed_variance():
    steady = np.tile(np.arange(200) < 160, (3, 1))
    shaky = np.array([np.arange(200) < right for right in (140, 160, 180)])
    narrow, wide = cell_interval(summarize(steady)), cell_interval(summarize(shaky))
    assert narrow["accuracy"] == wide["accuracy"] == 0.8
    assert wide["ci_high"] - wide["ci_low"] > 2 * (narrow["ci_high"] - narrow["ci_low"])
    assert narrow["seeds"] == 3


def test_mcnemar_is_the_exact_binomial_test():
    a = np.array([[1] * 8 + [0] * 2 + [1] * 10], dtype=bool)
    b = np.array([[0] * 8 + [1] * 2 + [1] * 10], dtype=bool)
    assert mcnemar(a, b)[0] == pytest.approx(stats.binomtest(2, 10).pvalue)
    assert mcnemar(a, a)[0] == 1.0


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert len(holm(np.array([]))) == 0


def test_unequal_test_sets_are_refused():
    with pytest.raises(InputError, match="same test images"):
        difference(summarize(np.ones((1, 5), bool)), summarize(np.ones((1, 6), bool)))
    with pytest.raises(InputError, match="at least 2"):
        summarize(np.ones((3, 1), bool))


def test_half_width_by_the_formula():
    rng = np.random.default_rng(4)
    cell = rng.random((3, 80)) < np.array([[0.9], [0.6], [0.7]])
    image = cell.mean(0).var(ddof=1) / 80
    seed, interaction = cell.mean(1).var(ddof=1) / 3, cell.var(0, ddof=1).mean() / 240
    half = np.sqrt(stats.t.ppf(0.975, 79) ** 2 * (image - interaction) + stats.t.ppf(0.975, 2) ** 2 * seed)
    assert half_width(summarize(cell)) == pytest.approx(half)
    result = cell_interval(summarize(cell))
    assert result["ci_high"] == pytest.approx(min(1.0, cell.mean() + half))


def test_win_tie_loss_counts_both_ways_round():
    pairs = [("a", "b", 0.1, 0.01), ("a", "b", -0.1, 0.01), ("a", "b", 0.1, 0.05), ("b", "c", 0.2, 0.04)]
    counts = win_tie_loss(pairs)
    assert counts["a", "b"] == [1, 1, 1]
    assert counts["b", "c"] == [1, 0, 0]
    assert counts["c", "b"] == [0, 0, 1]
    for (a, b), outcome in counts.items():
        assert counts[b, a] == outcome[::-1]
