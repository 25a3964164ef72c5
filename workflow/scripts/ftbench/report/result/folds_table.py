"""The table of folds: what a cell chose and reached in each fold of a data set that is tested in folds."""

import numpy as np
import pandas as pd

from ftbench.base.logits import load_folds, load_logits
from ftbench.evaluate.cells import CELL
from ftbench.evaluate.probabilities import correct
from ftbench.evaluate.records import content
from ftbench.report.layout.columns import CELL_COLUMNS, as_number, as_percent, as_plain, as_whole
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish

COLUMNS = [
    *CELL,
    "fold",
    "images",
    "seeds",
    "accuracy",
    "accuracy_lowest",
    "accuracy_highest",
    "validation_accuracy",
    "chosen",
]
TUNED = ("learning_rate", "l2", "k", "alpha")
PAGE = CELL_COLUMNS | {
    "Fold": as_number("fold"),
    "Test images": as_whole("images"),
    "Seeds": as_whole("seeds"),
    "Accuracy, %": as_percent("accuracy"),
    "Worst seed, %": as_percent("accuracy_lowest"),
    "Best seed, %": as_percent("accuracy_highest"),
    "Validation, %": as_percent("validation_accuracy"),
    "Chosen": as_plain("chosen"),
}
NOTES = [
    "each fold is tested by networks that were tuned, chosen and trained on the other folds; the comparison pools the answers of all folds",
    "folds are parts of one data set whose training images overlap: they are no repetitions to compute an interval from, and none is given here",
]


def folds_table(runs: list[dict], out) -> None:
    """Write folds.csv, `COLUMNS`: a row per cell and fold. Accuracies are fractions, means over the seeds that finished in the fold.

    `runs` holds {"labels", "run", "test_logits": path} of the pooled runs. Without a finished seed the scores are empty.
    """
    found: dict[tuple, list[tuple]] = {}
    for entry in runs:
        record = content(entry["run"])
        logits, labels, _ = load_logits(entry["test_logits"])
        of_fold, right = load_folds(entry["test_logits"]), correct(logits, labels)
        for fold in record["folds"]:
            own = right[of_fold == fold["fold"]]
            accuracy = own.mean() if fold["status"] == "finished" else np.nan
            key = (*(entry["labels"][label] for label in CELL), fold["fold"])
            found.setdefault(key, []).append((len(own), accuracy, fold))
    rows = [dict(zip([*CELL, "fold"], key)) | _row(seeds) for key, seeds in found.items()]
    write_csv(pd.DataFrame(rows, columns=COLUMNS), out)


def _row(seeds: list[tuple]) -> dict:
    finished = [accuracy for _, accuracy, _ in seeds if not np.isnan(accuracy)]
    scores = [fold["validation_accuracy"] for _, accuracy, fold in seeds if not np.isnan(accuracy)]
    recipe = seeds[0][2]["recipe"] or {}
    chosen = next((f"{name} {recipe[name]:g}" for name in TUNED if recipe.get(name) is not None), None)
    return {
        "images": seeds[0][0],
        "seeds": len(finished),
        **{name: function(finished) if finished else None for name, function in (("accuracy", np.mean), ("accuracy_lowest", min), ("accuracy_highest", max))},
        "validation_accuracy": np.mean(scores) if scores else None,
        "chosen": chosen,
    }  # fmt: skip


def folds_pages(folds_csv, out: dict) -> None:
    """Write the table to read, in the formats of `out`."""
    subtitle = "What every cell reached in each fold of the test set."
    publish(read_table(folds_csv), PAGE, out, "Accuracy in every fold", subtitle, NOTES)
