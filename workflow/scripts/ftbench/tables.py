"""The CSV tables of a study, a row per cell (data set, backbone, strategy), in the order of the config.

Numbers stay exact here: fractions, seconds, counts. `ftbench.table_formats` turns them into pages for readers.
"""

import numpy as np
import pandas as pd

from ftbench.collect import CELL, read_runs
from ftbench.errors import InputError
from ftbench.files import atomic_write

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
# What efficiency.json knows of a cell: the same in all of its runs.
OF_CELL = [
    "tuning_flops",
    "forward_flops",
    "latency_ms_batch1",
    "latency_ms_batch256",
    "model_bytes",
    "checkpoint_bytes",
    "latency_device",
    "latency_threads",
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
COST_COLUMNS = [
    *CELL,
    "runs",
    "loop_seconds",
    "feature_seconds",
    "borrowed_seconds",
    "train_seconds",
    "tuning_seconds",
    "total_seconds",
    "images_per_second",
    "peak_memory_mb",
    "resumes",
    "threads",
    "device_name",
    "step_flops",
    "train_flops",
    "tuning_flops",
    "total_flops",
    "energy_wh",
    "forward_flops",
    "latency_ms_batch1",
    "latency_ms_batch256",
    "model_bytes",
    "checkpoint_bytes",
    "trainable_params",
    "total_params",
    "latency_device",
    "latency_threads",
]
SECONDS = ["loop_seconds", "feature_seconds", "borrowed_seconds", "train_seconds", "tuning_seconds"]


def config_order(cells: list[dict]) -> list[tuple[str, str, str]]:
    """(dataset, backbone, strategy) of every cell: data sets in alphabetical order, config order within one."""
    return sorted((tuple(cell[label] for label in CELL) for cell in cells), key=lambda key: key[0])


def write_csv(frame: pd.DataFrame, out) -> None:
    with atomic_write(out) as temporary:
        frame.to_csv(temporary, index=False)


def _by_cell(runs: pd.DataFrame, cells: list[dict]) -> list[tuple[tuple, pd.DataFrame]]:
    groups = dict(list(runs.groupby(CELL, sort=False)))
    for key in config_order(cells):
        if key not in groups:
            raise InputError(
                f"No run of {' / '.join(key)} was collected: every cell of the grid needs at least one run."
            )
    return [(key, groups[key]) for key in config_order(cells)]


def _joined(values: pd.Series) -> str:
    return "; ".join(dict.fromkeys(values.astype(str)))


def _finished_or_all(own: pd.DataFrame) -> pd.DataFrame:
    """A diverged run stopped early, so its cost says nothing about the recipe's unless there is no other."""
    finished = own[own["status"] == "finished"]
    return finished if len(finished) else own


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

    `runs_csv` is from `ftbench.collect`, `cells_csv` and `differences_csv` from `ftbench.compare`; `cells` lists {dataset, backbone,
    strategy} in config order.
    Scores are means over the finished seeds, which `seeds` counts; a bootstrap interval is the mean of its ends over seeds;
    worst_class names the class most often worst. Costs are means per finished run, peak memory is the highest of any run.
    status: finished, partly diverged (diverged_seeds > 0) or diverged (no scores). detectable_difference: the median over the
    cell's pairs of the accuracy difference that 80 % of such studies would find (p below 0.05, uncorrected), as a fraction.
    """
    differences = read_table(differences_csv)
    intervals = read_table(cells_csv).set_index(CELL)
    rows = []
    for key, own in _by_cell(read_runs(runs_csv), cells):
        finished, timed, interval = own[own["status"] == "finished"], _finished_or_all(own), intervals.loc[key]
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
                **{name: _joined(own[name]) for name in ("precision", "threads", "device_name")},
            }
        )
    write_csv(pd.DataFrame(rows, columns=COMPARISON_COLUMNS + EXTRA_COLUMNS), out)


def cost_table(runs_csv, cells: list[dict], out, watts: float | None = None) -> None:
    """Write cost.csv: `COST_COLUMNS`, in seconds, MB, images per second, operations, bytes and watt-hours.

    Means per finished run, charged as `ftbench.cost.charge` has it; total_seconds is one run with its tuning: what a reader pays
    who wants this one model, and so is total_flops. peak_memory_mb is the maximum of all runs, resumes their sum.
    energy_wh is `watts` times total_seconds, empty without `watts`. Latencies were measured on latency_device (`ftbench.efficiency`).
    """
    rows = []
    for key, own in _by_cell(read_runs(runs_csv), cells):
        means = _finished_or_all(own)[[*SECONDS, "images_per_second", "train_flops"]].mean().to_dict()
        rows.append(
            {
                **dict(zip(CELL, key)),
                "runs": len(own),
                **means,
                "total_seconds": means["train_seconds"] + means["tuning_seconds"],
                "peak_memory_mb": own["peak_memory_mb"].max(),
                "resumes": own["resumes"].sum(),
                **{name: _joined(own[name]) for name in ("threads", "device_name")},
                **{name: own.iloc[0][name] for name in ("step_flops", "trainable_params", "total_params", *OF_CELL)},
            }
        )
    frame = pd.DataFrame(rows, columns=COST_COLUMNS)
    frame["total_flops"] = frame["train_flops"] + frame["tuning_flops"]
    if watts is not None:
        frame["energy_wh"] = frame["total_seconds"] * watts / 3600
    write_csv(frame, out)


def mixed_hardware(frame: pd.DataFrame) -> bool:
    """Whether the rows ran on more than one device or thread count, so that their seconds do not compare."""
    joined = "; " in " ".join(frame["device_name"].astype(str)) or "; " in " ".join(frame["threads"].astype(str))
    return joined or frame["device_name"].nunique() > 1 or frame["threads"].nunique() > 1


def read_table(path) -> pd.DataFrame:
    """A CSV table of this module or of its neighbours, names as text, flags as nullable booleans."""
    text = (*CELL, "backbone_a", "strategy_a", "backbone_b", "strategy_b", "family", "class", "predicted", "status", "kind",
            "worst_class", "threads", "device_name", "latency_device", "budget", "cheapest_by", "indistinguishable",
            "fine_tuned_strategy", "without", "worst_corruption")  # fmt: skip
    text += tuple(f"{who}_{part}" for who in ("best", "cheapest", "on_test") for part in ("backbone", "strategy"))
    flags = ("mixed_hardware", "recommended", "stochastic", "tuned", "at_grid_edge")
    types = {**dict.fromkeys(text, "str"), **dict.fromkeys(flags, "boolean")}
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
