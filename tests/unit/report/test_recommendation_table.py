import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from unit.synthetic import evaluate_study, write_study

from ftbench.compare.crossfit import Run, crossfitted_accuracy
from ftbench.report.layout.frames import read_table
from ftbench.report.layout.words import ITSELF, OPEN, SHOWN, UNKNOWN_COST, UNTESTED, WORSE
from ftbench.report.recommendation.recommendation_table import COLUMNS, recommend_one
from ftbench.report.uncertainty.ranks_tables import rank_cells, ranks_table

BUDGETS = {
    "quick": {"minutes": 5.0, "parameters": None, "latency_ms": None},
    "tiny": {"minutes": None, "parameters": 10_000, "latency_ms": None},
    "fast": {"minutes": None, "parameters": None, "latency_ms": 5.0},
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    return evaluate_study(write_study(root, datasets=("shapes", "zeta")), root / "tables", BUDGETS)


@pytest.fixture(scope="module")
def table(paths):
    return read_table(paths["recommendation"]).set_index(["dataset", "budget"])


def test_a_row_per_data_set_and_budget_the_unlimited_one_first(paths, table):
    assert list(pd.read_csv(paths["recommendation"]).columns) == COLUMNS
    assert list(table.index) == [(data, name) for data in ("shapes", "zeta") for name in ("no limit", *BUDGETS)]


def test_without_a_limit_the_choice_is_the_recommended_cell(paths, table):
    comparison = read_table(paths["comparison"])
    pairwise = read_table(paths["pairwise"]).query("family == 'recommended'")
    for dataset in ("shapes", "zeta"):
        row = table.loc[(dataset, "no limit")]
        own = comparison[(comparison["dataset"] == dataset)]
        best = own[own["recommended"]].iloc[0]
        assert (row["best_backbone"], row["best_strategy"]) == (best["backbone"], best["strategy"])
        assert row["best_accuracy"] == best["accuracy_mean"]
        assert row["best_validation"] == pytest.approx(best["validation_accuracy"])
        assert row["cells"] == own["accuracy_mean"].notna().sum()
        against = pairwise[pairwise["dataset"] == dataset]
        same = against[against["p_holm"] >= 0.05]
        names = same["strategy_a"] + " on " + same["backbone_a"]
        assert set(row["indistinguishable"].split("; ")) == set(names)
        assert row["on_test_accuracy"] == own["accuracy_mean"].max()
        assert row["on_test_gain"] == pytest.approx(own["accuracy_mean"].max() - best["accuracy_mean"])


def test_the_cheapest_is_named_only_where_its_test_and_its_interval_show_it(table):
    for _, row in table[table["cells"] > 0].iterrows():
        cheapest = f"{row['cheapest_strategy']} on {row['cheapest_backbone']}"
        best = f"{row['best_strategy']} on {row['best_backbone']}"
        assert row["cheapest_why"] in (SHOWN, ITSELF, WORSE, OPEN, UNTESTED)
        assert pd.notna(row["cheapest_strategy"]) == (row["cheapest_why"] in (SHOWN, ITSELF, WORSE))
        assert (cheapest == best) == (row["cheapest_why"] in (ITSELF, WORSE))
        if row["cheapest_why"] == SHOWN:
            assert row["cheapest_minutes"] < row["best_minutes"] or row["cheapest_by"] != "minutes"
            assert row["cheapest_difference_low"] >= -row["margin"]
            assert row["cheapest_accuracy"] - row["best_accuracy"] == pytest.approx(row["cheapest_difference"])


def test_budgets_bound_what_they_name(paths, table):
    for dataset in ("shapes", "zeta"):
        assert table.loc[(dataset, "quick")]["best_minutes"] <= 5
        assert table.loc[(dataset, "quick")]["cells"] == 4  # the probes and the untuned recipe
        assert table.loc[(dataset, "tiny")]["cells"] == 0
        assert pd.isna(table.loc[(dataset, "tiny")]["best_strategy"])
        assert table.loc[(dataset, "fast")]["best_latency_ms"] <= 5


def cell(strategy, validation, accuracy, minutes, parameters=10, diverged=0):
    return {
        "backbone": "b", "strategy": strategy, "validation_score": validation, "validation_nll": 1.0, "diverged_seeds": diverged,
        "accuracy_mean": accuracy, "test_score": accuracy, "accuracy_ci_low": accuracy - 0.1, "accuracy_ci_high": accuracy + 0.1, "minutes": minutes,
        "total_params": parameters, "latency_ms_batch1": 1.0, "operations": 1.0, "device_name": "CPU", "threads": "1",
    }  # fmt: skip


def pairs(*rows, fixed=0.0):
    """Rows of (a, b, difference a - b, the half-width of its interval); p values are a normal error's."""
    keys, values = [("b", a, "b", b) for a, b, *_ in rows], []
    for *_, gap, half in rows:
        error = half / 1.96
        worse = [norm.sf((0.01 + sign * gap) / error) for sign in (1, -1)]
        values.append([gap, gap - half, gap + half, 2 * norm.sf(abs(gap) / error), *worse])
    columns = ("difference", "ci_low", "ci_high", "p", "p_worse_a", "p_worse_b")
    frame = pd.DataFrame(values, columns=[f"chosen_{name}" for name in columns], index=pd.MultiIndex.from_tuples(keys))
    errors = np.array([half / 1.96 for *_, half in rows]) ** 2
    return frame.assign(fixed_variance=fixed, variance_per_seed=3 * np.maximum(errors - fixed, 0))


def test_by_hand():
    cells = pd.DataFrame([cell("x", 0.90, 0.80, 9.0), cell("y", 0.95, 0.85, 5.0), cell("z", 0.80, 0.86, 1.0)])
    row = recommend_one(cells, pairs(("x", "y", -0.05, 0.03), ("x", "z", 0, 1), ("y", "z", -0.01, 0.015)), {})
    assert (row["best_strategy"], row["indistinguishable"], row["cheapest_strategy"]) == ("y", "z on b", "z")
    assert row["cheapest_difference"] == pytest.approx(0.01)  # z minus y, although the pair stands the other way round
    assert (row["cheapest_difference_low"], row["cheapest_difference_high"]) == pytest.approx((-0.005, 0.025))
    assert (row["on_test_strategy"], row["on_test_gain"]) == ("z", pytest.approx(0.01))
    only = recommend_one(cells, pairs(("x", "y", -0.05, 0.03)), {"minutes": 0.5})
    assert only["cells"] == 0
    assert "best_strategy" not in only


def two(difference, half, **changes):
    """The best cell x, and y, which costs less and is that much better, with an interval of that half-width."""
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0), cell("y", 0.8, 0.8, 1.0, **changes)])
    return recommend_one(cells, pairs(("y", "x", difference, half)), {})


