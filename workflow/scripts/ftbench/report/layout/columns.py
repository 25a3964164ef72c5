"""What readers see of the CSV tables: headings and cells. The CSV keeps the exact numbers.

A `Column` shows a row of the CSV as text, and names the number by which an interactive table sorts it.
"""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from ftbench.report.layout.formats import MISSING, duration, interval, number, operations, percent

ACCURACY = "Accuracy, % [95 % interval]"  # the heading of `ACCURACY_COLUMN`


class Column(NamedTuple):
    show: Callable  # a row of the CSV table as text
    by: str = ""  # the row's number that the column is sorted by; text without one


def as_percent(name: str) -> Column:
    return Column(lambda row: percent(getattr(row, name)), name)


def as_duration(name: str) -> Column:
    return Column(lambda row: duration(getattr(row, name)), name)


def as_operations(name: str) -> Column:
    return Column(lambda row: operations(getattr(row, name)), name)


def as_decimal(name: str, spec: str) -> Column:
    return Column(lambda row: number(getattr(row, name), spec), name)


def as_text(name: str) -> Column:
    return Column(lambda row: getattr(row, name))


def as_whole(name: str) -> Column:
    return Column(lambda row: number(getattr(row, name), ",.0f"), name)


def as_plain(name: str) -> Column:
    """Text that may be missing."""
    return Column(lambda row: MISSING if pd.isna(getattr(row, name)) else getattr(row, name))


def as_number(name: str, spec: str = "g") -> Column:
    """A setting that may be missing."""
    return Column(lambda row: MISSING if pd.isna(getattr(row, name)) else format(getattr(row, name), spec), name)


def as_interval(mean: str, low: str, high: str) -> Column:
    """A fraction with its interval, in percent."""
    return Column(lambda row: interval(getattr(row, mean), getattr(row, low), getattr(row, high)), mean)


def as_interval_if_known(mean: str, low: str, high: str) -> Column:
    """The same where the interval may be missing: then the fraction alone."""
    alone, whole = as_percent(mean), as_interval(mean, low, high)
    return Column(lambda row: (alone if pd.isna(getattr(row, low)) else whole).show(row), mean)


ACCURACY_COLUMN = as_interval("accuracy_mean", "accuracy_ci_low", "accuracy_ci_high")
CELL_COLUMNS = {"Dataset": as_text("dataset"), "Backbone": as_text("backbone"), "Strategy": as_text("strategy")}


def readable(frame: pd.DataFrame, columns: dict[str, Column]) -> tuple[pd.DataFrame, dict[str, list]]:
    """The frame as text cells, and for each heading that sorts by a number the numbers; `columns` maps headings to columns."""
    frame = frame.rename(columns={"class": "class_name"})  # `class` cannot be an attribute
    rows = list(frame.itertuples(index=False))
    text = pd.DataFrame([[column.show(row) for column in columns.values()] for row in rows], columns=list(columns))
    return text, {heading: frame[column.by].tolist() for heading, column in columns.items() if column.by}
