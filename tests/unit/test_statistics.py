import numpy as np
import pytest
from scipy import stats

from ftbench.errors import InputError
from ftbench.statistics import cell_interval, crossed_variance, difference, holm, mcnemar

REPETITIONS, IMAGES = 400, 400


def draw(rng, difficulty, seeds, seed_effect=0.25):
    """Right answers (repetitions, seeds, images) of a cell with image x strategy, seed and residual effects."""
    repetitions, _, images = difficulty.shape
    score = (
        difficulty + rng.normal(0, 0.5, (repetitions, 1, images)) + rng.normal(0, seed_effect, (repetitions, seeds, 1))
    )
    return (score + rng.logistic(0, 0.5, (repetitions, seeds, images)) > 0).astype(np.float64)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_false_positives_stay_near_five_percent_under_seed_variance(seeds):
    rng = np.random.default_rng(seeds)
    difficulty = rng.normal(2, 2, (REPETITIONS, 1, IMAGES))
    a, b = draw(rng, difficulty, seeds), draw(rng, difficulty, seeds)
    variance, df = crossed_variance(a, b)
    gap = a.mean((1, 2)) - b.mean((1, 2))
    p = 2 * stats.t.sf(np.abs(gap) / np.sqrt(variance), df)
    # 0.3 to 7.2 % in long simulations; 400 repetitions add a standard error of about 1.2 points.
    assert (p < 0.05).mean() < 0.095


@pytest.mark.parametrize(("seeds_a", "seeds_b"), [(2, 2), (3, 5), (5, 5)])
def test_the_interval_of_a_difference_covers_the_truth(seeds_a, seeds_b):
    rng = np.random.default_rng(10 + seeds_a)
    difficulty = rng.normal(2, 2, (REPETITIONS, 1, IMAGES))
    # The truth of a cell 0.4 easier, from a population of images and seeds.
    many = rng.normal(2, 2, (1, 1, 400_000))
    truth = draw(rng, many + 0.4, 20).mean() - draw(rng, many, 20).mean()
    a, b = draw(rng, difficulty + 0.4, seeds_a), draw(rng, difficulty, seeds_b)
    variance, df = crossed_variance(a, b)
    gap = a.mean((1, 2)) - b.mean((1, 2))
    assert (np.abs(gap - truth) <= stats.t.ppf(0.975, df) * np.sqrt(variance)).mean() > 0.91


def test_pooled_mcnemar_would_fail_where_the_crossed_interval_does_not():
    rng = np.random.default_rng(1)
    difficulty = rng.normal(2, 2, (REPETITIONS, 1, 1000))
    a, b = (draw(rng, difficulty, 3, seed_effect=0.5).astype(bool) for _ in range(2))
    pooled = mcnemar(a.reshape(REPETITIONS, -1), b.reshape(REPETITIONS, -1))
    assert (pooled < 0.05).mean() > 0.2


def test_one_seed_has_no_seed_term():
    rng = np.random.default_rng(0)
    a, b = rng.random((1, 300)) < 0.8, rng.random((1, 300)) < 0.7
    result = difference(a, b)
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
    variance, _ = crossed_variance(a.astype(float), b.astype(float))
    assert variance == pytest.approx(image + max(0, seed - interaction))


def test_sign_flips_with_the_order_and_p_stays():
    rng = np.random.default_rng(2)
    a, b = rng.random((3, 200)) < 0.9, rng.random((4, 200)) < 0.8
    one, other = difference(a, b), difference(b, a)
    assert one["p"] == pytest.approx(other["p"])
    assert one["difference"] == pytest.approx(-other["difference"])
    assert (one["ci_low"], one["effect_low"]) == pytest.approx((-other["ci_high"], -other["effect_high"]))


def test_cohens_h_by_hand():
    a = np.arange(400)[None] < 300
    b = np.arange(400)[None] < 200
    result = difference(a, b)
    assert result["effect_size"] == pytest.approx(2 * np.pi / 3 - np.pi / 2)
    assert result["effect_low"] < result["effect_size"] < result["effect_high"]


def test_cells_that_agree_on_everything():
    a = np.arange(100)[None] < 90
    same = difference(a, a)
    assert (same["difference"], same["ci_low"], same["ci_high"], same["p"]) == (0.0, 0.0, 0.0, 1.0)
    perfect = cell_interval(np.ones((3, 100), dtype=bool))
    assert perfect["ci_high"] == 1.0
    assert 0.95 < perfect["ci_low"] < 1.0  # Wilson, not a width of zero


def test_cell_interval_grows_with_seed_variance():
    steady = np.tile(np.arange(200) < 160, (3, 1))
    shaky = np.array([np.arange(200) < right for right in (140, 160, 180)])
    narrow, wide = cell_interval(steady), cell_interval(shaky)
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
        difference(np.ones((1, 5), bool), np.ones((1, 6), bool))
    with pytest.raises(InputError, match="at least 2"):
        cell_interval(np.ones((3, 1), bool))
