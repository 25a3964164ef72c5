"""The CSV tables of a study, a row per cell (data set, backbone, strategy), in the order of the config.

Numbers stay exact here: fractions, seconds, counts. `ftbench.report.layout.formats` turns them into pages for readers.
"""

import numpy as np
import pandas as pd

from ftbench.evaluate.cells import CELL
from ftbench.evaluate.collect import read_runs
from ftbench.report.layout.columns import (
    ACCURACY,
    CELL_COLUMNS,
    Column,
    as_decimal,
    as_duration,
    as_percent,
    as_whole,
    readable,
)
from ftbench.report.layout.formats import MISSING, count, percent
from ftbench.report.layout.frames import (
    OF_CELL,
    by_cell,
    finished_or_all,
    joined,
    mixed_hardware,
    read_table,
    write_csv,
)
from ftbench.report.layout.pages import MIXED_NOTE, publish
from ftbench.report.uncertainty.calibration_table import CALIBRATION

FLIPS_NOTE = (
    "with flips: test-time augmentation, the mean probability of an image and its mirror image; nothing else uses it"
)

NOTES = {
    "r": "recommended: best validation score of its data set; no test score was looked at to choose it",
    "u": "untuned: run at its fixed recipe",
    "e": "the chosen value is at the edge of its grid: a wider grid could do better",
    "d": "some or all seeds diverged: scores are means over the others",
    "1": "one run only (a deterministic strategy, or a single seed): its interval covers the test images alone",
}
WITH_FLIPS = "With flips, %"


def _accuracy(row) -> str:
    if row.status == "diverged":
        return "diverged"
    return f"{percent(row.accuracy_mean)} [{percent(row.accuracy_ci_low)}, {percent(row.accuracy_ci_high)}]"


def _seeds(row) -> str:
    return f"{row.seeds} + {row.diverged_seeds} diverged" if row.diverged_seeds else str(row.seeds)


def _flags(row) -> str:
    marks = {
        "r": row.recommended,
        "u": not row.tuned,
        "e": pd.notna(row.at_grid_edge) and row.at_grid_edge,
        "d": row.diverged_seeds > 0,
        "1": row.seeds == 1,
    }
    return " ".join(mark for mark, holds in marks.items() if holds)


COMPARISON = {
    **CELL_COLUMNS,
    "Flags": Column(_flags),
    "Seeds": Column(_seeds, "seeds"),
    ACCURACY: Column(_accuracy, "accuracy_mean"),
    WITH_FLIPS: as_percent("tta_accuracy"),
    "Macro F1, %": as_percent("macro_f1"),
    "Worst class, %": Column(
        lambda row: (
            MISSING if pd.isna(row.worst_class_accuracy) else f"{percent(row.worst_class_accuracy)} ({row.worst_class})"
        ),
        "worst_class_accuracy",
    ),
    "Class gap, points": as_percent("class_gap"),
    "NLL, nats": as_decimal("nll", ".3f"),
    "ECE, %": as_percent("ece"),
    "Training, per run": as_duration("train_seconds"),
    "Tuning, all trials": as_duration("tuning_seconds"),
    "Trainable": Column(lambda row: count(row.trainable_params), "trainable_params"),
    "Peak memory, MB": as_whole("peak_memory_mb"),
    "Images/s": as_whole("images_per_second"),
}

# The agreed columns and their order: users and tests rely on them. Anything new goes behind.
COMPARISON_COLUMNS = [
    "dataset",
    "backbone",
    "strategy",
    "seeds",
    "accuracy_mean",
    "accuracy_ci_low",
    "accuracy_ci_high",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "nll",
    "ece",
    "worst_class_accuracy",
    "train_seconds",
    "tuning_seconds",
    "trainable_params",
    "total_params",
    "peak_memory_mb",
    "images_per_second",
]
EXTRA_COLUMNS = [
    "status",
    "diverged_seeds",
    "recommended",
    "kind",
    "stochastic",
    "tuned",
    "at_grid_edge",
    "learning_rate",
    "l2",
    "validation_accuracy",
    "balanced_accuracy",
    "brier",
    "worst_class",
    "accuracy_bootstrap_low",
    "accuracy_bootstrap_high",
    "tta_accuracy",
    "test_images",
    "precision",
    "threads",
    "device_name",
    "adaptive_ece",
    "temperature",
    "nll_scaled",
    "ece_scaled",
    "aurc",
    "class_gap",
    "detectable_difference",
    "train_flops",
    *OF_CELL,
]
MEANS = [
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "nll",
    "ece",
    "worst_class_accuracy",
    "validation_accuracy",
    "balanced_accuracy",
    "brier",
    "accuracy_bootstrap_low",
    "accuracy_bootstrap_high",
    "adaptive_ece",
    "temperature",
    "nll_scaled",
    "ece_scaled",
    "aurc",
    "class_gap",
    "tta_accuracy",
]


def detectable(
    differences: pd.DataFrame, dataset: str, backbone: str | None = None, strategy: str | None = None
) -> pd.Series:
    """What the tests of a data set's pairs, or of one cell's pairs, could have found: the column `detectable` of differences.csv."""
    own = differences["dataset"] == dataset
    if backbone is not None:
        sides = [(differences[f"backbone_{s}"] == backbone) & (differences[f"strategy_{s}"] == strategy) for s in "ab"]
        own &= sides[0] | sides[1]
    return differences.loc[own, "detectable"]


