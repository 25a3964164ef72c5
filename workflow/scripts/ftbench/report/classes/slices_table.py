"""Accuracy in every slice of the test images, the gap between the best and the worst, and what is said of them."""

import numpy as np
import pandas as pd

from ftbench.base.files import read_json
from ftbench.base.logits import load_folds, load_logits
from ftbench.compare.image_groups import read_test_groups
from ftbench.compare.slice_accuracy import SMALL, corrected, gap_rows, slice_rows
from ftbench.compare.slices import read_slices
from ftbench.evaluate.cells import CELL
from ftbench.evaluate.probabilities import correct
from ftbench.evaluate.records import content
from ftbench.report.layout.columns import (
    CELL_COLUMNS,
    Column,
    as_interval_if_known,
    as_percent,
    as_plain,
    as_text,
    as_whole,
)
from ftbench.report.layout.formats import MISSING, p_value, percent, points
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish
from ftbench.report.layout.words import ALPHA

SLICE_COLUMNS = [
    *(*CELL, "recommended", "column", "slice", "images", "groups", "small"),
    *("accuracy", "accuracy_low", "accuracy_high", "expected", "rest"),
    *("difference", "difference_low", "difference_high", "p", "p_holm"),
]
GAP_COLUMNS = [*CELL, "recommended", "column", "slices", "best", "worst", "gap", "gap_low", "gap_high", "of_recipe"]
SLICES = {
    **CELL_COLUMNS,
    "Column": as_text("column"),
    "Slice": as_text("slice"),
    "Images": as_whole("images"),
    "Accuracy, % [95 % interval]": as_interval_if_known("accuracy", "accuracy_low", "accuracy_high"),
    "By its classes, %": as_percent("expected"),
    "Against the rest, points [95 % interval]": Column(
        lambda row: (
            MISSING if pd.isna(row.difference) else points(row.difference, row.difference_low, row.difference_high)
        ),
        "difference",
    ),
    "p, Holm": Column(lambda row: p_value(row.p_holm), "p_holm"),
    "Note": Column(lambda row: f"small: {row.groups} independent images" if row.small else ""),
}
GAPS = {
    **CELL_COLUMNS,
    "Column": as_text("column"),
    "Slices": as_whole("slices"),
    "Best": as_plain("best"),
    "Worst": as_plain("worst"),
    "Gap, points [95 % interval over all pairs]": Column(
        lambda row: MISSING if pd.isna(row.gap) else points(row.gap, row.gap_low, row.gap_high), "gap"
    ),
}


def slice_tables(runs: list[dict], cells_csv, places: list[tuple], slices_out, gaps_out) -> list[str]:
    """Write slices.csv (`SLICE_COLUMNS`) and slice_gaps.csv (`GAP_COLUMNS`); returns what is to say of the columns.

    `runs` holds {"labels", "run", "test_logits": paths}; `places` (data set, test_slices.csv, test_slices.json, test_groups.npy, the audit's
    duplicates.csv). p and its Holm-corrected form are of the recommended cell alone; slices of other cells have their intervals.
    """
    recommended = read_table(cells_csv).query("recommended")
    chosen = set(zip(*(recommended[label] for label in CELL)))
    slice_out, gap_out, notes = [], [], []
    for dataset, slices_csv, notes_json, *grouped in places:
        notes += [f"{dataset}: {note}" for note in read_json(notes_json).values()]
        cells, ids = _finished(runs, dataset)
        columns = {name: values[ids] for name, values in read_slices(slices_csv).items()} if cells else {}
        if not columns:
            notes.append(
                f"{dataset}: there is nothing to compare, as {'no column makes slices' if cells else 'no run finished'}"
            )
            continue
        groups = read_test_groups(*grouped)[ids]
        own: dict[tuple, list[dict]] = {key: [] for key in cells}
        for column, values in columns.items():
            for key, rows in slice_rows(cells, values, groups).items():
                own[key] += [{"column": column, **row} for row in rows]
            for key, row in gap_rows(cells, values, groups).items():
                gap_out.append(_labelled(dataset, key, chosen) | {"column": column} | row)
        for key, rows in own.items():
            labels = _labelled(dataset, key, chosen)
            ps = corrected(rows) if labels["recommended"] else None
            for place, row in enumerate(rows):
                tested = {"p_holm": ps[place]} if ps else {"p": None}
                slice_out.append(labels | row | tested)
    write_csv(pd.DataFrame(slice_out, columns=SLICE_COLUMNS), slices_out)
    write_csv(pd.DataFrame(gap_out, columns=GAP_COLUMNS), gaps_out)
    return notes


