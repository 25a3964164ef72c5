"""What a run writes down while it trains: a row per epoch, where it stands within one, and how it ended.

A finished trial keeps its rows in its trial.json, a finished run in a history.csv.
"""

import csv
import math
from collections.abc import Sequence
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


def write_history(rows: list[dict], path: str | Path, columns: Sequence[str] = COLUMNS) -> None:
    """Write one row per epoch: losses in nats, seconds since the start of the run. A row has exactly the `columns`.

    learning_rate is the recipe's at the epoch's last step; group_learning_rates are those of the optimizer's groups, the
    highest first, with spaces between: several if a strategy lets layers learn at different rates.
    """
    with atomic_write(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)


def finite(rows: list[dict]) -> list[dict]:
    """The same rows for JSON, which has no infinity and no NaN: None in their place."""
    return [
        {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        for row in rows
    ]


def epoch_row(epoch: int, loss: float, rate: float, group_rates: list[float], scores: dict, **measured) -> dict:
    """The row of an epoch (1-based), with the columns COLUMNS.

    `scores` are the validation part's; `measured` are gradient_norm, images_per_second, peak_memory_mb and seconds.
    """
    return {
        "epoch": epoch,
        "train_loss": loss,
        "learning_rate": rate,
        "group_learning_rates": " ".join(f"{one:.6g}" for one in group_rates),
        **scores,
        **measured,
    }


def report(
    folder: Path | None,
    position: dict,
    loss: float,
    validation_accuracy: float | None,
    images_per_second: float,
    seconds_left: float,
) -> None:
    """Print a progress line, and leave a sign of life in `folder` (unless it is None) for `ftbench.tools.watch`.

    `position` has epoch, epochs, step and steps, counted from 1; `loss` is the mean of the running epoch.
    """
    scored = "" if validation_accuracy is None else f", validation accuracy {validation_accuracy:.4f}"
    print(
        f"epoch {position['epoch']}/{position['epochs']} step {position['step']}/{position['steps']}: "
        f"loss {loss:.4f}{scored}, {images_per_second:.0f} images/s, about {seconds_left:.0f} s left"
    )
    if folder is not None:
        measured = {
            "loss": loss if math.isfinite(loss) else None,  # a run that is about to be found diverged
            "images_per_second": images_per_second,
            "seconds_left": seconds_left,
        }
        write_json(folder / PROGRESS, position | measured, lasting=False)  # of no use after a power cut


@dataclass
class Outcome:
    """What a run ended with. `best_state` is the network of the best epoch, on the CPU; None if it diverged."""

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
    """The loss, or the logits, of a run are beyond use; `where` says since which epoch and step (1-based)."""

    def __init__(self, epoch: int, step: int, rate: float, loss: float):
        self.where = {
            "epoch": epoch,
            "step": step,
            "learning_rate": rate,
            "loss": float(loss) if math.isfinite(loss) else None,
        }
