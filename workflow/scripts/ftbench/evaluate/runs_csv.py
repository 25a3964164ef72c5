"""The frame of all runs as a file, `tables/runs.csv`: written by collection, read by tables and figures."""

import os

import pandas as pd

from ftbench.base.csv_text import guarded, plain
from ftbench.base.files import atomic_write
from ftbench.evaluate.cells import CELL

# Whole numbers that may be absent stay whole in the CSV, and flags stay flags.
NULLABLE = {
    "best_epoch": "Int64",
    "at_grid_edge": "boolean",
    "tuned": "boolean",
    "stochastic": "boolean",
    "top_k": "Int64",
}
# Counts that are unknown of predictions from outside: whole in the CSV beside empty fields too.
COUNTS = (
    "trainable_params",
    "total_params",
    "threads",
    "resumes",
    "forward_flops",
    "model_bytes",
    "checkpoint_bytes",
    "latency_threads",
)
# Names stay text: a class called 0 or a backbone called 1e3 stays what it is.
TEXT = (*CELL, "kind", "status", "probe", "worst_class", "device", "device_name", "precision", "latency_device")


def write_runs(frame: pd.DataFrame, out: str | os.PathLike) -> None:
    with atomic_write(out) as temporary:
        guarded(whole(frame.astype(NULLABLE))).to_csv(temporary, index=False)


def whole(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with `COUNTS` as whole numbers where an absent one made real numbers of them."""
    names = [name for name in COUNTS if name in frame and frame[name].isna().any() and frame[name].dtype.kind in "fO"]
    numbers = frame[names].astype(float)
    return frame.astype({name: "Int64" for name in names if (numbers[name].dropna() % 1 == 0).all()})


def read_runs(path: str | os.PathLike) -> pd.DataFrame:
    """The frame that `write_runs` wrote: an empty field is missing, any other text is itself."""
    types = {**dict.fromkeys(TEXT, "str"), **NULLABLE}
    return plain(pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""]))