def test_a_cell_is_not_named_because_nothing_tells_it_apart():
    """Two seeds that disagree tell nothing apart: that is no reason to call a cell as good."""
    row = two(-0.005, 0.2)
    assert (row["indistinguishable"], row["cheapest_why"], row["seeds_needed"]) == ("y on b", OPEN, None)
    assert "cheapest_strategy" not in row
    row = two(-0.002, 0.01)
    # (0.01 - 0.002)² = 1.96² · 3 (0.01/1.96)² / S
    assert (row["cheapest_why"], row["seeds_needed"], row["seeds_needed_for"]) == (OPEN, 5, "y on b")
    assert two(-0.002, 0.007)["cheapest_strategy"] == "y"


def test_a_cheaper_cell_that_measures_worse_leaves_the_best_one():
    row = two(-0.02, 0.05)
    assert (row["cheapest_why"], row["cheapest_strategy"], row["cheapest_difference"]) == (WORSE, "x", 0.0)
    dear = pd.DataFrame([cell("x", 0.9, 0.8, 1.0), cell("y", 0.8, 0.8, 9.0)])
    assert recommend_one(dear, pairs(("y", "x", 0.0, 0.001)), {})["cheapest_why"] == ITSELF


def test_without_p_values_nothing_is_told_and_nothing_named():
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0), cell("y", 0.8, 0.8, 1.0)])
    untold = pairs(("y", "x", 0.0, 0.001)).assign(chosen_p=np.nan, chosen_p_worse_a=np.nan, chosen_p_worse_b=np.nan)
    row = recommend_one(cells, untold, {})
    assert (row["indistinguishable_cells"], row["untested_cells"], row["cheapest_why"]) == (0, 1, UNTESTED)


