"""Numbers in the columns of a user's table: one per cell, or a list as text, as numpy and JSON write it."""

import json
import re

import numpy as np

from ftbench.base.errors import InputError
from ftbench.study.rows.table_file import Table

QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")


def numbers(table: Table, key: str, column: str) -> np.ndarray:
    """(N,) float64 of a column, each exactly the double that its text means."""
    cells = table.columns[column]
    if isinstance(cells, np.ndarray):  # of a parquet file
        return cells
    found = np.empty(len(table))
    for row, cell in enumerate(cells):
        try:
            found[row] = float(cell)
        except ValueError:
            raise no_number(table, key, column, row, cell) from None
    return found


def places_of(table: Table, key: str, column: str) -> np.ndarray:
    """(N,) int64 of a column of whole numbers from 0."""
    found = numbers(table, key, column)
    wrong = ~((found >= 0) & (found == np.floor(found)))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{key}: {table.unit} {table.lines[row]} of {table.path} has {table.columns[column][row]!r} in the column {column}; valid are "
            "whole numbers from 0."
        )
    return found.astype(np.int64)


def lists(table: Table, key: str, column: str) -> np.ndarray:
    """(N, K) float64 of a column whose cells are one number, or a list such as `[0.1 0.9]` or `[0.1, 0.9]`; all of one length."""
    rows = []
    for row, cell in enumerate(table.columns[column]):
        if isinstance(cell, (list, float)):  # of a parquet file
            rows.append([float(part) for part in np.atleast_1d(cell)])
            continue
        try:
            rows.append([float(part) for part in cell.strip("[]() \n").replace(",", " ").split()])
        except ValueError:
            raise no_number(table, key, column, row, cell) from None
    return np.array(_of_one_length(table, key, column, rows), float)


def words(table: Table, key: str, column: str) -> list[list[str]]:
    """N lists of K texts of a column whose cells are one text, or a list such as `['cat' 'dog']` or `["cat", "dog"]`."""
    return _of_one_length(table, key, column, [_texts(cell) for cell in table.columns[column]])


def _texts(cell: str | list) -> list[str]:
    if isinstance(cell, list):
        return [str(part) for part in cell]
    if not (cell.startswith("[") and cell.endswith("]")):
        return [cell]
    try:
        return [str(part) for part in json.loads(cell)]
    except ValueError:
        return [re.sub(r"\\(.)", r"\1", single or double) for single, double in QUOTED.findall(cell)]


def _of_one_length(table: Table, key: str, column: str, rows: list[list]) -> list[list]:
    for row, found in enumerate(rows):
        if not found or len(found) != len(rows[0]):
            raise InputError(
                f"{key}: {table.unit} {table.lines[row]} of {table.path} has {len(found)} values in the column {column}, and the first row has "
                f"{len(rows[0])}; all rows need as many."
            )
    return rows


def no_number(table: Table, key: str, column: str, row: int, cell: str) -> InputError:
    """What to say of a cell that is empty or no number; pandas and numpy write NaN as an empty one."""
    said = repr(cell if len(cell) < 60 else f"{cell[:57]}...") if cell else "nothing (or NaN)"
    return InputError(
        f"{key}: {table.unit} {table.lines[row]} of {table.path} has {said} in the column {column}; valid are numbers."
    )
