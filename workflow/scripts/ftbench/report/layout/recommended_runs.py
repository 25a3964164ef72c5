"""The finished runs of a data set's recommended cell, for the figures that look into one model."""

from ftbench.evaluate.cells import CELL
from ftbench.evaluate.records import content
from ftbench.report.layout.frames import read_table


def finished_runs_of_recommended(runs: list[dict], cells_csv, dataset: str) -> list[dict]:
    """Those entries of `runs` ({"labels", "metrics": path, ...}), in order; empty if nothing on the data set finished."""
    cells = read_table(cells_csv)
    best = cells[(cells["dataset"] == dataset) & cells["recommended"]]
    if best.empty:
        return []
    key = tuple(best.iloc[0][CELL])
    own = [entry for entry in runs if tuple(entry["labels"][label] for label in CELL) == key]
    return [entry for entry in own if content(entry["metrics"])["status"] == "finished"]