def test_holms_correction_counts_the_cheaper_cells():
    """p of 0.02 for each of three cells is 0.06 for the family: none is shown."""
    half = 1.96 * 0.01 / norm.isf(0.02)
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0), *(cell(name, 0.8, 0.8, 1.0 + k) for k, name in enumerate("yzw"))])
    three = pairs(*((name, "x", 0.0, half) for name in "yzw"))
    assert recommend_one(cells, three, {})["cheapest_why"] == OPEN
    assert recommend_one(cells.iloc[:2], three, {})["cheapest_strategy"] == "y"


def test_a_cell_with_diverged_seeds_is_no_choice_beside_a_sound_one():
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0), cell("y", 0.99, 0.9, 5.0, diverged=1)])
    assert recommend_one(cells, pairs(("x", "y", -0.1, 0.1)), {})["best_strategy"] == "x"
    assert two(0.0, 0.001, diverged=2)["cheapest_why"] == ITSELF


def test_on_mixed_hardware_operations_decide_which_is_cheapest():
    """Nine minutes on one device and one on another have no order."""
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0, 100), cell("y", 0.8, 0.8, 1.0, 10)])
    cells["operations"] = [5.0, 7.0]
    differences = pairs(("x", "y", 0.0, 0.001))
    row = recommend_one(cells, differences, {})
    assert (row["cheapest_strategy"], row["cheapest_by"], row["mixed_hardware"]) == ("y", "minutes", False)
    cells["device_name"] = ["a GPU", "a CPU"]
    row = recommend_one(cells, differences, {"minutes": 10.0})
    assert (row["cheapest_strategy"], row["cheapest_by"], row["mixed_hardware"]) == ("x", "operations", True)
    row = recommend_one(cells, differences, {"parameters": 1000})
    assert (row["cheapest_strategy"], row["cheapest_by"]) == ("y", "parameters")


@pytest.mark.parametrize("limits", [{}, {"minutes": 10.0}, {"parameters": 10}, {"latency_ms": 10.0}])
def test_a_cell_of_unknown_cost_keeps_no_budget_on_it_and_is_never_the_cheapest(limits):
    unknown = dict.fromkeys(
        ("minutes", "total_params", "latency_ms_batch1", "operations", "device_name", "threads"), np.nan
    )
    differences = pairs(("x", "y", 0.0, 0.001))
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0), cell("y", 0.8, 0.8, 1.0) | unknown])
    row = recommend_one(cells, differences, limits)
    assert (row["cells"], row["cheapest_strategy"]) == (1 if limits else 2, "x")
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0) | unknown, cell("y", 0.8, 0.8, 1.0)])
    row = recommend_one(cells, differences, limits)
    assert (row["best_strategy"], row["cheapest_why"]) == (("y", ITSELF) if limits else ("x", UNKNOWN_COST))
    assert row.get("cheapest_strategy") == ("y" if limits else None)


def test_the_choice_on_test_is_by_the_metric_that_selects():
    cells = pd.DataFrame([cell("x", 0.9, 0.80, 9.0), cell("y", 0.8, 0.85, 5.0), cell("z", 0.7, 0.70, 5.0)])
    cells["test_score"] = [0.50, 0.40, 0.60]  # balanced accuracies
    row = recommend_one(cells, pairs(*((a, b, 0.0, 0.1) for a, b in ("xy", "xz", "yz"))), {})
    assert (row["best_strategy"], row["on_test_strategy"], row["on_test_accuracy"]) == ("x", "z", 0.70)
    assert row["on_test_gain"] == pytest.approx(0.10)


