"""The cheapest cell that is shown to be as good as the best one within the margin, or what is missing to name one."""

import math

import pandas as pd

from ftbench.compare.statistics import holm
from ftbench.report.layout.frames import mixed_hardware
from ftbench.report.layout.words import ALPHA, ITSELF, OPEN, SHOWN, UNKNOWN_COST, UNTESTED, WORSE

# A budget's key -> the column of comparison.csv that it bounds.
LIMITS = {"minutes": "minutes", "parameters": "total_params", "latency_ms": "latency_ms_batch1"}
FACTS = {"accuracy": "accuracy_mean", "ci_low": "accuracy_ci_low", "ci_high": "accuracy_ci_high", **LIMITS}
MOST_SEEDS = 100  # more are not a plan


def facts(cell, who: str) -> dict:
    named = {f"{who}_backbone": cell["backbone"], f"{who}_strategy": cell["strategy"]}
    return named | {f"{who}_{name}": cell[column] for name, column in FACTS.items()}


def difference_of(pairs: pd.DataFrame, a, b) -> dict:
    """Score of a minus that of b by the metric that chooses, from the one row that has the two, either way round.

    {"difference", "low", "high", "p", "worse": p of "a is worse by the margin", "fixed", "per_seed": variances}; p and worse are NaN where
    there are none.
    """
    for one, other, sign, side in ((a, b, 1, "a"), (b, a, -1, "b")):
        key = (one["backbone"], one["strategy"], other["backbone"], other["strategy"])
        if key in pairs.index:
            row = pairs.loc[key]
            low, high = sorted((sign * row["chosen_ci_low"], sign * row["chosen_ci_high"]))
            return {
                "difference": sign * row["chosen_difference"],
                "low": low,
                "high": high,
                "p": row["chosen_p"],
                "worse": row[f"chosen_p_worse_{side}"],
                "fixed": row["fixed_variance"],
                "per_seed": row["variance_per_seed"],
            }
    raise KeyError(f"no difference of {a['strategy']} on {a['backbone']} and {b['strategy']} on {b['backbone']}")


def seeds_needed(gap: dict, margin: float) -> int | None:
    """The seeds of both cells at which the interval of a difference would lie above -margin, if the difference stays what it is.

    None where no number up to `MOST_SEEDS` would do: the images alone leave more, or the cell is worse by the margin as it is measured.
    """
    room = gap["difference"] + margin
    if room <= 0 or pd.isna(gap["worse"]):
        return None
    left = (room / 1.96) ** 2 - gap["fixed"]
    if left <= 0:
        return None
    needed = max(2, math.ceil(gap["per_seed"] / left))
    return needed if needed <= MOST_SEEDS else None


def cheapest_of(kept: pd.DataFrame, best, others: list[tuple], limits: dict, margin: float) -> dict:
    """The cheapest cell that is shown to be as good as the best one within the margin, or why none is named.

    Cost is the one resource that the budget limits, or time for training with tuning where it limits none or several (operations, where
    the cells ran on different hardware, whose seconds have no order). Of the cells that cost less, and have no more diverged seeds, one is
    named if its test of "worse by the margin" has p below 0.05 after Holm's correction over them, and its interval ends above -margin.
    A cell whose cost is not known costs less than none, and beside a best one of unknown cost there is no cheaper.
    """
    limited = [name for name in LIMITS if limits.get(name) is not None]
    resource, mixed = limited[0] if len(limited) == 1 else "minutes", mixed_hardware(kept)
    if mixed and resource == "minutes":
        resource = "operations"
    column = LIMITS.get(resource, "operations")
    row = {"cheapest_by": resource, "mixed_hardware": mixed, "seeds_needed": None, "seeds_needed_for": None}
    if pd.isna(best[column]):
        return row | {"cheapest_why": UNKNOWN_COST}
    cheaper = [
        (one, gap)
        for one, gap in others
        if one[column] < best[column] and one["diverged_seeds"] <= best["diverged_seeds"]
    ]
    corrected = holm([gap["worse"] for _, gap in cheaper])
    shown = [both for both, p in zip(cheaper, corrected) if p < ALPHA and both[1]["low"] >= -margin]
    if shown:
        cheapest, gap = min(shown, key=lambda both: both[0][column])
        return row | {"cheapest_why": SHOWN, **facts(cheapest, "cheapest"), **_gap(gap)}
    if cheaper and all(pd.isna(gap["worse"]) for _, gap in cheaper):
        return row | {"cheapest_why": UNTESTED}
    close = [(one, gap) for one, gap in cheaper if gap["difference"] > -margin or pd.isna(gap["worse"])]
    if not close:
        why = WORSE if cheaper else ITSELF
        return row | {
            "cheapest_why": why,
            **facts(best, "cheapest"),
            **_gap({"difference": 0.0, "low": 0.0, "high": 0.0}),
        }
    needed = [(number, one) for one, gap in close if (number := seeds_needed(gap, margin)) is not None]
    if needed:
        number, one = min(needed, key=lambda both: both[0])
        row |= {"seeds_needed": number, "seeds_needed_for": f"{one['strategy']} on {one['backbone']}"}
    return row | {"cheapest_why": OPEN}


def _gap(gap: dict) -> dict:
    names = {"cheapest_difference": "difference", "cheapest_difference_low": "low", "cheapest_difference_high": "high"}
    return {column: gap[name] for column, name in names.items()}
