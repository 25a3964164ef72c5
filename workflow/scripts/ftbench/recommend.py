"""What to pick: for every budget the best cell by validation, the cells no test tells from it, and the cheapest of those.

The choice looks at validation scores alone and is then reported on the test set, so the winner's score is not the luckiest of
many. What a choice on the test set would have shown instead stands beside it.
"""

import pandas as pd

from ftbench.collect import CELL
from ftbench.compare import MEASURED, recommended_cell
from ftbench.statistics import holm
from ftbench.tables import mixed_hardware, read_table, write_csv

ALPHA = 0.05
UNLIMITED = "no limit"
# A budget's key -> the column of comparison.csv that it bounds.
LIMITS = {"minutes": "minutes", "parameters": "total_params", "latency_ms": "latency_ms_batch1"}
FACTS = {"accuracy": "accuracy_mean", "ci_low": "accuracy_ci_low", "ci_high": "accuracy_ci_high", **LIMITS}
COLUMNS = [
    "dataset",
    "budget",
    *(f"limit_{name}" for name in LIMITS),
    "cells",
    "best_backbone",
    "best_strategy",
    "best_validation",
    *(f"best_{name}" for name in FACTS),
    "indistinguishable_cells",
    "indistinguishable",
    "cheapest_by",
    "mixed_hardware",
    "cheapest_backbone",
    "cheapest_strategy",
    *(f"cheapest_{name}" for name in FACTS),
    "cheapest_difference",
    "cheapest_difference_low",
    "cheapest_difference_high",
    "on_test_backbone",
    "on_test_strategy",
    "on_test_accuracy",
    "on_test_gain",
]


def _facts(cell, who: str) -> dict:
    named = {f"{who}_backbone": cell["backbone"], f"{who}_strategy": cell["strategy"]}
    return named | {f"{who}_{name}": cell[column] for name, column in FACTS.items()}


def _difference(pairs: pd.DataFrame, a, b) -> tuple[float, float, float, float]:
    """Difference of accuracies a minus b, its interval and its p, from the one row that has the two, either way round."""
    for one, other, sign in ((a, b, 1), (b, a, -1)):
        key = (one["backbone"], one["strategy"], other["backbone"], other["strategy"])
        if key in pairs.index:
            row = pairs.loc[key]
            ends = sorted((sign * row["ci_low"], sign * row["ci_high"]))
            return sign * row["difference"], *ends, row["p"]
    raise KeyError(f"no difference of {a['strategy']} on {a['backbone']} and {b['strategy']} on {b['backbone']}")


def within(cells: pd.DataFrame, limits: dict) -> pd.DataFrame:
    """The cells that keep every limit of a budget; `limits` maps the keys of `LIMITS` to a number or None."""
    for name, limit in limits.items():
        if limit is not None:
            cells = cells[cells[LIMITS[name]] <= limit]
    return cells


def recommend_one(cells: pd.DataFrame, pairs: pd.DataFrame, limits: dict) -> dict:
    """The row of one data set and budget: `COLUMNS` without the names.

    Cells are indistinguishable from the best one where their difference to it has p of at least 0.05, corrected by Holm's method
    over the budget's cells. The cheapest is the one that takes least of the one resource that the budget limits, or least
    time for training with tuning where it limits none or several (least operations, where the cells ran on different hardware, whose
    seconds have no order); a cell with more diverged seeds than the best is not named, nor one whose own interval lies wholly below
    the best one's accuracy: with many cells Holm's correction lets even that pass as not told apart.
    """
    kept = within(cells, limits)
    row = {f"limit_{name}": limits.get(name) for name in LIMITS} | {"cells": len(kept)}
    if kept.empty:
        return row
    scores = {
        number: {"validation": one["validation_score"], "nll": one["validation_nll"], "diverged": one["diverged_seeds"]}
        for number, one in kept.iterrows()
    }
    best = kept.loc[recommended_cell(scores)]
    others = [one for number, one in kept.iterrows() if number != best.name]
    differences = [_difference(pairs, one, best) for one in others]
    corrected = holm([p for *_, p in differences])
    same = [(one, gap) for one, gap, p in zip(others, differences, corrected) if p >= ALPHA]
    sound = [(one, gap) for one, gap in same if one["diverged_seeds"] <= best["diverged_seeds"] and gap[2] >= 0]
    limited = [name for name in LIMITS if limits.get(name) is not None]
    resource = limited[0] if len(limited) == 1 else "minutes"
    mixed = mixed_hardware(kept)
    if mixed and resource == "minutes":
        resource = "operations"
    column = LIMITS.get(resource, "operations")
    # The best one comes first, so a tie goes to it.
    cheapest, gap = min([(best, (0.0, 0.0, 0.0, 1.0)), *sound], key=lambda one: one[0][column])
    on_test = kept.loc[kept["test_score"].idxmax()]
    return row | {
        **_facts(best, "best"),
        "best_validation": best["validation_score"],
        "indistinguishable_cells": len(same),
        "indistinguishable": "; ".join(f"{one['strategy']} on {one['backbone']}" for one, _ in same),
        "cheapest_by": resource,
        "mixed_hardware": mixed,
        **_facts(cheapest, "cheapest"),
        **dict(zip(("cheapest_difference", "cheapest_difference_low", "cheapest_difference_high"), gap)),
        "on_test_backbone": on_test["backbone"],
        "on_test_strategy": on_test["strategy"],
        "on_test_accuracy": on_test["accuracy_mean"],
        "on_test_gain": on_test["test_score"] - best["test_score"],
    }


def recommendation_table(comparison_csv, cells_csv, differences_csv, budgets: dict, metric: str, out) -> None:
    """Write recommendation.csv: `COLUMNS`, a row per data set and budget, the first one without any limit.

    `budgets` maps a name to {"minutes", "parameters", "latency_ms"}, each a number or None: minutes of training one model with its
    tuning, parameters of the whole network, milliseconds per image in batches of one. Accuracies are fractions on the test set;
    best_validation is the score that chose, by the study's selection `metric`. `on_test_gain` is what choosing by the same metric on the
    test set would have added to it; the tests of differences are those of accuracy.
    """
    table = read_table(comparison_csv)
    chosen_by = read_table(cells_csv)[[*CELL, "validation_score", "validation_nll"]]
    table = table.merge(chosen_by, on=CELL, validate="one_to_one", how="left")
    table["test_score"] = table[MEASURED[metric]]
    table["operations"] = table["train_flops"] + table["tuning_flops"]
    table["minutes"] = (table["train_seconds"] + table["tuning_seconds"]) / 60
    differences = read_table(differences_csv)
    rows = []
    for dataset, own in table.groupby("dataset", sort=False):
        finished = own[own["accuracy_mean"].notna()]
        pairs = differences[differences["dataset"] == dataset]
        pairs = pairs.set_index(["backbone_a", "strategy_a", "backbone_b", "strategy_b"]).sort_index()
        for name, limits in {UNLIMITED: {}, **budgets}.items():
            rows.append({"dataset": dataset, "budget": name, **recommend_one(finished, pairs, limits)})
    write_csv(pd.DataFrame(rows, columns=COLUMNS), out)
