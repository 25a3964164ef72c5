"""The table of calibration: how far confidence and accuracy are apart, before and after temperature scaling."""

import pandas as pd

from ftbench.report.layout.columns import CELL_COLUMNS, as_percent
from ftbench.report.layout.frames import read_table
from ftbench.report.layout.pages import publish
from ftbench.report.layout.score_columns import scores_of_page

CALIBRATION = {**CELL_COLUMNS, "Accuracy, %": as_percent("accuracy_mean"), **scores_of_page("calibration")}
NOTES = [
    "temperature: fitted on validation logits, then divides the test logits; above 1 the model was too sure, below 1 not sure enough; "
    "no prediction changes",
    "it helps in: share of seeds in which the temperature is defined (the validation part has a mistake; else it is 1) and the NLL of the test "
    "images is not worse at it; below 100 % use it with care",
    "AURC: mean error over all shares of images that are answered, the surest first; lower is better",
    "ECE: 15 bins of equal width, adaptive ECE: 15 bins of equal size",
]


def calibration_pages(comparison_csv, out: dict) -> None:
    """Write the calibration of the cells that finished, in the formats of `out`; the numbers are columns of comparison.csv."""
    frame = read_table(comparison_csv)
    finished = frame[frame["accuracy_mean"].notna()].reset_index(drop=True)
    subtitle = "Whether the models know how sure they may be: test set, means over seeds."
    rough = [
        f"{row.strategy} on {row.backbone} ({row.dataset})" for row in finished.itertuples() if pd.notna(row.top_k)
    ]
    notes = [
        *NOTES,
        *([f"approximate, since its files have the best classes alone: {', '.join(rough)}"] if rough else []),
    ]
    publish(finished, CALIBRATION, out, "Calibration and selective prediction", subtitle, notes)
