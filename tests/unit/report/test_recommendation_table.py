import numpy as np
import pandas as pd
import pytest
from unit.synthetic import evaluate_study, write_study

from ftbench.evaluate.statistics import holm
from ftbench.report.layout.frames import read_table
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


def test_the_cheapest_is_the_cheapest_of_those_that_no_test_tells_from_the_best(paths, table):
    comparison = read_table(paths["comparison"])
    comparison["minutes"] = (comparison["train_seconds"] + comparison["tuning_seconds"]) / 60
    names = comparison["strategy"] + " on " + comparison["backbone"]
    differences = read_table(paths["differences"])
    for (dataset, _), row in table[table["cells"] > 0].iterrows():
        best = f"{row['best_strategy']} on {row['best_backbone']}"
        candidates = {best, *str(row["indistinguishable"]).split("; ")}
        own = comparison[(comparison["dataset"] == dataset) & names.isin(candidates)]
        assert row["cheapest_by"] in ("minutes", "latency_ms")
        if row["cheapest_by"] == "minutes":
            assert row["cheapest_minutes"] == pytest.approx(own["minutes"].min())
        cheapest = f"{row['cheapest_strategy']} on {row['cheapest_backbone']}"
        assert row["cheapest_accuracy"] - row["best_accuracy"] == pytest.approx(row["cheapest_difference"])
        if cheapest != best:
            pair = differences[(differences["dataset"] == dataset)]
            ends = {
                f"{a} on {b}"
                for a, b in (
                    (row["cheapest_strategy"], row["cheapest_backbone"]),
                    (row["best_strategy"], row["best_backbone"]),
                )
            }
            found = pair[
                [
                    {f"{one.strategy_a} on {one.backbone_a}", f"{one.strategy_b} on {one.backbone_b}"} == ends
                    for one in pair.itertuples()
                ]
            ]
            assert abs(found.iloc[0]["difference"]) == pytest.approx(abs(row["cheapest_difference"]))
            width = found.iloc[0]["ci_high"] - found.iloc[0]["ci_low"]
            assert row["cheapest_difference_high"] - row["cheapest_difference_low"] == pytest.approx(width)
        else:
            assert row["cheapest_difference_low"] == row["cheapest_difference_high"] == 0


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


def pairs(*rows):
    keys = [("b", a, "b", b) for a, b, *_ in rows]
    frame = pd.DataFrame([row[2:] for row in rows], columns=["difference", "ci_low", "ci_high", "p"])
    frame.index = pd.MultiIndex.from_tuples(keys)
    return frame


def test_by_hand():
    cells = pd.DataFrame([cell("x", 0.90, 0.80, 9.0), cell("y", 0.95, 0.85, 5.0), cell("z", 0.80, 0.86, 1.0)])
    differences = pairs(
        ("x", "y", -0.05, -0.08, -0.02, 0.01), ("x", "z", 0, 0, 0, 1), ("y", "z", -0.01, -0.04, 0.02, 0.5)
    )
    row = recommend_one(cells, differences, {})
    assert (row["best_strategy"], row["indistinguishable"], row["cheapest_strategy"]) == ("y", "z on b", "z")
    assert row["cheapest_difference"] == pytest.approx(0.01)  # z minus y, although the pair stands the other way round
    assert (row["cheapest_difference_low"], row["cheapest_difference_high"]) == pytest.approx((-0.02, 0.04))
    assert (row["on_test_strategy"], row["on_test_gain"]) == ("z", pytest.approx(0.01))
    assert holm(np.array([0.01, 0.5]))[0] == 0.02  # so x is told from y
    only = recommend_one(cells, differences, {"minutes": 0.5})
    assert only["cells"] == 0
    assert "best_strategy" not in only


def test_a_cell_with_diverged_seeds_is_no_choice_beside_a_sound_one():
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0), cell("y", 0.99, 0.9, 5.0, diverged=1)])
    assert recommend_one(cells, pairs(("x", "y", -0.1, -0.2, 0.0, 0.06)), {})["best_strategy"] == "x"


def test_on_mixed_hardware_operations_decide_which_is_cheapest():
    """Nine minutes on one device and one on another have no order."""
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0, 100), cell("y", 0.8, 0.8, 1.0, 10)])
    cells["operations"] = [5.0, 7.0]
    differences = pairs(("x", "y", 0.0, -0.1, 0.1, 0.9))
    row = recommend_one(cells, differences, {})
    assert (row["cheapest_strategy"], row["cheapest_by"], row["mixed_hardware"]) == ("y", "minutes", False)
    cells["device_name"] = ["a GPU", "a CPU"]
    row = recommend_one(cells, differences, {"minutes": 10.0})
    assert (row["cheapest_strategy"], row["cheapest_by"], row["mixed_hardware"]) == ("x", "operations", True)
    row = recommend_one(cells, differences, {"parameters": 1000})
    assert (row["cheapest_strategy"], row["cheapest_by"]) == ("y", "parameters")


def test_the_choice_on_test_is_by_the_metric_that_selects():
    cells = pd.DataFrame([cell("x", 0.9, 0.80, 9.0), cell("y", 0.8, 0.85, 5.0), cell("z", 0.7, 0.70, 5.0)])
    cells["test_score"] = [0.50, 0.40, 0.60]  # balanced accuracies
    none = (0.0, -0.1, 0.1, 0.9)
    row = recommend_one(cells, pairs(("x", "y", *none), ("x", "z", *none), ("y", "z", *none)), {})
    assert (row["best_strategy"], row["on_test_strategy"], row["on_test_accuracy"]) == ("x", "z", 0.70)
    assert row["on_test_gain"] == pytest.approx(0.10)


def test_a_cheaper_cell_that_lost_seeds_is_not_named():
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0), cell("y", 0.8, 0.8, 1.0, diverged=2)])
    row = recommend_one(cells, pairs(("x", "y", 0.0, -0.1, 0.1, 0.9)), {})
    assert (row["indistinguishable"], row["cheapest_strategy"]) == ("y on b", "x")


def test_a_cheaper_cell_that_is_worse_by_its_own_interval_is_not_named():
    """Holm's correction over three pairs takes p from 0.02 to 0.06: not told apart, and still no bargain."""
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 9.0), *(cell(name, 0.8, 0.8, 1.0 + k) for k, name in enumerate("yzw"))])
    worse, equal = (0.1, 0.02, 0.18, 0.02), (0.0, -0.1, 0.1, 0.9)
    row = recommend_one(cells, pairs(("x", "y", *worse), ("x", "z", *equal), ("x", "w", *equal)), {})
    assert (row["indistinguishable_cells"], row["cheapest_strategy"]) == (3, "z")


def test_the_cheapest_is_by_the_only_resource_that_is_limited():
    cells = pd.DataFrame([cell("x", 0.9, 0.8, 1.0, 100), cell("y", 0.8, 0.8, 9.0, 10)])
    differences = pairs(("x", "y", 0.0, -0.1, 0.1, 0.9))
    assert recommend_one(cells, differences, {"parameters": 200})["cheapest_strategy"] == "y"
    assert recommend_one(cells, differences, {"parameters": 200, "minutes": 10})["cheapest_strategy"] == "x"


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
