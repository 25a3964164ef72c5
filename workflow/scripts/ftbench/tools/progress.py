"""Every trial and run of a study, with how far it is: read from the files that the jobs leave while they work.

A running job keeps `history.csv` and `progress.json` in the folder of its unfinished state, and holds that folder's lock.
"""

import csv
import fcntl
import json
import os
from itertools import product
from pathlib import Path
from typing import NamedTuple

from ftbench.study import grid, trials
from ftbench.study.kinds import declared
from ftbench.study.paths import resume_folder
from ftbench.train.history import HISTORY, PROGRESS


class Run(NamedTuple):
    """One trial or final run: its cell, "trial2", "trial0/rung1", "seed0/trial2" (of one seed's split) or "seed0", its record, and the folder of its unfinished state."""

    cell: grid.Cell
    name: str
    record: Path
    resume: Path

    @property
    def history(self) -> Path:
        return self.record.with_name(HISTORY)


def all_runs(study: dict, results: Path) -> list[Run]:
    """Every trial and run of a resolved study, in the order of the config, below its folder `results`."""
    found = []
    for cell in grid.trained(study, grid.cells(study)):
        path = Path(*cell)
        if declared(study["strategies"][cell.strategy]["kind"])["engine"] == "loop":
            tuned = [f"seed{seed}/" for seed in study["seeds"]] if grid.own_splits(study) else [""]
            for split, trial in product(tuned, trials.trials(study, cell.strategy)):
                name = f"{split}trial{trial.name}"
                record = results / "tuning" / path / name / "trial.json"
                found.append(Run(cell, name, record, Path(resume_folder(record))))
        for seed in grid.seeds_of(study, cell.strategy):
            folder = results / "runs" / path / f"seed{seed}"
            resume = Path(resume_folder(folder / "model.safetensors"))
            found.append(Run(cell, f"seed{seed}", folder / "run.json", resume))
    return found


def rows(path: Path) -> list[dict]:
    """The epochs of a history, as text; [] where there is none (yet)."""
    try:
        with path.open(newline="") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError:
        return []


def as_text(epochs: list[dict]) -> list[dict]:
    """The epochs of a trial.json as a CSV file has them."""
    return [{key: "" if value is None else str(value) for key, value in row.items()} for row in epochs]


def state(run: Run) -> dict:
    """{"status": "finished", "diverged", "running", "stopped" or "waiting", "epochs": history, "progress": dict or None}."""
    record = _read(run.record)
    if record:
        epochs = as_text(record["history"]) if "history" in record else rows(run.history)
        return {"status": record["status"], "epochs": epochs, "progress": None}
    progress = _read(run.resume / PROGRESS)
    status = "waiting" if not (run.resume / "lock").exists() else "running" if _held(run.resume / "lock") else "stopped"
    return {"status": status, "epochs": rows(run.resume / HISTORY), "progress": progress}


def _read(path: Path) -> dict | None:
    """A JSON table; None if there is none, or only the beginning of one: a copy of a study may be looked at while it arrives."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _held(lock: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
