"""What to pick: for every budget the best cell by validation, the cells no test tells from it, and the cheapest of those.

The choice looks at validation scores alone and is then reported on the test set, so the winner's score is not the luckiest of
many. What a choice on the test set would have shown instead stands beside it.
"""

import pandas as pd

from ftbench.evaluate.cells import CELL, MEASURED, recommended_cell
from ftbench.evaluate.statistics import holm
from ftbench.report.layout.columns import (
    Column,
    as_decimal,
    as_text,
    as_whole,
)
from ftbench.report.layout.formats import (
    MISSING,
    count,
    duration,
    interval,
    points,
)
from ftbench.report.layout.frames import mixed_hardware, read_table, write_csv
from ftbench.report.layout.pages import MIXED_NOTE, publish

RECOMMENDATION = {
    "Dataset": as_text("dataset"),
    "Budget": Column(lambda row: row.budget + _limits(row)),
    "Best by validation": Column(lambda row: cell_name(row, "best") if row.cells else "no finished cell keeps it"),
    "its test accuracy, %": Column(
        lambda row: interval(row.best_accuracy, row.best_ci_low, row.best_ci_high), "best_accuracy"
    ),
    "Cells in it": as_whole("cells"),
    "Not told from it": as_whole("indistinguishable_cells"),
    "Cheapest of these": Column(lambda row: cell_name(row, "cheapest")),
    "its difference, points": Column(
        lambda row: (
            MISSING
            if pd.isna(row.cheapest_difference)
            else "0, the best itself"
            if cell_name(row, "cheapest") == cell_name(row, "best")
            else points(row.cheapest_difference, row.cheapest_difference_low, row.cheapest_difference_high)
        ),
        "cheapest_difference",
    ),
    "its training": Column(lambda row: duration(60 * row.cheapest_minutes), "cheapest_minutes"),
    "its parameters": Column(
        lambda row: MISSING if pd.isna(row.cheapest_parameters) else count(row.cheapest_parameters),
        "cheapest_parameters",
    ),
    "its latency, ms": as_decimal("cheapest_latency_ms", ".1f"),
    "Best on test": Column(lambda row: cell_name(row, "on_test")),
    "gained by choosing on test, points": Column(
        lambda row: MISSING if pd.isna(row.on_test_gain) else f"{100 * row.on_test_gain:+.2f}", "on_test_gain"
    ),
}

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


def cell_name(row, who: str) -> str:
    strategy = getattr(row, f"{who}_strategy")
    return MISSING if pd.isna(strategy) else f"{strategy} on {getattr(row, f'{who}_backbone')}"


def _limits(row) -> str:
    """' (≤ 5 min, ≤ 3.4 M parameters)': a budget's limits in words."""
    shown = {
        "limit_minutes": lambda value: f"≤ {duration(60 * value)}",
        "limit_parameters": lambda value: f"≤ {count(value)} parameters",
        "limit_latency_ms": lambda value: f"≤ {value:g} ms",
    }
    words = [say(getattr(row, name)) for name, say in shown.items() if pd.notna(getattr(row, name))]
    return f" ({', '.join(words)})" if words else ""


def recommendation_pages(recommendation_csv, out: dict) -> None:
    """Write the recommendation of every data set and budget."""
    frame = read_table(recommendation_csv)
    notes = [
        "a budget bounds the training time of one model with its tuning, the parameters of the whole network, or the latency of one image",
        "best: highest validation score among the cells that keep the budget; its test accuracy played no part",
        "not told from it: cells whose difference to the best one has p of at least 0.05 after Holm's correction within the budget. They are "
        "not proven equal: the interval of the difference says how much worse the cheapest may be",
        "cheapest: least of the resource that the budget limits, or least training time where it limits none or several; a cell whose interval "
        "of the difference lies wholly below zero is not named",
        *([MIXED_NOTE + ", and decide here which is cheapest"] if frame["mixed_hardware"].fillna(False).any() else []),
        "gained by choosing on test: what the score of the winner would have been flattered by, had the test set chosen it",
    ]
    subtitle = "Chosen on validation, reported on the test set."
    publish(frame, RECOMMENDATION, out, "What to pick", subtitle, notes)
