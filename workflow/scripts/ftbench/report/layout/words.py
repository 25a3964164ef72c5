"""What tables, figures and pages say of differences: every sentence a function of the numbers, and the same one everywhere.

Four things can be said of two cells: one is told apart from the other (its interval of the difference leaves 0 out), it is not told apart,
it is at least as good within the margin, or the two cannot be compared yet (one seed says nothing of a recipe).
"""

import pandas as pd

from ftbench.report.layout.formats import percent

ALPHA = 0.05
# Why a cell is or is not called the cheapest that is good enough: values of recommendation.csv's cheapest_why.
SHOWN, ITSELF, WORSE, OPEN, UNTESTED = "shown", "itself", "others worse", "open", "untested"
UNKNOWN_COST = "cost not known"

INTERVALS_NOTE = (
    "intervals and tests: seed variances are learnt from all cells of a data set together, because two or three seeds say little of "
    "their own, and images that belong together count as one. In simulated studies this erred in 0 to 7 % where 5 % was promised, each "
    "cell's own variance in 1 to 14 % and plain pooling in 3 to 26 % (docs/statistics.md). What split and tuning do by chance is in them only where "
    "each seed has its own of both (splits: per_seed): with one of both behind all seeds, equal cells were told apart in up to 28 % of simulated studies"
)
NOT_TOLD_NOTE = (
    "not told from it: cells whose difference to the best one has p of at least 0.05 after Holm's correction within the budget. They are "
    "not proven equal"
)
CHEAPEST_NOTE = (
    "cheapest: least of the resource that the budget limits, or least training time where it limits none or several. It is named once its "
    "test shows that it is not worse by the margin (margin in the config), corrected by Holm's method over the cheaper cells. A cell of unknown cost keeps no budget on it, and is never the cheapest"
)
ONE_SEED_NOTE = "one seed says nothing of a recipe: intervals are of these trained models, and there are no p values"


def cheapest_said(row, name: str) -> str:
    """Which cell is the cheapest that is good enough, or what is missing to say so; `row` is of recommendation.csv, `name` the cell's."""
    margin = f"{percent(row.margin, 2).rstrip('0').rstrip('.')} point{'' if row.margin == 0.01 else 's'}"
    if row.cheapest_why == SHOWN:
        return f"{name}: at least as good within {margin}"
    if row.cheapest_why == ITSELF:
        return f"{name}, the best itself: no other that finished as many seeds costs less"
    if row.cheapest_why == WORSE:
        return (
            f"{name}, the best itself: every cheaper one measured more than {margin} below it, which need not be real"
        )
    if row.cheapest_why == UNKNOWN_COST:
        return "open, since what the best one costs is not known"
    if row.cheapest_why == UNTESTED:
        return "cannot be said yet: one seed says nothing of a recipe"
    if pd.isna(row.seeds_needed):
        return f"none can be named yet: within {margin} no number of seeds would show it on these test images"
    return (
        f"none can be named yet: about {row.seeds_needed:.0f} seeds would show {row.seeds_needed_for} within {margin}"
    )


def top_said(frame: pd.DataFrame, differences: pd.DataFrame) -> str:
    """What may be said of the highest test accuracy of one data set: it leads only where every other cell is told apart from it.

    `frame` is comparison.csv, `differences` differences.csv, both of the one data set. Holm's correction is over the cells beside it.
    """
    from ftbench.compare.statistics import holm

    best = frame.loc[frame["accuracy_mean"].idxmax()]
    name = f"{best['strategy']} on {best['backbone']}"
    mean, low, high = (100 * best[f"accuracy_{part}"] for part in ("mean", "ci_low", "ci_high"))
    numbers = f"{mean:.1f} % [{low:.1f}, {high:.1f}]"
    beside = differences[
        ((differences["strategy_a"] == best["strategy"]) & (differences["backbone_a"] == best["backbone"]))
        | ((differences["strategy_b"] == best["strategy"]) & (differences["backbone_b"] == best["backbone"]))
    ]
    if beside.empty:
        return f"{name}: {numbers}"
    if beside["p"].isna().any():
        untested = int(beside["p"].isna().sum())
        return f"{name} has the highest mean, {numbers}; {_cells(untested)} cannot be compared with it yet (one seed)"
    same = int((holm(beside["p"].to_numpy(float)) >= ALPHA).sum())
    if same:
        return f"{name} has the highest mean, {numbers}; {_cells(same)} of {len(beside)} {_is(same)} not told apart from it"
    return f"{name} leads: {numbers}"


def gains_said(frame: pd.DataFrame) -> str:
    """How many policies differ from the first, from policies.csv with `p_holm`."""
    tested = frame[frame["gain"].notna()]
    if tested.empty:
        return ""
    if tested["p_holm"].isna().all():
        return "; they cannot be compared yet (one seed)"
    clear = int((tested["p_holm"] < ALPHA).sum())
    return f"; {clear} of {len(tested)} policies {_is(clear)} told apart from the first"


def _cells(number: int) -> str:
    return f"{number} cell{'s' * (number != 1)}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
