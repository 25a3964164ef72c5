"""What the summary knows of a data set: rows of the saved tables, and no number that is not in one of them.

The other modules of this folder read tables through this one alone, so that a table that changes is followed in one place.
"""

import base64
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ftbench.base.files import read_json
from ftbench.evaluate.cells import CELL
from ftbench.report.layout.frames import read_table
from ftbench.report.recommendation.recommendation_table import UNLIMITED, cell_name
from ftbench.study import grid

RECOMMENDED, SAME, BELOW, ABOVE, DIVERGED = "recommended", "not told apart", "below", "above", "diverged"
UNTESTED = "cannot be compared yet"
SLICED = ("slices", "slice_gaps")
MISTAKES = "plots/{dataset}.mistakes.json"
AUDIT = "data/{dataset}/audit/audit.json"


class Cell(NamedTuple):
    """One backbone and strategy on one data set."""

    name: str  # "lp_ft on efficientnet_lite0"
    row: pd.Series  # of comparison.csv
    verdict: str  # against the recommended cell, one of the constants above
    gap: (
        tuple[float, float, float] | None
    )  # accuracy minus the recommended cell's, with its 95 % interval, as fractions


class Facts(NamedTuple):
    """One data set: its cells by test accuracy, what is recommended, and where the recommended cell fails."""

    dataset: str
    cells: list[Cell]  # the highest accuracy first, those without one last
    best: Cell | None  # the recommended one; None if nothing finished
    choice: pd.Series | None  # the row of recommendation.csv without any limit
    recommendation: pd.DataFrame  # all rows of the data set
    per_class: pd.DataFrame  # of the recommended cell, the lowest recall first
    confused: pd.DataFrame  # of the recommended cell
    clean: pd.DataFrame  # of the recommended cell in clean_test.csv
    mistakes: dict  # as `ftbench.report.classes.mistakes_list` wrote it
    audit: dict  # audit.json
    accuracy_figure: str  # an address that holds the whole figure
    pareto_figure: str
    slices: pd.DataFrame = pd.DataFrame()  # of the recommended cell in slices.csv; empty if the data set has no slices
    gaps: pd.DataFrame = pd.DataFrame()  # of the same in slice_gaps.csv
    slices_figure: str = ""  # "" if there is none
    stability: pd.DataFrame = pd.DataFrame()  # of the recommended cell in stability.csv
    own_splits: bool = False  # whether every seed has a validation split and tuning of its own

    @property
    def several(self) -> bool:
        """Whether there is another finished cell to compare the recommended one with."""
        return len([cell for cell in self.cells if cell.verdict != DIVERGED]) > 1

    def same(self) -> list[Cell]:
        """The cells that no test tells from the recommended one."""
        return [cell for cell in self.cells if cell.verdict == SAME]

    def named(self, who: str) -> Cell | None:
        """The cell that the recommendation without a limit calls `who`: "best", "cheapest" or "on_test"."""
        name = None if self.choice is None else cell_name(self.choice, who)
        return next((cell for cell in self.cells if cell.name == name), None)


def read_facts(root: Path, datasets: list[str], sliced: list[str] = ()) -> list[Facts]:
    """The facts of every data set, in the order given; `root` is the study's folder, `sliced` names those with slices."""
    names = ("comparison", "recommendation", "differences", "per_class", "confused", "clean_test", "stability")
    tables = {name: read_table(root / "tables" / f"{name}.csv") for name in (*names, *SLICED * bool(sliced))}
    own_splits = grid.own_splits(read_json(root / "study.json"))
    return [
        _facts(
            root, {name: _of(table, dataset) for name, table in tables.items()}, dataset, dataset in sliced
        )._replace(own_splits=own_splits)
        for dataset in datasets
    ]


def _of(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    return table[table["dataset"] == dataset]


def _facts(root: Path, tables: dict[str, pd.DataFrame], dataset: str, sliced: bool) -> Facts:
    rows = tables["recommendation"]
    unlimited = rows[rows["budget"] == UNLIMITED]
    choice = unlimited.iloc[0] if len(unlimited) and pd.notna(unlimited.iloc[0]["best_strategy"]) else None
    cells = [_cell(row, choice, tables["differences"]) for _, row in tables["comparison"].iterrows()]
    cells.sort(key=lambda cell: -1 if pd.isna(cell.row["accuracy_mean"]) else cell.row["accuracy_mean"], reverse=True)
    best = next((cell for cell in cells if cell.verdict == RECOMMENDED), None)
    own = {name: _of_cell(tables[name], best) for name in ("per_class", "confused", "clean_test", "stability")}
    return Facts(
        dataset,
        cells,
        best,
        choice,
        rows,
        own["per_class"].sort_values("recall", kind="stable"),
        own["confused"],
        own["clean_test"],
        read_json(root / MISTAKES.format(dataset=dataset)),
        read_json(root / AUDIT.format(dataset=dataset)),
        address(root / "plots" / f"{dataset}.accuracy.svg"),
        address(root / "plots" / f"{dataset}.pareto.svg"),
        *(_of_cell(tables[name], best) if sliced else pd.DataFrame() for name in SLICED),
        address(root / "plots" / f"{dataset}.slices.svg") if sliced else "",
        own["stability"],
    )


def _cell(row: pd.Series, choice: pd.Series | None, differences: pd.DataFrame) -> Cell:
    name = f"{row['strategy']} on {row['backbone']}"
    if pd.isna(row["accuracy_mean"]) or choice is None:
        return Cell(name, row, DIVERGED, None)
    if name == cell_name(choice, "best"):
        return Cell(name, row, RECOMMENDED, None)
    gap = _gap(differences, name, cell_name(choice, "best"))
    same = pd.notna(choice["indistinguishable"]) and name in choice["indistinguishable"].split("; ")
    told = BELOW if gap is None or gap[0] < 0 else ABOVE
    return Cell(name, row, SAME if same else UNTESTED if gap is not None and pd.isna(gap[3]) else told, gap and gap[:3])


def _gap(differences: pd.DataFrame, one: str, other: str) -> tuple[float, float, float, float] | None:
    """The accuracy of cell `one` minus that of `other`, its interval and p (NaN: none), from the row that has the two, either way round."""
    names = {side: differences[f"strategy_{side}"] + " on " + differences[f"backbone_{side}"] for side in "ab"}
    for a, b, sign in ((one, other, 1), (other, one, -1)):
        row = differences[(names["a"] == a) & (names["b"] == b)]
        if len(row):
            low, high = sorted(sign * row.iloc[0][end] for end in ("ci_low", "ci_high"))
            return sign * row.iloc[0]["difference"], low, high, row.iloc[0]["p"]
    return None


def _of_cell(table: pd.DataFrame, cell: Cell | None) -> pd.DataFrame:
    if cell is None:
        return table.iloc[:0]
    return table[(table[CELL] == cell.row[CELL]).all(axis=1)]


def address(svg: Path) -> str:
    """A figure as an address that needs no file beside the page."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode()
