"""Answers for a user's files, in the order of their names: read by threads while the network works on those before."""

import csv
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ftbench.base.errors import InputError, printable
from ftbench.base.given.walk import shown, walk
from ftbench.export.doubt import members
from ftbench.export.models import Model
from ftbench.export.packages import need

BATCH = 64
AHEAD = 4  # batches that are read while the network works
TABLES = (".csv", ".tsv", ".parquet")
COLUMNS = ("file", "path", "image", "filename")  # of a table: the first that it has names the images


@dataclass
class Answer:
    """What a model says of one file; `error` is why it could not be read, and then the rest is None."""

    file: str
    error: str | None = None
    probabilities: np.ndarray | None = None  # (C,)
    distance: float | None = None
    members: np.ndarray | None = None  # (C,) bool: the set that holds the true class


def listed(paths: Iterable[str | Path]) -> list[Path]:
    """The image files that paths mean: a file itself, all images below a folder, the files that a table names.

    What is passed over in a folder is printed, by reason. Raises InputError for a path that does not exist, a folder that cannot be
    listed, and a table without a column of COLUMNS.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += _folder(path)
        elif path.suffix.lower() in TABLES and path.exists():
            found += _table(path)
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"PATH: {shown(path)} does not exist; give images, folders of images, or tables with a column {COLUMNS[0]}.")  # fmt: skip
    return found


def _folder(path: Path) -> list[Path]:
    found = walk(path)
    found.refuse_faults([""])
    reasons: dict[str, int] = {}
    for (_, reason), count in found.passed.items():
        reasons[reason] = reasons.get(reason, 0) + count
    if reasons:
        told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
        print(f"{shown(path)}: passed over {told}", file=sys.stderr)
    return [path / name for name, _ in found.files]


def _table(path: Path) -> list[Path]:
    """The files of a table's column, relative to the table's folder."""
    if path.suffix.lower() == ".parquet":
        need("A table in Parquet", "pyarrow")
        import pandas as pd

        frame = pd.read_parquet(path)
        columns, rows = list(frame.columns), frame.to_dict("records")
    else:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            rows = list(reader)
            columns = reader.fieldnames or []
    name = next((column for column in COLUMNS if column in columns), None)
    if name is None:
        raise InputError(f"PATH: {path} has the columns {', '.join(map(str, columns)) or 'none'}; one must be named {' or '.join(COLUMNS)}.")  # fmt: skip
    return [path.parent / str(row[name]) for row in rows]


def answers(model: Model, files: list[Path], threads: int | None = None) -> Iterator[Answer]:
    """One answer per file, in order. Files that cannot be read have an error; nothing else is raised for them."""
    threads = threads or os.cpu_count() or 1

    def read(file: Path) -> np.ndarray | str:
        try:
            return model.pixels(file)
        except MemoryError:
            raise
        except Exception as error:  # Pillow's plug-ins raise many types on a corrupt file
            return printable(str(error) or type(error).__name__)

    batches = (files[first : first + BATCH] for first in range(0, len(files), BATCH))
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque = deque()
        for batch in batches:
            waiting.append((batch, [pool.submit(read, file) for file in batch]))
            if len(waiting) > AHEAD:
                yield from _answered(model, *waiting.popleft())
        while waiting:
            yield from _answered(model, *waiting.popleft())


def _answered(model: Model, batch: list[Path], futures: list) -> Iterator[Answer]:
    got = [future.result() for future in futures]
    read = [pixels for pixels in got if not isinstance(pixels, str)]
    told = iter(classified(model, np.stack(read)) if read else [])
    for file, pixels in zip(batch, got):
        if isinstance(pixels, str):
            yield Answer(shown(file), error=pixels)
        else:
            answer = next(told)
            answer.file = shown(file)
            yield answer


def classified(model: Model, pixels: np.ndarray) -> list[Answer]:
    """Answers, without names, for stored pixels (N, H, W, 3) uint8."""
    return answers_of(model, *model.answer(pixels))


def answers_of(model: Model, probabilities: np.ndarray, features: np.ndarray) -> list[Answer]:
    """Answers, without names, from what the network gave: probabilities (N, C) and features (N, D)."""
    far = model.distances(features)
    chosen = members(np.asarray(probabilities), model.confidence["set"])
    return [
        Answer("", probabilities=p, distance=None if far is None else float(far[number]), members=chosen[number])
        for number, p in enumerate(probabilities)
    ]
