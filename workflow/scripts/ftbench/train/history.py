"""What a run writes down while it trains: a row per epoch, and where it stands within one.

A finished trial keeps its rows in its trial.json, a finished run in a history.csv.
"""

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

from ftbench.base.files import atomic_write, write_json

COLUMNS = (
    "epoch",
    "train_loss",
    "learning_rate",
    "group_learning_rates",
    "validation_accuracy",
    "validation_balanced_accuracy",
    "validation_nll",
    "gradient_norm",
    "images_per_second",
    "peak_memory_mb",
    "seconds",
)
HISTORY, PROGRESS = "history.csv", "progress.json"  # in the folder of an unfinished run's state


def write_history(rows: list[dict], path: str | Path) -> None:
    """Write one row per epoch with the columns COLUMNS: losses in nats, seconds since the start of the run.

    learning_rate is the recipe's at the epoch's last step; group_learning_rates are those of the optimizer's groups, the
    highest first, with spaces between: several where a strategy lets layers learn at different rates.
    """
    with atomic_write(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def finite(rows: list[dict]) -> list[dict]:
    """The same rows for JSON, which has no infinity and no NaN: None in their place."""
    return [
        {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        for row in rows
    ]


def write_progress(folder: Path, **values) -> None:
    """Leave a sign of life of a running job, for whoever watches (`ftbench.tools.watch`)."""
    write_json(folder / PROGRESS, values, lasting=False)  # every other second, and of no use after a power cut


@dataclass
class Outcome:
    """What a run ended with. `best_state` is the network of the best epoch, on the CPU; None where it diverged."""

    status: str = "finished"
    diverged: dict | None = None
    history: list[dict] = field(default_factory=list)
    best_epoch: int | None = None
    best: dict | None = None  # the validation scores of that epoch
    best_state: dict | None = None
    train_seconds: float = 0.0
    step_seconds: float = 0.0  # of it, inside training steps
    trained_images: int = 0
    resumes: int = 0


class Diverged(Exception):
    def __init__(self, epoch: int, step: int, rate: float, loss: float):
        self.where = {
            "epoch": epoch,
            "step": step,
            "learning_rate": rate,
            "loss": float(loss) if math.isfinite(loss) else None,
        }
