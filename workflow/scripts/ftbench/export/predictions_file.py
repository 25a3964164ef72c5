"""The predictions of a finished run as one file, in a form that a strategy of predictions reads again: docs/predictions.md.

Logits in float32 are written in the fewest digits that mean the same number, so that what is read again is equal to the last bit.
"""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base.errors import InputError, choices
from ftbench.base.files import atomic_write
from ftbench.evaluate.probabilities import log_softmax
from ftbench.export.finished import Finished

PARTS = {"validation": ("val", "files.csv"), "test": ("test", "test_files.csv")}
FORMS = (".csv", ".npz", ".parquet")
LOGITS, PROBABILITIES = "logits", "probabilities"


def write_predictions(run: Finished, out: Path, parts: list[str], values: str = LOGITS) -> int:
    """Write the logits or the probabilities of some parts to a CSV, npz or parquet file; returns the number of its images.

    The file names images as files.csv and test_files.csv do. Raises InputError on another ending, a file that is there, a run that
    diverged, and two parts with images of one name.
    """
    if out.suffix not in FORMS:
        raise InputError(f"OUT: {out} ends in {out.suffix or 'nothing'}; valid are {choices(FORMS)}.")
    if out.exists():
        raise InputError(f"OUT: {out} exists already; name a new file, or remove it first.")
    classes = run.read("classes.json", of_data=True)
    names, logits = [], []
    for part in parts:
        saved, _, ids = run.logits(PARTS[part][0])
        listed = pd.read_csv(run.data / PARTS[part][1], dtype=str, keep_default_na=False)["file"].to_numpy(str)
        names += listed[ids].tolist()
        logits.append(saved)
    numbers = np.concatenate(logits)
    if not np.isfinite(numbers).all():
        raise InputError(f"{run.folder} diverged and has no predictions; take another seed or strategy.")
    if len(set(names)) < len(names):
        raise InputError(
            f"{run.data} has images of one name in both parts; write two files, with --part validation and --part test."
        )
    if values == PROBABILITIES:
        numbers = np.exp(log_softmax(numbers)).astype(np.float32)
    _write(out, names, numbers, classes, values)
    return len(names)


def _write(out: Path, names: list[str], numbers: np.ndarray, classes: list[str], values: str) -> None:
    if "file" in classes and out.suffix != ".npz":
        raise InputError(f"OUT: {out} would have two columns called file, since a class is called so; write an npz.")
    with atomic_write(out, noted=False) as temporary:  # a note would lie beside it in a folder that is not ours
        if out.suffix == ".npz":
            np.savez(temporary, files=np.array(names), classes=np.array(classes), **{values: numbers})
            return
        if out.suffix == ".parquet":
            frame = pd.DataFrame({"file": names} | {name: numbers[:, place] for place, name in enumerate(classes)})
            frame.to_parquet(temporary, index=False)
            return
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(("file", *classes))
            table.writerows((name, *row) for name, row in zip(names, numbers.astype(str).tolist()))
