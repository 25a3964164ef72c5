"""The table of cost: seconds, operations, memory, latency and sizes of every cell."""

import pandas as pd

from ftbench.evaluate.cells import CELL
from ftbench.evaluate.charges import study_total
from ftbench.evaluate.runs_csv import read_runs
from ftbench.report.layout.columns import (
    CELL_COLUMNS,
    Column,
    as_decimal,
    as_duration,
    as_operations,
    as_plain,
    as_whole,
)
from ftbench.report.layout.formats import count, duration, megabytes
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

LATENCY_NOTE = "latencies were measured on different machines or thread counts: they do not compare"

ENERGY = "Energy, Wh"
COST = {
    **CELL_COLUMNS,
    "Runs": as_whole("runs"),
    "Own loop": as_duration("loop_seconds"),
    "Features": as_duration("feature_seconds"),
    "Borrowed probe": as_duration("borrowed_seconds"),
    "Training, per run": as_duration("train_seconds"),
    "Tuning, all trials": as_duration("tuning_seconds"),
    "One model with its tuning": as_duration("total_seconds"),
    "Images/s": as_whole("images_per_second"),
    "Peak memory, MB": as_whole("peak_memory_mb"),
    "Training": as_operations("train_flops"),
    "Tuning": as_operations("tuning_flops"),
    ENERGY: as_decimal("energy_wh", ",.3g"),
    "One image": as_operations("forward_flops"),
    "Latency of 1, ms": as_decimal("latency_ms_batch1", ".3g"),
    "Latency of 256, ms": as_decimal("latency_ms_batch256", ".3g"),
    "Network, MB": Column(lambda row: megabytes(row.model_bytes), "model_bytes"),
    "Saved, MB": Column(lambda row: megabytes(row.checkpoint_bytes), "checkpoint_bytes"),
    "Trainable": Column(lambda row: count(row.trainable_params), "trainable_params"),
    "Parameters": Column(lambda row: count(row.total_params), "total_params"),
    "Resumes": as_whole("resumes"),
    "Threads": as_plain("threads"),
    "Device": as_plain("device_name"),
}
UNKNOWN_NOTE = "–: not known; of predictions from outside nothing was measured here, and training is what their owner states, if anything"

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


def cost_table(runs_csv, cells: list[dict], out, watts: float | None = None) -> None:
    """Write cost.csv: `COST_COLUMNS`, in seconds, MB, images per second, operations, bytes and watt-hours.

    Means per finished run, charged as `ftbench.evaluate.charges.charge` has it; total_seconds is one run with its tuning: what a reader pays
    who wants this one model, and so is total_flops. peak_memory_mb is the maximum of all runs, resumes their sum.
    energy_wh is `watts` times total_seconds, empty without `watts`. Latencies were measured on latency_device (`ftbench.measure.efficiency`).
    """
    rows = []
    for key, own in by_cell(read_runs(runs_csv), cells):
        timed = finished_or_all(own)
        means = timed[[*SECONDS, "images_per_second", "train_flops"]].mean().to_dict()
        rows.append(
            {
                **dict(zip(CELL, key)),
                "runs": len(own),
                **means,
                "total_seconds": means["train_seconds"] + means["tuning_seconds"],
                "peak_memory_mb": own["peak_memory_mb"].max(),
                "resumes": own["resumes"].sum(min_count=1),
                **{name: joined(own[name]) for name in ("threads", "device_name")},
                **{name: timed.iloc[0][name] for name in ("step_flops", "trainable_params", "total_params", *OF_CELL)},
            }
        )
    frame = pd.DataFrame(rows, columns=COST_COLUMNS)
    frame["total_flops"] = frame["train_flops"] + frame["tuning_flops"]
    if watts is not None:
        frame["energy_wh"] = frame["total_seconds"] * watts / 3600
    write_csv(frame, out)


def cost_pages(cost_csv, runs_csv, out: dict) -> None:
    """Write the cost table, with the study's total from runs.csv, where a shared feature file counts once."""
    frame = read_table(cost_csv)
    # without energy where the config names no watts
    columns = {
        heading: column for heading, column in COST.items() if heading != ENERGY or frame["energy_wh"].notna().any()
    }
    total = study_total(read_runs(runs_csv))
    machines = sorted(
        {
            f"{row.latency_device}, {row.latency_threads:.0f} thread{'s' * (row.latency_threads != 1)}"
            for row in frame.itertuples()
            if pd.notna(row.latency_threads)
        }
    )
    notes = [
        f"the whole study took {duration(total['total_seconds'])}: training {duration(total['loop_seconds'])}, tuning "
        f"{duration(total['tuning_seconds'])}, features {duration(total['feature_seconds'])}; each feature file counts once there",
        "training per run = own loop + features + borrowed probe; a diverged run counts in the study's total, not in its cell's mean",
        "operations are those of matrix products and convolutions, a multiply-add as two, counted around one step of the training loop; "
        "training has all steps, validation passes, features and the probe that the cell uses, tuning all trials",
        *(["latency: median from uint8 images on the device to logits, " + "; ".join(machines)] if machines else []),
        *([UNKNOWN_NOTE] if frame["loop_seconds"].isna().any() else []),
        *([MIXED_NOTE] if mixed_hardware(frame) else []),
        *([LATENCY_NOTE] if len(machines) > 1 else []),
    ]
    subtitle = "What one model of each cell costs: shared work is charged in full to each cell that uses it."
    publish(frame, columns, out, "Cost of all cells", subtitle, notes)
