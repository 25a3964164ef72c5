"""The tables of the summary: text cells as readers see them, and beside each number what it is sorted by."""

from typing import NamedTuple

import pandas as pd

from ftbench.report.classes.per_class_tables import CONFUSED, PER_CLASS
from ftbench.report.layout.columns import ACCURACY, Column, as_decimal, readable
from ftbench.report.layout.formats import count, percent, points
from ftbench.report.recommendation.recommendation_table import RECOMMENDATION
from ftbench.report.result.comparison_table import COMPARISON, NOTES, WORST_CLASS
from ftbench.report.summary.facts import Facts
from ftbench.study import kinds

WORST = 5  # classes that are listed


class Table(NamedTuple):
    """A table as the page's template wants it."""

    headings: list[tuple[str, bool]]  # text, and whether its column holds numbers
    rows: list[list[tuple[str, float | None]]]  # text, and the number that the cell is sorted by
    marked: set[int]  # rows that stand out
    source: str  # the file that holds all of it
    notes: list[str] = []


def table(frame: pd.DataFrame, columns: dict[str, Column], source: str, marked=(), notes=()) -> Table:
    """A table of a frame; `columns` are those of `ftbench.report.layout.columns`."""
    text, numbers = readable(frame, columns)
    rows = [
        [
            (str(cell), None if heading not in numbers or pd.isna(numbers[heading][place]) else numbers[heading][place])
            for heading, cell in zip(text.columns, cells)
        ]
        for place, cells in enumerate(text.itertuples(index=False, name=None))
    ]
    return Table([(heading, heading in numbers) for heading in text.columns], rows, set(marked), source, list(notes))


VERDICT = "Against the recommended, points [95 % interval]"
FIRST = ("Backbone", "Strategy", "Flags", "Seeds", ACCURACY)
# What it costs stands before the other scores: it is the other half of the question.
COSTS = {
    **{heading: COMPARISON[heading] for heading in ("Training, per run", "Tuning, all trials")},
    "Parameters": Column(lambda row: count(row.total_params), "total_params"),
    "Latency of 1, ms": as_decimal("latency_ms_batch1", ".3g"),
}
CHOSE = {"Validation accuracy, %": Column(lambda row: percent(row.validation_accuracy), "validation_accuracy")}
LAST = ("Macro F1, %", "ECE, %", WORST_CLASS)
OWN_WORST = f"{WORST_CLASS}: the lowest recall of each seed, averaged, and the class that it most often is; “Its weakest classes” averages each class first"


def comparison(facts: Facts) -> Table:
    """Every cell, the highest accuracy first, each with its difference to the recommended one."""
    frame = pd.DataFrame([cell.row for cell in facts.cells]).reset_index(drop=True)
    gaps = [cell.gap for cell in facts.cells]
    frame["gap"] = [gap[0] if gap else None for gap in gaps]
    frame["verdict"] = [f"{points(*cell.gap)} ({cell.verdict})" if cell.gap else cell.verdict for cell in facts.cells]
    columns = {heading: COMPARISON[heading] for heading in FIRST}
    columns |= {VERDICT: Column(lambda row: row.verdict, "gap"), **COSTS, **CHOSE}
    columns |= {heading: COMPARISON[heading] for heading in LAST}
    marked = [place for place, cell in enumerate(facts.cells) if cell is facts.best]
    flags = {mark for text in readable(frame, {"Flags": COMPARISON["Flags"]})[0]["Flags"] for mark in text.split()}
    notes = [f"{mark}: {note}" for mark, note in NOTES.items() if mark in flags] + [OWN_WORST]
    return table(frame, columns, "tables/comparison.csv", marked, notes)


def glossary(facts: Facts) -> list[tuple[str, str]]:
    """What each strategy of the cells does: its name, and the sentence that its file begins with."""
    return sorted({(cell.row["strategy"], kinds.says(cell.row["kind"])) for cell in facts.cells})


def budgets(facts: Facts) -> Table:
    """What to pick without a limit and under each budget of the config."""
    columns = {heading: column for heading, column in RECOMMENDATION.items() if heading != "Dataset"}
    return table(facts.recommendation, columns, "tables/recommendation.csv")


def worst_classes(facts: Facts) -> Table:
    columns = {
        heading: column for heading, column in PER_CLASS.items() if heading not in ("Dataset", "Backbone", "Strategy")
    }
    return table(facts.per_class.head(WORST), columns, "tables/per_class.csv")


def confused_pairs(facts: Facts) -> Table:
    columns = {
        heading: column for heading, column in CONFUSED.items() if heading not in ("Dataset", "Backbone", "Strategy")
    }
    return table(facts.confused, columns, "tables/confused.csv")
