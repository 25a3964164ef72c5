"""What to pick: for every budget the best cell by validation, and the cheapest that is shown to be as good within the margin.

The choice looks at validation scores alone. Its seeds are the lucky ones of many all the same, so beside the plain accuracy stands that
of seeds that did not choose. What a choice on the test set would have shown stands there too.
"""

import pandas as pd

from ftbench.compare.crossfit import Run, crossfitted_accuracy
from ftbench.compare.statistics import holm
from ftbench.evaluate.cells import CELL, MEASURED, SELECTION, recommended_cell
from ftbench.evaluate.runs_csv import read_runs
from ftbench.report.layout.columns import Column, as_decimal, as_percent, as_text, as_whole
from ftbench.report.layout.formats import MISSING, count, duration, interval, points
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import MIXED_NOTE, publish
from ftbench.report.layout.words import (
    ALPHA,
    CHEAPEST_NOTE,
    INTERVALS_NOTE,
    NOT_TOLD_NOTE,
    cheapest_said,
)
from ftbench.report.recommendation.cheapest import FACTS, LIMITS, cheapest_of, difference_of, facts

RECOMMENDATION = {
    "Dataset": as_text("dataset"),
    "Budget": Column(lambda row: row.budget + _limits(row)),
    "Best by validation": Column(lambda row: cell_name(row, "best") if row.cells else "no finished cell keeps it"),
    "its test accuracy, %": Column(
        lambda row: interval(row.best_accuracy, row.best_ci_low, row.best_ci_high), "best_accuracy"
    ),
    "on seeds that did not choose it, %": as_percent("best_crossfitted"),
    "Cells in it": as_whole("cells"),
    "Not told from it": as_whole("indistinguishable_cells"),
    "Cheapest shown to be as good": Column(
        lambda row: MISSING if pd.isna(row.cheapest_why) else cheapest_said(row, cell_name(row, "cheapest"))
    ),
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

UNLIMITED = "no limit"
COLUMNS = [
    "dataset",
    "budget",
    "margin",
    *(f"limit_{name}" for name in LIMITS),
    "cells",
    "best_backbone",
    "best_strategy",
    "best_validation",
    *(f"best_{name}" for name in FACTS),
    "best_crossfitted",
    "indistinguishable_cells",
    "indistinguishable",
    "untested_cells",
    "cheapest_by",
    "cheapest_why",
    "seeds_needed",
    "seeds_needed_for",
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


def within(cells: pd.DataFrame, limits: dict) -> pd.DataFrame:
    """The cells that keep every limit of a budget; `limits` maps the keys of `LIMITS` to a number or None."""
    for name, limit in limits.items():
        if limit is not None:
            cells = cells[cells[LIMITS[name]] <= limit]
    return cells


def recommend_one(cells: pd.DataFrame, pairs: pd.DataFrame, limits: dict, margin: float = 0.01, runs=None) -> dict:
    """The row of one data set and budget: `COLUMNS` without the names.

    Cells are indistinguishable from the best one where their difference to it has p of at least 0.05, corrected by Holm's method
    over the budget's cells; those without p (one seed) are `untested_cells`. `runs` maps (backbone, strategy) to what
    `ftbench.compare.crossfit` reads.
    """
    kept = within(cells, limits)
    row = {f"limit_{name}": limits.get(name) for name in LIMITS} | {"cells": len(kept), "margin": margin}
    if kept.empty:
        return row
    scores = {
        number: {"validation": one["validation_score"], "nll": one["validation_nll"], "diverged": one["diverged_seeds"]}
        for number, one in kept.iterrows()
    }
    best = kept.loc[recommended_cell(scores)]
    others = [(one, difference_of(pairs, one, best)) for number, one in kept.iterrows() if number != best.name]
    corrected = holm([gap["p"] for _, gap in others])
    same = [one for (one, _), p in zip(others, corrected) if p >= ALPHA]
    on_test = kept.loc[kept["test_score"].idxmax()]
    own_runs = {key: (runs or {}).get(key) for key in zip(kept["backbone"], kept["strategy"])}
    return row | {
        **facts(best, "best"),
        "best_validation": best["validation_score"],
        # What stands on the networks of all seeds at once has none to leave out.
        "best_crossfitted": crossfitted_accuracy(own_runs) if all(own_runs.values()) and not _of_models(best) else None,
        "indistinguishable_cells": len(same),
        "indistinguishable": "; ".join(f"{one['strategy']} on {one['backbone']}" for one in same),
        "untested_cells": sum(pd.isna(gap["p"]) for _, gap in others),
        **cheapest_of(kept, best, others, limits, margin),
        "on_test_backbone": on_test["backbone"],
        "on_test_strategy": on_test["strategy"],
        "on_test_accuracy": on_test["accuracy_mean"],
        "on_test_gain": on_test["test_score"] - best["test_score"],
    }


def recommendation_table(
    comparison_csv, cells_csv, differences_csv, runs_csv, budgets: dict, metric: str, margin: float, out
) -> None:
    """Write recommendation.csv: `COLUMNS`, a row per data set and budget, the first one without any limit.

    `budgets` maps a name to {"minutes", "parameters", "latency_ms"}, each a number or None: minutes of training one model with its
    tuning, parameters of the whole network, milliseconds per image in batches of one. Accuracies are fractions on the test set;
    best_validation is the score that chose, by the study's selection `metric`, by which the differences are too. `on_test_gain` is what
    choosing by the same metric on the test set would have added to it. `margin` is a fraction, the one of differences.csv.
    """
    table = read_table(comparison_csv)
    chosen_by = read_table(cells_csv)[[*CELL, "validation_score", "validation_nll"]]
    table = table.merge(chosen_by, on=CELL, validate="one_to_one", how="left")
    table["test_score"] = table[MEASURED[metric]]
    table["operations"] = table["train_flops"] + table["tuning_flops"]
    table["minutes"] = (table["train_seconds"] + table["tuning_seconds"]) / 60
    differences, runs = read_table(differences_csv), _runs(read_runs(runs_csv), metric)
    rows = []
    for dataset, own in table.groupby("dataset", sort=False):
        finished = own[own["accuracy_mean"].notna()]
        pairs = differences[differences["dataset"] == dataset]
        pairs = pairs.set_index(["backbone_a", "strategy_a", "backbone_b", "strategy_b"]).sort_index()
        for name, limits in {UNLIMITED: {}, **budgets}.items():
            found = recommend_one(finished, pairs, limits, margin, runs.get(dataset, {}))
            rows.append({"dataset": dataset, "budget": name, **found})
    write_csv(pd.DataFrame(rows, columns=COLUMNS), out)


def _of_models(cell: pd.Series) -> bool:
    """Whether a cell is one outcome of several trained models, or of others' work, and no recipe that is drawn again with each seed."""
    return not cell.get("of_recipe", True) and not cell.get("stochastic", True)


def _runs(frame: pd.DataFrame, metric: str) -> dict[str, dict[tuple, dict]]:
    """Data set -> (backbone, strategy) -> what `ftbench.compare.crossfit` reads, from runs.csv."""
    found: dict[str, dict[tuple, dict]] = {}
    for key, own in frame.groupby(CELL, sort=False):
        finished = own[own["status"] == "finished"]
        columns = (finished[name] for name in ("seed", SELECTION[metric], "validation_nll", "accuracy"))
        found.setdefault(key[0], {})[key[1:]] = {
            "stochastic": bool(own["stochastic"].iloc[0]),
            "diverged": len(own) - len(finished),
            "runs": {seed: Run(*map(float, values)) for seed, *values in zip(*columns)},
        }
    return found


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
        "on seeds that did not choose it: each seed is left out once, the others choose, and the one left out is reported. The plain "
        "accuracy is of the seeds that chose, which are lucky ones",
        NOT_TOLD_NOTE,
        CHEAPEST_NOTE,
        *([MIXED_NOTE + ", and decide here which is cheapest"] if frame["mixed_hardware"].fillna(False).any() else []),
        "gained by choosing on test: what the score of the winner would have been flattered by, had the test set chosen it",
        INTERVALS_NOTE,
    ]
    subtitle = "Chosen on validation, reported on the test set."
    publish(frame, RECOMMENDATION, out, "What to pick", subtitle, notes)
