"""The summary's part on training sizes: what is recommended at each size, and what pretrained weights gain there."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ftbench.report.layout.formats import interval
from ftbench.report.layout.frames import read_table
from ftbench.report.result.label_more_table import expectation
from ftbench.report.result.training_size_table import PAGE, finding
from ftbench.report.summary.facts import address
from ftbench.report.summary.sentences import Sentence
from ftbench.report.summary.tables import Table, table

SOURCE, MORE = "tables/training_size.csv", "tables/label_more.csv"


class Sizes(NamedTuple):
    """One data set under all its limits."""

    sentences: list[Sentence]
    more: Sentence  # what further images would bring
    table: Table
    figure: str  # an address that holds the whole figure
    figure_path: str


def sizes(root: Path, limits: list[dict], dataset: str) -> Sizes | None:
    """The sizes of the family that `dataset` is the largest of; None if it is one limit of no several.

    `limits` is that of `ftbench.study.inputs.limits`.
    """
    family = next((member["family"] for member in limits if member["dataset"] == dataset), None)
    if family is None:
        return None
    frame = read_table(root / SOURCE).query("family == @family")
    path = f"plots/{family}.training_size.svg"
    columns = {heading: column for heading, column in PAGE.items() if heading != "Dataset"}
    marked = [place for place, best in enumerate(frame["recommended"]) if best]
    said = [Sentence(f"{finding(frame)}.", SOURCE), *_recommended(frame)]
    return Sizes(said, _more(root, frame, family), table(frame, columns, SOURCE, marked), address(root / path), path)


def _more(root: Path, frame: pd.DataFrame, family: str) -> Sentence:
    """What more images would bring to the cell that is recommended at the largest size."""
    largest = frame[frame["images_per_class"] == frame["images_per_class"].max()]
    best = largest[largest["recommended"].fillna(False).astype(bool)]
    rows = read_table(root / MORE).query("family == @family")
    for part in ("backbone", "strategy"):
        rows = rows[rows[part].isin(best[part])]
    if rows.empty:
        return Sentence("More images: too few sizes with a finished run for a learning curve.", MORE)
    return Sentence(f"More images: {expectation(rows)}.", MORE)


def _recommended(frame: pd.DataFrame) -> list[Sentence]:
    """What each size's own recommendation is."""
    said = []
    for size, own in frame.groupby("images_per_class"):
        best = own[own["recommended"].fillna(False).astype(bool)]
        if best.empty:
            said.append(Sentence(f"With {size:g} images per class no run finished.", SOURCE))
            continue
        row = best.iloc[0]
        score = interval(row["accuracy_mean"], row["accuracy_ci_low"], row["accuracy_ci_high"])
        said.append(
            Sentence(
                f"With {size:g} images per class validation chooses {row['strategy']} on {row['backbone']}: {score} %.",
                SOURCE,
            )
        )
    return said
