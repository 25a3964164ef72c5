"""What readers see of the CSV tables: headings and cells. The CSV keeps the exact numbers.

A `Column` shows a row of the CSV as text, and names the number by which an interactive table sorts it.
"""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from ftbench.table_formats import (
    MISSING,
    count,
    detectable,
    duration,
    interval,
    number,
    operations,
    p_value,
    percent,
    points,
)

NOTES = {
    "r": "recommended: best validation score of its data set; no test score was looked at to choose it",
    "u": "untuned: run at its fixed recipe",
    "e": "the chosen value is at the edge of its grid: a wider grid could do better",
    "d": "some or all seeds diverged: scores are means over the others",
    "1": "one run only (a deterministic strategy, or a single seed): its interval covers the test images alone",
}
ACCURACY = "Accuracy, % [95 % interval]"
ENERGY = "Energy, Wh"
WITH_FLIPS = "With flips, %"


class Column(NamedTuple):
    show: Callable  # a row of the CSV table as text
    by: str = ""  # the row's number that the column is sorted by; text without one


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


def cell_name(row, who: str) -> str:
    strategy = getattr(row, f"{who}_strategy")
    return MISSING if pd.isna(strategy) else f"{strategy} on {getattr(row, f'{who}_backbone')}"


def _percent(name: str) -> Column:
    return Column(lambda row: percent(getattr(row, name)), name)


def _duration(name: str) -> Column:
    return Column(lambda row: duration(getattr(row, name)), name)


def _operations(name: str) -> Column:
    return Column(lambda row: operations(getattr(row, name)), name)


def _decimal(name: str, spec: str) -> Column:
    return Column(lambda row: number(getattr(row, name), spec), name)


def _text(name: str) -> Column:
    return Column(lambda row: getattr(row, name))


def _whole(name: str) -> Column:
    return Column(lambda row: number(getattr(row, name), ",.0f"), name)


