"""The figure of the summary: every cell's accuracy with its interval as bars of the page itself, which fit any width."""

import math
from typing import NamedTuple

from ftbench.report.layout.formats import interval
from ftbench.report.summary.facts import DIVERGED, Cell

OPEN = 20  # bars that are shown at once; the others unfold
STEPS = (1, 2, 5, 10, 20, 25)  # percent between two marks of the axis
MARKS = 6  # at most


class Bar(NamedTuple):
    """One cell's bar; positions are percent of the axis."""

    name: str
    verdict: str
    text: str
    low: float
    width: float
    mean: float


class Bars(NamedTuple):
    """The bars of one data set, and the marks of their axis: (text, position in percent)."""

    shown: list[Bar]
    folded: list[Bar]
    marks: list[tuple[str, float]]
    lost: list[str]  # cells without an accuracy


def bars(cells: list[Cell]) -> Bars:
    """Bars of the finished cells in their order, on an axis in percent from below the lowest interval to above the highest."""
    finished = [cell for cell in cells if cell.verdict != DIVERGED]
    lost = [cell.name for cell in cells if cell.verdict == DIVERGED]
    if not finished:
        return Bars([], [], [], lost)
    low, high, step = _axis(
        100 * min(cell.row["accuracy_ci_low"] for cell in finished),
        100 * max(cell.row["accuracy_ci_high"] for cell in finished),
    )
    drawn = [_bar(cell, low, high) for cell in finished]
    marks = [(f"{value:g}", _place(value, low, high)) for value in range(low, high + 1, step)]
    return Bars(drawn[:OPEN], drawn[OPEN:], marks, lost)


def _axis(low: float, high: float) -> tuple[int, int, int]:
    """Ends and step of an axis, whole percent, around two values of [0, 100]."""
    step = next((step for step in STEPS if (high - low) / step <= MARKS - 1), STEPS[-1])
    return step * math.floor(low / step), step * math.ceil(high / step) or step, step


def _place(value: float, low: int, high: int) -> float:
    return round(100 * (value - low) / max(high - low, 1), 2)


def _bar(cell: Cell, low: int, high: int) -> Bar:
    row = cell.row
    ends = [_place(100 * row[f"accuracy_ci_{end}"], low, high) for end in ("low", "high")]
    text = interval(row["accuracy_mean"], row["accuracy_ci_low"], row["accuracy_ci_high"])
    mean = _place(100 * row["accuracy_mean"], low, high)
    return Bar(cell.name, cell.verdict, text, ends[0], round(ends[1] - ends[0], 2), mean)
