"""The comparison of all cells: `comparison.csv`, a row per cell in the order of the config, and its page.

Numbers stay exact in the CSV: fractions, seconds, counts. The page shows them in percent, with units and few digits.
"""

import numpy as np
import pandas as pd

from ftbench.evaluate.cells import CELL
from ftbench.evaluate.metrics import MEAN, MODE, SCORES
from ftbench.evaluate.runs_csv import read_runs
from ftbench.report.layout.columns import ACCURACY, CELL_COLUMNS, Column, as_duration, as_whole, readable
from ftbench.report.layout.formats import MISSING, count, interval, percent
from ftbench.report.layout.frames import (
    OF_CELL,
    by_cell,
    finished_or_all,
    from_outside,
    joined,
    mixed_hardware,
    read_table,
    write_csv,
)
from ftbench.report.layout.pages import MIXED_NOTE, publish
from ftbench.report.layout.score_columns import scores_of_page
from ftbench.report.layout.words import INTERVALS_NOTE, ONE_SEED_NOTE

FLIPS_NOTE = (
    "with flips: test-time augmentation, the mean probability of an image and its mirror image; nothing else uses it"
)

NOTES = {
    "r": "recommended: best validation score of its data set; no test score was looked at to choose it",
    "u": "untuned: run at its fixed recipe",
    "e": "the chosen value is at the edge of its grid: a wider grid could do better",
    "d": "some or all seeds diverged: scores are means over the others",
    "1": "one run only: its interval covers the test images alone. Of a deterministic strategy nothing else is left to chance; of others "
    "it speaks of this one trained model, not of the recipe",
    "m": "made of trained models, or by others: its interval and its p values speak of these very models, whose luck of training it holds; "
    "others made in the same way would differ",
    "g": "given from outside: its predictions come from files, its costs are what its owner states, or unknown; nobody here can know "
    "what it was trained on",
    "a": "approximate: its files have the probabilities of the best classes alone (how many says the column top_k of the CSV) and the rest was "
    "spread evenly, so that NLL, calibration and what else uses probabilities are approximate; accuracy is not",
    "t": "the weights that it starts from were trained on test images (how many says the column seen_test_images of the CSV; empty: it "
    "cannot be known), so its scores flatter it; the config allows that",
}
# Headings of scores that the page treats in its own way.
WITH_FLIPS, TOP_5, WORST_CLASS = "With flips, %", "Top-5, %", "Worst class, %"


def _accuracy(row) -> str:
    if row.status == "diverged":
        return "diverged"
    return interval(row.accuracy_mean, row.accuracy_ci_low, row.accuracy_ci_high)


def _worst_class(row) -> str:
    if pd.isna(row.worst_class_accuracy):
        return MISSING
    return f"{percent(row.worst_class_accuracy)} ({row.worst_class})"


def _seeds(row) -> str:
    return f"{row.seeds} + {row.diverged_seeds} diverged" if row.diverged_seeds else str(row.seeds)


def _flags(row) -> str:
    marks = {
        "r": row.recommended,
        "u": pd.notna(row.tuned) and not row.tuned,
        "e": pd.notna(row.at_grid_edge) and row.at_grid_edge,
        "d": row.diverged_seeds > 0,
        "1": row.seeds == 1 and row.stochastic != row.of_recipe and not row.test_folds,
        "m": row.seeds == 1 and not row.stochastic and not row.of_recipe and not row.test_folds,
        "g": from_outside(row.kind),
        "a": pd.notna(row.top_k),
        "t": row.seen_test_images != 0,
    }
    return " ".join(mark for mark, holds in marks.items() if holds)