def _labelled(dataset: str, key: tuple, chosen: set) -> dict:
    return dict(zip(CELL, (dataset, *key))) | {"recommended": (dataset, *key) in chosen}


def _finished(runs: list[dict], dataset: str) -> tuple[dict[tuple, dict], np.ndarray | None]:
    """(backbone, strategy) -> what the finished runs of a cell got right, and the rows of their test images."""
    cells, ids = {}, None
    for entry in runs:
        run = content(entry["run"])
        if entry["labels"]["dataset"] != dataset or run["status"] != "finished":
            continue
        logits, labels, ids = load_logits(entry["test_logits"])
        key = (entry["labels"]["backbone"], entry["labels"]["strategy"])
        cell = cells.setdefault(key, {"correct": [], "labels": labels, "stochastic": run["stochastic"]})
        cell["folds"] = load_folds(entry["test_logits"])
        cell["correct"].append(correct(logits, labels))
    return {key: cell | {"correct": np.array(cell["correct"])} for key, cell in cells.items()}, ids


def gap_said(row) -> str:
    """What may be said of the gap of one column; `row` is of slice_gaps.csv."""
    if pd.isna(row.gap):
        return f"{row.column} has fewer than two slices of at least {SMALL} independent images, so no gap can be named"
    numbers = f"{100 * row.gap:.1f} points [{100 * row.gap_low:+.1f}, {100 * row.gap_high:+.1f}]"
    said = f"by {row.column} the best slice ({row.best}) and the worst ({row.worst}) lie {numbers} apart"
    if row.gap_low <= 0:
        return f"{said}, which may be chance"
    return said if row.of_recipe else f"{said} in this one trained model: one seed says nothing of a recipe"


def worse(frame: pd.DataFrame) -> pd.DataFrame:
    """The slices of slices.csv that a corrected test finds worse than the rest, the worst first."""
    found = frame[(frame["p_holm"] < ALPHA) & (frame["difference"] < 0)]
    return found.sort_values("difference", kind="stable")


def worse_said(row) -> str:
    """Of one slice of `worse`, and whether its classes explain it."""
    said = f"with {row.column} = {row.slice} it is right on {percent(row.accuracy)} % of {int(row.images):,} images "
    said += f"[{percent(row.accuracy_low)}, {percent(row.accuracy_high)}], on the rest {percent(row.rest)} %"
    said += f" ({points(row.difference, row.difference_low, row.difference_high)} points, p {_p(row.p_holm)} after Holm's correction)"
    explained = row.rest - row.expected
    if explained > -row.difference / 2:
        said += f"; its classes are harder, {percent(row.expected)} % would be expected of them"
    return said


def _p(value: float) -> str:
    return p_value(value) if value < 0.001 else f"= {p_value(value)}"


def slice_pages(slices_csv, gaps_csv, notes: list[str], slices_out: dict, gaps_out: dict) -> None:
    """Write both tables for readers; `notes` are those of `slice_tables`."""
    frame, gaps = read_table(slices_csv), read_table(gaps_csv)
    shown = [
        f"small: fewer than {SMALL} independent images (or all others are); shown, not tested, and never the best or the worst",
        "by its classes: what the slice would have if its classes were found as on all test images",
        "p values: of the recommended cell against the rest of the test images, corrected by Holm's method over its slices of all columns",
        "a slice is a description: what makes it harder, this table does not know",
        *notes,
    ]
    bold = [place for place, row in enumerate(frame.itertuples()) if row.recommended]
    publish(
        frame,
        SLICES,
        slices_out,
        "Accuracy in slices of the test images",
        "Means over the seeds that finished.",
        shown,
        bold,
    )
    marked = [place for place, row in enumerate(gaps.itertuples()) if row.recommended]
    said = [gap_said(row) for row in gaps[gaps["recommended"].astype(bool)].itertuples()]
    subtitle = "Best minus worst slice; the interval holds for all pairs of slices together, since the two were found by looking."
    publish(
        gaps,
        GAPS,
        gaps_out,
        "Gaps between slices",
        subtitle,
        [f"recommended cell: {one}" for one in said] + notes,
        marked,
    )
