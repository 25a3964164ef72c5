import gc

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from ftbench.base.errors import InputError
from ftbench.compare.image_groups import join, read_test_groups
from ftbench.compare.seed_spread import TAU2, SeedSpread, Seen
from ftbench.compare.statistics import (
    NOTHING,
    Mixture,
    cell_interval,
    difference,
    effect_size,
    holm,
    learn,
    mcnemar,
    summarize,
    win_tie_loss,
)


def first(right: int, images: int, seeds: int = 1) -> np.ndarray:
    """(seeds, images): the first so many are right."""
    return np.tile(np.arange(images) < right, (seeds, 1))


def drawn(rng, accuracies, images: int) -> np.ndarray:
    """(seeds, images): a seed is right on each image with its own probability."""
    return rng.random((len(accuracies), images)) < np.array(accuracies)[:, None]


def fixed(right, groups=None, **more):
    return summarize(right, groups, stochastic=False, **more)


def compared(a, b) -> dict:
    cells = {"a": summarize(a), "b": summarize(b)}
    return difference(cells["a"], cells["b"], ("a", "b"), learn(cells))


# --- one cell ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [20, 600])
def test_the_interval_of_one_model_is_wilsons_over_the_whole_range(images):
    for right in range(images + 1):
        found = cell_interval(fixed(first(right, images)), "a", NOTHING)
        low, high = proportion_confint(right, images, method="wilson")
        # t, and one image more that may be wrong: a little wider, and nowhere cut
        assert 0 <= found["ci_low"] <= low + 2e-3 and high - 2e-3 <= found["ci_high"] <= 1
        assert found["ci_high"] - found["ci_low"] <= 1.15 * (high - low) + 2e-3


def test_no_error_is_worth_no_more_than_one():
    widths = [np.ptp([cell_interval(fixed(first(600 - wrong, 600)), "a", NOTHING)[end] for end in ("ci_low", "ci_high")])
              for wrong in range(6)]  # fmt: skip
    assert widths == sorted(widths)


def test_an_interval_grows_with_what_seeds_show():
    rng = np.random.default_rng(0)
    steady, shaky = ({key: summarize(drawn(rng, own, 400)) for key in "abcd"} for own in ([0.8] * 3, [0.7, 0.8, 0.9]))
    widths = []
    for cells in (steady, shaky):
        found = cell_interval(cells["a"], "a", learn(cells))
        widths.append(found["ci_high"] - found["ci_low"])
    assert widths[1] > 2 * widths[0]


def test_groups_count_as_one_image():
    """Thirty equal copies of each of 20 images say what the 20 say."""
    alone = first(17, 20)
    copies = fixed(np.repeat(alone, 30, axis=1), np.repeat(np.arange(20), 30))
    one, many = cell_interval(fixed(alone), "a", NOTHING), cell_interval(copies, "a", NOTHING)
    assert many["ci_low"] == pytest.approx(one["ci_low"], abs=0.005)
    assert many["ci_high"] == pytest.approx(one["ci_high"], abs=0.005)
    assert copies.df == 19 and copies.size == 30


def test_the_variance_of_groups_is_the_jackknifes():
    rng = np.random.default_rng(1)
    right, groups = rng.random((2, 60)) < 0.7, rng.integers(0, 9, 60)
    left_out = np.array([right[:, groups != group].mean() for group in range(9)])
    cell = summarize(right, groups)
    assert (left_out + cell.influence).tolist() == pytest.approx([right.mean()] * 9)
    even = summarize(right, np.arange(60))
    assert 59 / 60 * (even.influence**2).sum() == pytest.approx(right.mean(0).var(ddof=1) / 60)


def test_one_large_group_leaves_few_degrees_of_freedom():
    groups = np.minimum(np.arange(100), 50)
    assert fixed(first(90, 100), groups).df < 1


def test_groups_of_the_user_and_near_duplicates_are_joined(tmp_path):
    assert join(np.array([4, 4, 7, 9, 9]), np.array([1]), np.array([2])).tolist() == [0, 0, 0, 1, 1]
    np.save(tmp_path / "groups.npy", np.arange(4))
    (tmp_path / "d.csv").write_text("pair,row_a,row_b\ninside test,0,3\ntest and training,1,2\ninside training,1,2\n")
    assert read_test_groups(tmp_path / "groups.npy", tmp_path / "d.csv").tolist() == [0, 1, 2, 0]
    (tmp_path / "d.csv").write_text("pair,row_a,row_b\n")
    assert read_test_groups(tmp_path / "groups.npy", tmp_path / "d.csv").tolist() == [0, 1, 2, 3]