def test_the_cheapest_is_by_the_only_resource_that_is_limited():
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 1.0, 100), cell("y", 0.8, 0.8, 9.0, 10)])
    differences = pairs(("x", "y", 0.0, 0.001))
    assert recommend_one(cells, differences, {"parameters": 200})["cheapest_strategy"] == "y"
    assert recommend_one(cells, differences, {"parameters": 200, "minutes": 10})["cheapest_strategy"] == "x"


def test_the_crossfitted_accuracy_is_free_of_the_luck_of_the_seeds_that_chose():
    """Ten cells of one true accuracy: the winner looks better than it is, and the seed that did not choose it does not."""
    rng, plain, honest = np.random.default_rng(0), [], []
    for _ in range(300):
        luck = rng.normal(0, 0.02, (10, 2))
        runs = {
            number: {"stochastic": True, "diverged": 0, "runs": {seed: Run(0.9 + x, 1.0, 0.8 + x) for seed, x in enumerate(own)}}
            for number, own in enumerate(luck)
        }  # fmt: skip
        plain.append(0.8 + luck.mean(axis=1).max())
        honest.append(crossfitted_accuracy(runs))
    assert np.mean(plain) > 0.815
    assert np.mean(honest) == pytest.approx(0.8, abs=0.004)
    fixed = {"a": {"stochastic": False, "diverged": 0, "runs": {0: Run(0.9, 1.0, 0.7)}}}
    assert crossfitted_accuracy(fixed) == 0.7
    assert crossfitted_accuracy(fixed | {"b": fixed["a"] | {"stochastic": True}}) is None


def study_of(accuracies: np.ndarray) -> pd.DataFrame:
    """A comparison table of one backbone: (data sets, strategies) accuracies, NaN where a cell did not finish."""
    return pd.DataFrame(
        {"dataset": f"d{d:02d}", "backbone": "b", "strategy": f"s{s}", "accuracy_mean": value}
        for (d, s), value in np.ndenumerate(accuracies)
    )


def test_ranks_need_ten_data_sets():
    rng = np.random.default_rng(0)
    few = rank_cells(study_of(rng.random((9, 4))))
    assert few.p is None
    assert few.friedman_p is None
    assert "at least 10 data sets" in few.sentence
    assert "9 data sets and 4 cells" in few.sentence
    assert rank_cells(study_of(rng.random((10, 2)))).p is None  # two cells are a pair, not a ranking
    assert rank_cells(study_of(rng.random((10, 3)))).p.shape == (3, 3)


def test_ranks_by_hand_with_ties_and_a_cell_that_is_not_everywhere(tmp_path):
    accuracies = np.tile([0.9, 0.8, 0.8, 0.5], (12, 1)) + 0.001 * np.arange(12)[:, None]
    accuracies[3, 3] = np.nan
    ranks = rank_cells(study_of(accuracies))
    assert ranks.mean.to_dict() == {"s0 on b": 1.0, "s1 on b": 2.5, "s2 on b": 2.5}
    assert ranks.friedman_p < 0.001
    assert ranks.p.loc["s0 on b", "s1 on b"] < 0.05
    assert ranks.p.loc["s1 on b", "s2 on b"] > 0.9
    study_of(accuracies).to_csv(tmp_path / "comparison.csv", index=False)
    ranks_table(tmp_path / "comparison.csv", tmp_path / "ranks.csv")
    written = pd.read_csv(tmp_path / "ranks.csv")
    assert written["mean_rank"].tolist() == [1.0, 2.5, 2.5]
    assert set(written["blocks"]) == {12}


def test_entries_that_share_their_test_images_are_one_block():
    """Ten `train_limit` of one data set are not ten independent blocks."""
    accuracies = np.tile([0.9, 0.8, 0.7], (12, 1)) + 0.001 * np.arange(12)[:, None]
    frame = study_of(accuracies)
    one = rank_cells(frame, {name: "a" if name < "d10" else name for name in frame["dataset"]})
    assert (one.blocks, one.p) == (3, None)
    assert "3 data sets (12 entries, of which some share their test images)" in one.sentence
    assert rank_cells(frame, {name: name for name in frame["dataset"]}).blocks == 12
