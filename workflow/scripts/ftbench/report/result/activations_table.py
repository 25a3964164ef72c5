"""The table of activations: accuracy and silent units of the same network with several activations."""

import pandas as pd

from ftbench.base.errors import InputError
from ftbench.evaluate.cells import CELL
from ftbench.report.layout.columns import ACCURACY_COLUMN, CELL_COLUMNS, Column, as_text
from ftbench.report.layout.formats import percent
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish

ACTIVATIONS = CELL_COLUMNS | {
    "Activation": as_text("activation"),
    "Dead units before, %": Column(lambda row: percent(row.dead_before, 2), "dead_before"),
    "Dead units after, %": Column(lambda row: percent(row.dead_after, 2), "dead_after"),
    "Not positive before, %": Column(lambda row: percent(row.sparsity_before, 2), "sparsity_before"),
    "Not positive after, %": Column(lambda row: percent(row.sparsity_after, 2), "sparsity_after"),
    "Accuracy, %": ACCURACY_COLUMN,
}


def read_silent_units(cells: list[dict]) -> pd.DataFrame:
    """All counts in one frame; `cells` holds {"labels": {dataset, backbone, strategy}, "counts": path, "activation": name}."""
    frames = [
        pd.read_csv(cell["counts"], dtype={"layer": "str"}).assign(**cell["labels"], activation=cell["activation"])
        for cell in cells
    ]
    if not frames:
        raise InputError("No backbone of the study names an activation, so there is nothing to compare.")
    return pd.concat(frames, ignore_index=True)


def activations_table(cells: list[dict], comparison_csv, out, pages: dict) -> None:
    """Write activations.csv and its page in the formats of `pages`: a row per cell.

    A row has the shares of dead units and of values that are not positive, before and after training, and the accuracy. Shares
    are means over layers, weighted by their units, and over seeds. `cells` is as for `read_silent_units`.
    """
    frame = read_silent_units(cells)
    weighted = frame.assign(**{name: frame[name] * frame["units"] for name in ("dead", "sparsity")})
    grouped = weighted.groupby([*CELL, "activation", "when"], sort=False)[["dead", "sparsity", "units"]].sum()
    shares = grouped[["dead", "sparsity"]].div(grouped["units"], axis=0).unstack("when")
    shares.columns = [f"{name}_{when}" for name, when in shares.columns]
    accuracy = read_table(comparison_csv)[[*CELL, "accuracy_mean", "accuracy_ci_low", "accuracy_ci_high"]]
    table = shares.reset_index().merge(accuracy, on=CELL, how="left")
    for name in ("dead_after", "sparsity_after"):  # every seed diverged
        if name not in table:
            table[name] = float("nan")
    write_csv(table, out)
    notes = [
        "dead: a channel whose input to the activation is never positive, on any position of 512 validation images",
        "behind a ReLU such a unit passes no value and no gradient; behind the others it works on its small slope",
    ]
    subtitle = "Silent units before and after training, mean over layers and seeds."
    publish(table, ACTIVATIONS, pages, "Activations", subtitle, notes)