def test_too_few_images_or_groups_are_refused():
    with pytest.raises(InputError, match="at least 2 test images"):
        summarize(np.ones((3, 1), bool))
    with pytest.raises(InputError, match="one group"):
        summarize(np.ones((3, 4), bool), np.zeros(4, int))
    with pytest.raises(InputError, match="same test images"):
        difference(fixed(first(3, 5)), fixed(first(3, 6)), ("a", "b"), NOTHING)


def test_balanced_accuracy_is_the_mean_of_recalls_with_the_variance_of_both():
    classes = np.repeat([0, 1], [80, 20])
    right = np.hstack([first(60, 80), first(10, 20)])
    cell = fixed(right, classes=classes)
    assert cell.mean == pytest.approx((0.75 + 0.5) / 2)
    expected = (0.75 * 0.25 / 80 + 0.5 * 0.5 / 20) / 4  # each recall's variance, halved twice
    assert (cell.influence**2).sum() == pytest.approx(expected, rel=0.03)


# --- seeds -------------------------------------------------------------------------------------------------------------


def posterior_sd(seen: dict, cell: str) -> float:
    return float(np.sqrt(SeedSpread(seen).single(cell) @ TAU2))


def test_cells_that_are_alike_lend_each_other_strength():
    one = Seen(1e-4, 1e-5, 0.1, 2)
    alone, among = SeedSpread({"a": one}), SeedSpread(dict.fromkeys("abcdefghij", one))
    for spread in (alone, among):
        assert spread.single("a").sum() == pytest.approx(1)
    truth = np.sqrt((1e-4 - 1e-5) / 0.1)
    many = posterior_sd(dict.fromkeys("abcdefghij", one), "a")
    assert truth < many < 2 * truth < posterior_sd({"a": one}, "a")


def test_an_unstable_cell_speaks_for_itself():
    seen = {name: Seen(1e-6, 1e-6, 0.1, 5) for name in "abcdefgh"} | {"wild": Seen(4e-3, 1e-6, 0.1, 5)}
    assert posterior_sd(seen, "wild") > 10 * posterior_sd(seen, "a")


def test_the_joint_distribution_of_two_cells_has_their_own_as_margins():
    spread = SeedSpread({"a": Seen(1e-4, 1e-5, 0.1, 3), "b": Seen(1e-5, 1e-5, 0.2, 2), "one": Seen(0, 0, 0.1, 1)})
    for a, b in (("a", "b"), ("b", "one")):
        assert spread.pair(a, b).sum(axis=1) == pytest.approx(spread.single(a))
        assert spread.pair(a, b).sum(axis=0) == pytest.approx(spread.single(b))


def test_one_seed_each_has_no_p_value_for_recipes_but_an_interval_for_the_models():
    found = compared(first(90, 100), first(70, 100))
    assert (found["p"], found["p_worse_a"], found["p_worse_b"]) == (None, None, None)
    assert found["ci_low"] > 0


def test_a_cell_with_one_seed_left_borrows_from_the_others():
    rng = np.random.default_rng(2)
    cells = {name: summarize(drawn(rng, [0.75, 0.85, 0.8], 300)) for name in "bcde"}
    cells["a"] = summarize(drawn(rng, [0.8], 300))
    spread = learn(cells)
    left, full = (difference(cells[name], cells["b"], (name, "b"), spread) for name in "ac")
    assert left["p"] is not None
    assert np.ptp([left["ci_low"], left["ci_high"]]) > np.ptp([full["ci_low"], full["ci_high"]])


# --- differences -------------------------------------------------------------------------------------------------------


def test_five_images_of_many_that_differ_one_way_are_no_more_than_the_exact_test_says():
    a, b = first(10_000, 10_000), first(9_995, 10_000)
    p = difference(fixed(a), fixed(b), ("a", "b"), NOTHING)["p"]
    assert p == pytest.approx(mcnemar(a, b)[0], abs=0.005)


def test_the_interval_grows_with_the_images_that_differ_from_none_on():
    halves = []
    for differ in range(5):
        found = difference(fixed(first(600, 600)), fixed(first(600 - differ, 600)), ("a", "b"), NOTHING)
        halves.append(found["ci_high"] - found["difference"])
        assert (found["p"] == 1) == (differ == 0)
    assert halves == sorted(halves) and halves[0] > 0