COMPARISON = {
    **CELL_COLUMNS,
    "Flags": Column(_flags),
    "Seeds": Column(_seeds, "seeds"),
    ACCURACY: Column(_accuracy, "accuracy_mean"),
    **scores_of_page("comparison"),
    WORST_CLASS: Column(_worst_class, "worst_class_accuracy"),
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
    *("adaptive_ece", "temperature", "nll_scaled", "ece_scaled", "aurc", "class_gap", "detectable_difference"),
    *("of_recipe", "test_groups", "test_folds", "train_flops", "seen_test_images", "top_k"),
    *OF_CELL,
]
AVERAGED = [score.name for score in SCORES if score.kind == MEAN]
MOST_FREQUENT = [score.name for score in SCORES if score.kind == MODE]
# A score without a place in the agreed order stands behind all of it.
EXTRA_COLUMNS += [name for name in (*AVERAGED, *MOST_FREQUENT) if name not in COMPARISON_COLUMNS + EXTRA_COLUMNS]


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

    `runs_csv` is from `ftbench.evaluate.collect`, `cells_csv` and `differences_csv` from `ftbench.compare.comparison`; `cells` lists
    {dataset, backbone, strategy} in config order.

    Scores are means over the finished seeds, which `seeds` counts; a bootstrap interval is the mean of its ends over seeds;
    worst_class names the class most often worst. Costs are means per finished run, peak memory is the highest of any run.
    status: finished, partly diverged (diverged_seeds > 0) or diverged (no scores). detectable_difference: the median over the
    cell's pairs of the accuracy difference that 80 % of such studies would find (p below 0.05, uncorrected), as a fraction.
    """
    differences = read_table(differences_csv)
    intervals = read_table(cells_csv).set_index(CELL)
    rows = [
        {
            **dict(zip(CELL, key)),
            **_scores(own, intervals.loc[key]),
            **_costs(own),
            "detectable_difference": detectable(differences, *key).median(),
        }
        for key, own in by_cell(read_runs(runs_csv), cells)
    ]
    write_csv(pd.DataFrame(rows, columns=COMPARISON_COLUMNS + EXTRA_COLUMNS), out)


def _scores(own: pd.DataFrame, interval: pd.Series) -> dict:
    """What the runs of one cell scored; `interval` is its row of cells.csv."""
    finished = own[own["status"] == "finished"]
    diverged = len(own) - len(finished)
    frequent = {name: finished[name].mode() for name in MOST_FREQUENT}
    return {
        "seeds": len(finished),
        "diverged_seeds": diverged,
        "status": "finished" if not diverged else "diverged" if not len(finished) else "partly diverged",
        "recommended": bool(interval["recommended"]),
        "test_images": own.iloc[0]["images"],
        **{name: interval[name] for name in ("of_recipe", "test_groups", "test_folds", "seen_test_images")},
        **{name: interval[name] for name in ("accuracy_mean", "accuracy_ci_low", "accuracy_ci_high")},
        **{name: finished[name].mean() if len(finished) else np.nan for name in (*AVERAGED, "validation_accuracy")},
        **{name: values.iloc[0] if len(values) else None for name, values in frequent.items()},
    }


def _costs(own: pd.DataFrame) -> dict:
    """What the runs of one cell were and cost."""
    timed, first = finished_or_all(own), own.iloc[0]
    means = ("train_seconds", "tuning_seconds", "images_per_second", "train_flops")
    shared = ("trainable_params", "total_params", "kind", "stochastic", "tuned", "at_grid_edge", "learning_rate", "l2")
    shared += ("top_k",)
    return {
        **{name: timed[name].mean() for name in means},
        **{name: first[name] for name in shared},
        **{name: timed.iloc[0][name] for name in OF_CELL},
        "peak_memory_mb": own["peak_memory_mb"].max(),
        **{name: joined(own[name]) for name in ("precision", "threads", "device_name")},
    }


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
    seen = found[found <= 1]  # the seeds of other pairs differ so much that only more than 100 points would be found
    groups = own["test_groups"].max()
    counted = f" in {groups:,.0f} groups, which count as one each" if groups < images else ""
    said = f"{dataset}, {images:,} test images{counted}, {seeds} seed{'s' * (seeds != 1)}: "
    if not own.loc[own["stochastic"].fillna(True).astype(bool), "of_recipe"].fillna(True).all():
        said += f"{ONE_SEED_NOTE}; "
    if len(seen):
        said += (
            f"a true difference of {percent(seen.median())} points would be found in 80 of 100 such studies (p < 0.05 before correction; the "
            f"median over the pairs of cells: for single pairs it takes {percent(seen.min())} to {percent(seen.max())} points); smaller ones "
            "may exist without being seen"
        )
    if len(seen) < len(found):
        said += "; " * bool(len(seen))
        said += f"for {len(found) - len(seen)} of {len(found)} pairs the seeds vary so much that no difference could have been detected"
    return said


def folds_note(frame: pd.DataFrame, dataset: str) -> str:
    """A sentence on a data set that is tested in folds, else nothing."""
    folds = frame.loc[frame["dataset"] == dataset, "test_folds"].max()
    return (
        ""
        if not folds > 0
        else (
            f"{dataset}: tested in {folds:.0f} folds, so that every image is answered once for each seed, by a network that was tuned, chosen and trained "
            "on other folds; intervals hold the luck of the folds' networks, and times are sums over folds (folds.csv shows each)"
        )
    )


def untested_note(frame: pd.DataFrame, dataset: str) -> str:
    """A sentence where a data set's test part lacks classes, else nothing."""
    missing = frame.loc[frame["dataset"] == dataset, "untested_classes"].max()
    if not missing > 0:
        return ""
    return f"{dataset}: {missing:.0f} class{'es' * (missing > 1)} without a test image, which balanced accuracy, AUC and the worst class leave out"


def comparison_pages(comparison_csv, differences_csv, out: dict) -> None:
    """Write the comparison in the formats of `out`: leaders bold, flags and detectable differences explained below it."""
    frame, differences = read_table(comparison_csv), read_table(differences_csv)
    flips = frame["tta_accuracy"].notna().any()
    # without flips if no data set of the study may be mirrored, without the top five where no data set has more than ten classes
    left_out = {WITH_FLIPS: not flips, TOP_5: frame["top5_accuracy"].isna().all()}
    columns = {heading: column for heading, column in COMPARISON.items() if not left_out.get(heading)}
    notes = _comparison_notes(readable(frame, columns)[0])
    notes += [detectable_note(frame, differences, dataset) for dataset in dict.fromkeys(frame["dataset"])]
    notes += [
        said(frame, dataset) for dataset in dict.fromkeys(frame["dataset"]) for said in (untested_note, folds_note)
    ]
    notes += [FLIPS_NOTE] * bool(flips) + [MIXED_NOTE] * mixed_hardware(frame)
    notes.append(INTERVALS_NOTE)
    subtitle = "Means over seeds on the sealed test set; intervals over seeds and test images."
    publish(frame, columns, out, "Comparison of all cells", subtitle, [note for note in notes if note], leaders(frame))