def comparison_table(runs_csv, cells_csv, differences_csv, cells: list[dict], out) -> None:
    """Write comparison.csv: `COMPARISON_COLUMNS`, then `EXTRA_COLUMNS`.

    `runs_csv` is from `ftbench.evaluate.collect`, `cells_csv` and `differences_csv` from `ftbench.evaluate.compare`; `cells` lists {dataset, backbone,
    strategy} in config order.
    Scores are means over the finished seeds, which `seeds` counts; a bootstrap interval is the mean of its ends over seeds;
    worst_class names the class most often worst. Costs are means per finished run, peak memory is the highest of any run.
    status: finished, partly diverged (diverged_seeds > 0) or diverged (no scores). detectable_difference: the median over the
    cell's pairs of the accuracy difference that 80 % of such studies would find (p below 0.05, uncorrected), as a fraction.
    """
    differences = read_table(differences_csv)
    intervals = read_table(cells_csv).set_index(CELL)
    rows = []
    for key, own in by_cell(read_runs(runs_csv), cells):
        finished, timed, interval = own[own["status"] == "finished"], finished_or_all(own), intervals.loc[key]
        first = own.iloc[0]
        diverged = len(own) - len(finished)
        worst = finished["worst_class"].mode()
        rows.append(
            {
                **dict(zip(CELL, key)),
                "seeds": len(finished),
                **{name: interval[name] for name in ("accuracy_mean", "accuracy_ci_low", "accuracy_ci_high")},
                **{name: finished[name].mean() if len(finished) else np.nan for name in MEANS},
                **{
                    name: timed[name].mean()
                    for name in ("train_seconds", "tuning_seconds", "images_per_second", "train_flops")
                },
                **{name: first[name] for name in ("trainable_params", "total_params", "kind", "stochastic", "tuned")},
                **{name: first[name] for name in ("at_grid_edge", "learning_rate", "l2", *OF_CELL)},
                "peak_memory_mb": own["peak_memory_mb"].max(),
                "status": "finished" if not diverged else "diverged" if not len(finished) else "partly diverged",
                "diverged_seeds": diverged,
                "recommended": bool(interval["recommended"]),
                "worst_class": worst.iloc[0] if len(worst) else None,
                "test_images": first["images"],
                "detectable_difference": detectable(differences, *key).median(),
                **{name: joined(own[name]) for name in ("precision", "threads", "device_name")},
            }
        )
    write_csv(pd.DataFrame(rows, columns=COMPARISON_COLUMNS + EXTRA_COLUMNS), out)


def leaders(frame: pd.DataFrame) -> list[int]:
    """Row numbers of the highest test accuracy of each data set."""
    return [
        int(own["accuracy_mean"].idxmax()) for _, own in frame.groupby("dataset") if own["accuracy_mean"].notna().any()
    ]


def _comparison_notes(text: pd.DataFrame) -> list[str]:
    used = {mark for flags in text["Flags"] for mark in flags.split()}
    return [
        "bold: highest test accuracy of its data set",
        *(f"{mark}: {note}" for mark, note in NOTES.items() if mark in used),
    ]


def detectable_note(frame: pd.DataFrame, differences: pd.DataFrame, dataset: str) -> str:
    """What differences this data set's tests could have found, in one sentence; `frame` is comparison.csv."""
    own, found = frame[frame["dataset"] == dataset], detectable(differences, dataset)
    if found.empty:
        return f"{dataset}: fewer than two cells finished, so no difference can be tested"
    images, seeds = int(own["test_images"].max()), int(own["seeds"].max())
    seen = found[
        found <= 1
    ]  # the seeds of the other pairs differ so much that only more than 100 points would be found
    said = f"{dataset}, {images:,} test images, {seeds} seed{'s' * (seeds != 1)}: "
    if len(seen):
        said += (
            f"of true differences of {percent(seen.median())} points 80 % would be found (p < 0.05 before correction; median over "
            f"pairs of cells, which range from {percent(seen.min())} to {percent(seen.max())}); differences smaller than that may "
            "exist unseen"
        )
    if len(seen) < len(found):
        said += "; " * bool(len(seen))
        said += f"{len(found) - len(seen)} of {len(found)} pairs could show no difference at all, so far apart are their seeds"
    return said


def comparison_pages(comparison_csv, differences_csv, comparison_out: dict, calibration_out: dict) -> None:
    """Write the comparison (leaders bold, flags and detectable differences below it) and the calibration table of the same cells."""
    frame, differences = read_table(comparison_csv), read_table(differences_csv)
    detectables = [detectable_note(frame, differences, dataset) for dataset in dict.fromkeys(frame["dataset"])]
    flips = frame["tta_accuracy"].notna().any()
    # without flips where no data set of the study may be mirrored
    columns = {heading: column for heading, column in COMPARISON.items() if flips or heading != WITH_FLIPS}
    notes = _comparison_notes(readable(frame, columns)[0]) + detectables
    notes += [FLIPS_NOTE] * bool(flips) + [MIXED_NOTE] * mixed_hardware(frame)
    subtitle = "Means over seeds on the sealed test set; intervals over seeds and test images."
    publish(frame, columns, comparison_out, "Comparison of all cells", subtitle, notes, leaders(frame))
    notes = [
        "temperature: fitted on validation logits, then divides the test logits; above 1 the model was too sure, below 1 not sure enough; "
        "no prediction changes",
        "AURC: mean error over all shares of images that are answered, the surest first; lower is better",
        "ECE: 15 bins of equal width, adaptive ECE: 15 bins of equal size",
    ]
    finished = frame[frame["accuracy_mean"].notna()].reset_index(drop=True)
    subtitle = "Whether the models know how sure they may be: test set, means over seeds."
    publish(finished, CALIBRATION, calibration_out, "Calibration and selective prediction", subtitle, notes)