CELL = {"Dataset": _text("dataset"), "Backbone": _text("backbone"), "Strategy": _text("strategy")}
COMPARISON = {
    **CELL,
    "Flags": Column(_flags),
    "Seeds": Column(_seeds, "seeds"),
    ACCURACY: Column(_accuracy, "accuracy_mean"),
    WITH_FLIPS: _percent("tta_accuracy"),
    "Macro F1, %": _percent("macro_f1"),
    "Worst class, %": Column(
        lambda row: (
            MISSING if pd.isna(row.worst_class_accuracy) else f"{percent(row.worst_class_accuracy)} ({row.worst_class})"
        ),
        "worst_class_accuracy",
    ),
    "Class gap, points": _percent("class_gap"),
    "NLL, nats": _decimal("nll", ".3f"),
    "ECE, %": _percent("ece"),
    "Training, per run": _duration("train_seconds"),
    "Tuning, all trials": _duration("tuning_seconds"),
    "Trainable": Column(lambda row: count(row.trainable_params), "trainable_params"),
    "Peak memory, MB": _whole("peak_memory_mb"),
    "Images/s": _whole("images_per_second"),
}
CALIBRATION = {
    **CELL,
    "Accuracy, %": _percent("accuracy_mean"),
    "NLL, nats": _decimal("nll", ".3f"),
    "Brier": _decimal("brier", ".3f"),
    "ECE, %": _percent("ece"),
    "Adaptive ECE, %": _percent("adaptive_ece"),
    "Temperature": _decimal("temperature", ".2f"),
    "NLL at it, nats": _decimal("nll_scaled", ".3f"),
    "ECE at it, %": _percent("ece_scaled"),
    "AURC, %": Column(lambda row: percent(row.aurc, 2), "aurc"),
}
PAIRWISE = {
    "Dataset": _text("dataset"),
    "Compared": Column(lambda row: {"strategies": "strategies", "recommended": "with recommended"}[row.family]),
    "A": Column(lambda row: f"{row.strategy_a} on {row.backbone_a}"),
    "B": Column(lambda row: f"{row.strategy_b} on {row.backbone_b}"),
    "Seeds": Column(lambda row: f"{row.seeds_a} / {row.seeds_b}"),
    "A − B, points [95 % interval]": Column(lambda row: points(row.difference, row.ci_low, row.ci_high), "difference"),
    "Effect size h [95 % interval]": Column(
        lambda row: f"{row.effect_size:+.2f} [{row.effect_low:+.2f}, {row.effect_high:+.2f}]", "effect_size"
    ),
    "p": Column(lambda row: p_value(row.p), "p"),
    "p, Holm": Column(lambda row: p_value(row.p_holm), "p_holm"),
    "Detectable, points": Column(lambda row: detectable(row.detectable, 2), "detectable"),
    "McNemar p per seed": Column(
        lambda row: f"{p_value(row.mcnemar_p_lowest)} – {p_value(row.mcnemar_p_highest)}", "mcnemar_p_median"
    ),
}
COST = {
    **CELL,
    "Runs": _whole("runs"),
    "Own loop": _duration("loop_seconds"),
    "Features": _duration("feature_seconds"),
    "Borrowed probe": _duration("borrowed_seconds"),
    "Training, per run": _duration("train_seconds"),
    "Tuning, all trials": _duration("tuning_seconds"),
    "One model with its tuning": _duration("total_seconds"),
    "Images/s": _whole("images_per_second"),
    "Peak memory, MB": _whole("peak_memory_mb"),
    "Training": _operations("train_flops"),
    "Tuning": _operations("tuning_flops"),
    ENERGY: _decimal("energy_wh", ",.3g"),
    "One image": _operations("forward_flops"),
    "Latency of 1, ms": _decimal("latency_ms_batch1", ".3g"),
    "Latency of 256, ms": _decimal("latency_ms_batch256", ".3g"),
    "Network, MB": Column(lambda row: f"{row.model_bytes / 1e6:.3g}", "model_bytes"),
    "Saved, MB": Column(lambda row: f"{row.checkpoint_bytes / 1e6:.3g}", "checkpoint_bytes"),
    "Trainable": Column(lambda row: count(row.trainable_params), "trainable_params"),
    "Parameters": Column(lambda row: count(row.total_params), "total_params"),
    "Resumes": _whole("resumes"),
    "Threads": _text("threads"),
    "Device": _text("device_name"),
}
PER_CLASS = {
    **CELL,
    "Class": _text("class_name"),
    "Recall, % [95 % interval]": Column(
        lambda row: (
            percent(row.recall)
            if pd.isna(row.recall_ci_low)
            else interval(row.recall, row.recall_ci_low, row.recall_ci_high)
        ),
        "recall",
    ),
    "Precision, %": _percent("precision"),
    "F1, %": _percent("f1"),
    "Test images": _whole("support"),
}
CONFUSED = {
    **CELL,
    "Class": _text("class_name"),
    "Taken for": _text("predicted"),
    "Share of the class, %": _percent("share"),
    "Images per run": _decimal("images", ".1f"),
}
RECOMMENDATION = {
    "Dataset": _text("dataset"),
    "Budget": Column(lambda row: row.budget + _limits(row)),
    "Best by validation": Column(lambda row: cell_name(row, "best") if row.cells else "no finished cell keeps it"),
    "its test accuracy, %": Column(
        lambda row: interval(row.best_accuracy, row.best_ci_low, row.best_ci_high), "best_accuracy"
    ),
    "Cells in it": _whole("cells"),
    "Not told from it": _whole("indistinguishable_cells"),
    "Cheapest of these": Column(lambda row: cell_name(row, "cheapest")),
    "its difference, points": Column(
        lambda row: (
            MISSING
            if pd.isna(row.cheapest_difference)
            else "0, the best itself"
            if cell_name(row, "cheapest") == cell_name(row, "best")
            else points(row.cheapest_difference, row.cheapest_difference_low, row.cheapest_difference_high)
        ),
        "cheapest_difference",
    ),
    "its training": Column(lambda row: duration(60 * row.cheapest_minutes), "cheapest_minutes"),
    "its parameters": Column(
        lambda row: MISSING if pd.isna(row.cheapest_parameters) else count(row.cheapest_parameters),
        "cheapest_parameters",
    ),
    "its latency, ms": _decimal("cheapest_latency_ms", ".1f"),
    "Best on test": Column(lambda row: cell_name(row, "on_test")),
    "gained by choosing on test, points": Column(
        lambda row: MISSING if pd.isna(row.on_test_gain) else f"{100 * row.on_test_gain:+.2f}", "on_test_gain"
    ),
}


def _limits(row) -> str:
    """' (≤ 5 min, ≤ 3.4 M parameters)': a budget's limits in words."""
    shown = {
        "limit_minutes": lambda value: f"≤ {duration(60 * value)}",
        "limit_parameters": lambda value: f"≤ {count(value)} parameters",
        "limit_latency_ms": lambda value: f"≤ {value:g} ms",
    }
    words = [say(getattr(row, name)) for name, say in shown.items() if pd.notna(getattr(row, name))]
    return f" ({', '.join(words)})" if words else ""


def readable(frame: pd.DataFrame, columns: dict[str, Column]) -> tuple[pd.DataFrame, dict[str, list]]:
    """The frame as text cells, and for each heading that sorts by a number the numbers; `columns` maps headings to columns."""
    frame = frame.rename(columns={"class": "class_name"})  # `class` cannot be an attribute
    rows = list(frame.itertuples(index=False))
    text = pd.DataFrame([[column.show(row) for column in columns.values()] for row in rows], columns=list(columns))
    return text, {heading: frame[column.by].tolist() for heading, column in columns.items() if column.by}