def test_p_and_interval_agree_and_turn_with_the_order():
    rng = np.random.default_rng(3)
    for _ in range(20):
        cells = {"a": summarize(drawn(rng, [0.9, 0.88], 200)), "b": summarize(drawn(rng, [0.8, 0.84, 0.86], 200))}
        spread = learn(cells)
        one = difference(cells["a"], cells["b"], ("a", "b"), spread)
        other = difference(cells["b"], cells["a"], ("b", "a"), spread)
        assert (one["p"] < 0.05) == (one["ci_low"] > 0 or one["ci_high"] < 0)
        assert (one["p_worse_a"] < 0.025) == (one["ci_low"] > -0.01)
        assert one["p"] == pytest.approx(other["p"])
        assert (one["difference"], one["ci_low"]) == pytest.approx((-other["difference"], -other["ci_high"]))
        assert one["p_worse_a"] == pytest.approx(other["p_worse_b"])


def test_more_seeds_would_give_the_variance_that_is_told():
    rng = np.random.default_rng(4)
    cells = {name: summarize(drawn(rng, rng.normal(0.8, 0.03, 3), 500)) for name in "abcdef"}
    found = difference(cells["a"], cells["b"], ("a", "b"), learn(cells))
    assert found["fixed_variance"] >= 0 and found["variance_per_seed"] > 0
    half = 1.96 * np.sqrt(found["fixed_variance"] + found["variance_per_seed"] / 3)
    assert half == pytest.approx((found["ci_high"] - found["ci_low"]) / 2, rel=0.3)
    assert found["detectable"] > (found["ci_high"] - found["ci_low"]) / 2


def test_a_mixture_of_one_is_the_distribution_itself():
    for df, exact in ((1e9, stats.norm), (7.0, stats.t(7))):
        one = Mixture(np.ones(1), np.array([4.0]), df)
        assert one.quantile(0.05) == pytest.approx(2 * exact.ppf(0.975), rel=1e-6)
        assert one.tail(3.0) == pytest.approx(2 * exact.sf(1.5))
        assert one.above(-3.0) == pytest.approx(exact.cdf(1.5))


def test_cohens_h_by_hand_and_its_interval_holds_zero_where_the_differences_does():
    found = effect_size(0.75, 0.5, 0.1, 0.4)
    assert found["effect_size"] == pytest.approx(2 * np.pi / 3 - np.pi / 2)
    assert found["effect_low"] < found["effect_size"] < found["effect_high"]
    assert effect_size(0.9995, 1.0, -0.001, 0.0)["effect_high"] == 0
    assert effect_size(1.0, 0.0, 0.9, 1.0)["effect_high"] == pytest.approx(np.pi)


def test_mcnemar_is_the_exact_binomial_test():
    a = np.array([[1] * 8 + [0] * 2 + [1] * 10], dtype=bool)
    b = np.array([[0] * 8 + [1] * 2 + [1] * 10], dtype=bool)
    assert mcnemar(a, b)[0] == pytest.approx(stats.binomtest(2, 10).pvalue)
    assert mcnemar(a, a)[0] == 1.0


def test_holm_by_hand_where_some_pairs_have_no_p():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, np.nan, 0.06, 0.06], nan_ok=True)
    assert len(holm([])) == 0


def test_holm_is_statsmodels_bit_by_bit(monkeypatch):
    monkeypatch.setattr(gc, "collect", lambda: 0)  # it does so in every call
    rng = np.random.default_rng(0)
    for count in (0, 1, 2, 3, 7, 40):
        for scale in (0.001, 0.05, 1.0):
            p = np.round(rng.random(count) * scale, rng.integers(2, 6))  # with ties and zeros
            expected = multipletests(p, method="holm")[1] if count else p
            assert holm(p).tolist() == expected.tolist()


def test_win_tie_loss_counts_both_ways_round():
    pairs = [("a", "b", 0.1, 0.01), ("a", "b", -0.1, 0.01), ("a", "b", 0.1, 0.05), ("b", "c", 0.2, 0.04)]
    counts = win_tie_loss([*pairs, ("a", "c", 0.3, np.nan)])
    assert counts["a", "b"] == [1, 1, 1]
    assert counts["b", "c"] == [1, 0, 0]
    assert counts["c", "b"] == [0, 0, 1]
    assert ("a", "c") not in counts
    for (a, b), outcome in counts.items():
        assert counts[b, a] == outcome[::-1]
