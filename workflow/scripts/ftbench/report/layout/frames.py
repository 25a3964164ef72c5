"""Data frames as the tables share them: reading, writing, and the runs of a cell side by side."""

import pandas as pd

from ftbench.base.csv_text import guarded, plain
from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write
from ftbench.evaluate.cells import CELL, config_order
from ftbench.evaluate.runs_csv import whole
from ftbench.study.kinds import having

# The same in all finished runs of a cell. A diverged run leaves no network, so its checkpoint_bytes are few.
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


def write_csv(frame: pd.DataFrame, out) -> None:
    with atomic_write(out) as temporary:
        guarded(whole(frame)).to_csv(temporary, index=False)


def by_cell(runs: pd.DataFrame, cells: list[dict]) -> list[tuple[tuple, pd.DataFrame]]:
    groups = dict(list(runs.groupby(CELL, sort=False)))
    for key in config_order(cells):
        if key not in groups:
            raise InputError(
                f"No run of {' / '.join(key)} was collected: every cell of the grid needs at least one run."
            )
    return [(key, groups[key]) for key in config_order(cells)]


def joined(values: pd.Series) -> str:
    """The different values, with semicolons between; "" where none is known."""
    known = values.dropna()
    return "; ".join(dict.fromkeys(known.map("{:g}".format) if known.dtype.kind == "f" else known.astype(str)))


def from_outside(kind: str) -> bool:
    """Whether a strategy of this kind is predictions from outside: its costs are what their owner states, or unknown."""
    return kind in having("strategies", "engine", "given")


def finished_or_all(own: pd.DataFrame) -> pd.DataFrame:
    """A diverged run stopped early, so its cost says nothing about the recipe's unless there is no other."""
    finished = own[own["status"] == "finished"]
    return finished if len(finished) else own


def mixed_hardware(frame: pd.DataFrame) -> bool:
    """Whether the rows ran on more than one device or thread count, so that their seconds do not compare; unknown ones do not count."""
    known = [frame[name].dropna().astype(str) for name in ("device_name", "threads")]
    joined = any("; " in " ".join(values) for values in known)
    return joined or frame["device_name"].nunique() > 1 or frame["threads"].nunique() > 1


def read_table(path) -> pd.DataFrame:
    """A CSV table of this module or of its neighbours, names as text, flags as nullable booleans."""
    text = (*CELL, "backbone_a", "strategy_a", "backbone_b", "strategy_b", "family", "class", "predicted", "status", "kind",
            "worst_class", "threads", "device_name", "latency_device", "budget", "cheapest_by", "cheapest_why", "seeds_needed_for", "indistinguishable",
            "fine_tuned_strategy", "without", "worst_corruption", "column", "slice", "best", "worst")  # fmt: skip
    text += tuple(f"{who}_{part}" for who in ("best", "cheapest", "on_test") for part in ("backbone", "strategy"))
    flags = ("mixed_hardware", "recommended", "stochastic", "tuned", "at_grid_edge", "of_recipe", "small")
    types = {**dict.fromkeys(text, "str"), **dict.fromkeys(flags, "boolean")}
    return plain(pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""]))
