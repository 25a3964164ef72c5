"""The table of folds: what a cell chose and reached in each fold of a data set that is tested in folds."""

import numpy as np
import pandas as pd

from ftbench.base.logits import load_folds, load_logits
from ftbench.evaluate.cells import CELL, SELECTION
from ftbench.evaluate.probabilities import correct
from ftbench.evaluate.records import content
from ftbench.report.layout.columns import CELL_COLUMNS, as_number, as_percent, as_plain, as_whole
from ftbench.report.layout.formats import percent
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
    "validation_score",
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


def folds_table(runs: list[dict], out, metric: str = "accuracy") -> None:
    """Write folds.csv, `COLUMNS`: a row per cell and fold. Accuracies are fractions, means over the seeds that finished in the fold;
    validation_score is by the selection `metric`.

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
    rows = [dict(zip([*CELL, "fold"], key)) | _row(seeds, SELECTION[metric]) for key, seeds in found.items()]
    write_csv(pd.DataFrame(rows, columns=COLUMNS), out)


def _row(seeds: list[tuple], score: str) -> dict:
    finished = [accuracy for _, accuracy, _ in seeds if not np.isnan(accuracy)]
    scores = {
        name: [fold[name] for _, accuracy, fold in seeds if not np.isnan(accuracy)]
        for name in ("validation_accuracy", score)
    }
    recipe = seeds[0][2]["recipe"] or {}
    chosen = next((f"{name} {recipe[name]:g}" for name in TUNED if recipe.get(name) is not None), None)
    return {
        "images": seeds[0][0],
        "seeds": len(finished),
        **{name: function(finished) if finished else None for name, function in (("accuracy", np.mean), ("accuracy_lowest", min), ("accuracy_highest", max))},
        "validation_accuracy": np.mean(scores["validation_accuracy"]) if finished else None,
        "validation_score": np.mean(scores[score]) if finished else None,
        "chosen": chosen,
    }  # fmt: skip


def nested_accuracy(frame: pd.DataFrame) -> float | None:
    """The accuracy over all images of one data set if every fold chooses its cell by its own validation images: no image that a choice stands
    on is tested by what it chose (Varma & Simon 2006). `frame` holds the rows of folds.csv; None where a fold has no finished cell."""
    finished = frame.dropna(subset=["accuracy", "validation_score"])
    if set(finished["fold"]) != set(frame["fold"]):
        return None
    chosen = finished.loc[finished.groupby("fold", sort=True)["validation_score"].idxmax()]
    return float(np.average(chosen["accuracy"], weights=chosen["images"]))


def _nested_notes(frame: pd.DataFrame) -> list[str]:
    """A sentence for each data set on the choice of the cell."""
    found = {dataset: nested_accuracy(own) for dataset, own in frame.groupby("dataset", sort=False)}
    return [
        f"{dataset}: the recommendation names one cell by the validation scores of all folds, whose images other folds test; if every fold chooses by its "
        f"own validation images alone, what is chosen reaches {percent(accuracy)} %"
        for dataset, accuracy in found.items()
        if accuracy is not None
    ]


def folds_pages(folds_csv, out: dict) -> None:
    """Write the table to read, in the formats of `out`."""
    subtitle = "What every cell reached in each fold of the test set."
    frame = read_table(folds_csv)
    publish(frame, PAGE, out, "Accuracy in every fold", subtitle, NOTES + _nested_notes(frame))
