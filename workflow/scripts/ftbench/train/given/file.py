"""A file of the user's predictions, whatever its form, as logits: a row per image, a column per class in the order of classes.json.

CSV, TSV, JSON lines and parquet hold a column `file` (or timm's `filename`, or `id`) and either a column per class, named as it, or the
columns of timm's inference.py (`ftbench.train.given.timm_columns`). An npz holds `logits` or `probabilities` (N, C), with `files` or `ids`
(N,), and may hold `classes` (C,), the names of its columns.

Probabilities become logits by the natural logarithm. One below `FLOOR` counts as `FLOOR`, as in scikit-learn's log_loss: services round
to 0, and a wrong answer of probability 0 would make the mean of the negative log-likelihoods infinite.
"""

import csv
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base.errors import InputError, listed
from ftbench.base.given.image_names import suffix
from ftbench.base.given.user_csv import delimiter_of
from ftbench.study.rows.table_file import PARQUET, TEXT, Table, column_text, import_pyarrow, read_table
from ftbench.train.given import timm_columns
from ftbench.train.given.numbers import numbers, places_of

FLOOR = float(np.finfo(np.float64).eps)  # 2.2e-16: the most that one image adds to the sum of the NLL is 36
SUM_TOLERANCE = 1e-3
NAMES = ("file", "filename", "id")  # columns that say which image a row is of, the first that is there
PROBABILITIES, LOGITS = "probabilities", "logits"


@dataclass
class Predictions:
    """Rows of a file. `names` say which image each is of, or `ids`, its row number in files.csv or test_files.csv; the other is None."""

    names: list[str] | None
    ids: np.ndarray | None
    logits: np.ndarray  # (N, C) float32
    top_k: int | None = None  # classes per image with a probability of their own, if the file leaves out the others
    note: str = ""  # what is to be said of the file

    def said(self, row: int) -> str:
        return self.names[row] if self.names is not None else f"id {self.ids[row]}"


def read_predictions(settings: dict, classes: list[str]) -> Predictions:
    """The predictions of a file; `settings` is `ftbench.study.settings.predictions`.

    Raises InputError, one sentence, on a file that cannot be read, columns that miss, a wrong number of classes, and numbers that are no
    probabilities, or no logits.
    """
    path, key = Path(settings["path"]), f"config: {settings['key']}"
    order = settings["class_order"]
    if order is not None and sorted(order) != sorted(classes):
        raise InputError(f"{key}: class_order is {listed(order)}; the classes are {listed(classes, len(classes))}.")
    if suffix(path.name) == ".npz":
        found, values, kind = _arrays(path, key, classes, order)
    else:
        table = (
            _parquet(path, key) if suffix(path.name) in PARQUET else _numbers(path, classes) or read_table(path, key)
        )
        found, values, kind = _columns(table, key, classes, order, settings["values"])
    if kind != settings["values"]:
        raise InputError(f"{key}: {path} holds {kind}, and values is {settings['values']}; write values: {kind}.")
    where = f"{key}: {path}"
    found.logits = _as_logits(found, values, kind, where)
    return found


def _arrays(path: Path, key: str, classes: list[str], order: list[str] | None) -> tuple[Predictions, np.ndarray, str]:
    try:
        with np.load(path, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{key}: {path} cannot be read as npz ({error}); numpy.savez writes one.") from error
    kinds = [kind for kind in (LOGITS, PROBABILITIES) if kind in arrays]
    names = [name for name in ("files", "ids") if name in arrays]
    if len(kinds) != 1 or not names:
        raise InputError(
            f"{key}: {path} holds {listed(arrays) or 'nothing'}; it needs logits or probabilities (N, C), and files or ids (N,)."
        )
    values, who = arrays[kinds[0]], arrays[names[0]]
    if values.ndim != 2 or values.shape[1] != len(classes) or values.dtype.kind not in "fiu":
        raise InputError(
            f"{key}: {kinds[0]} of {path} are {values.dtype} of shape {values.shape}; valid are numbers (N, {len(classes)}): the data set "
            f"has {len(classes)} classes."
        )
    if who.shape != (len(values),) or not len(values) or who.dtype.kind not in ("U" if names[0] == "files" else "iu"):
        needs = "texts" if names[0] == "files" else "whole numbers"
        raise InputError(
            f"{key}: {names[0]} of {path} are {who.dtype} of shape {who.shape}; valid are {needs} ({len(values)},)."
        )
    columns = [str(name) for name in arrays["classes"]] if "classes" in arrays else order or classes
    if sorted(columns) != sorted(classes):
        raise InputError(
            f"{key}: {path} has the classes {listed(columns)}; the data set has {listed(classes, len(classes))}."
        )
    values = values[:, [columns.index(name) for name in classes]].astype(np.float64)
    return (
        Predictions(who.tolist() if names[0] == "files" else None, who if names[0] == "ids" else None, values),
        values,
        kinds[0],
    )


def _parquet(path: Path, key: str) -> Table:
    """As `read_table`, with lists inside of cells, as timm writes them; numbers stay numbers, of which there may be very many."""
    pyarrow, parquet = import_pyarrow(key)
    try:
        table = parquet.read_table(path)
        columns = {name: _cells(pyarrow.types, table.column(name)) for name in table.column_names}
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(
            f"{key}: {path} is no parquet file that can be read ({str(error).splitlines()[0]})."
        ) from error
    if not table.num_rows:
        raise InputError(f"{key}: {path} has no rows; it needs one for each image.")
    return Table(path, columns, range(1, table.num_rows + 1), "row")


def _numbers(path: Path, classes: list[str]) -> Table | None:
    """A CSV with a column of numbers per class, which may have tens of millions of cells; None if it is no such, or any cell is no number:
    then `read_table` says of every cell what it holds."""
    if suffix(path.name) not in TEXT or not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8-sig") as stream:
            first = stream.readline()
        divided = "\t" if suffix(path.name) == ".tsv" else delimiter_of(first)
        header = [name.strip() for name in next(csv.reader([first], delimiter=divided, skipinitialspace=True), [])]
        real = [name for name in header if name in classes or timm_columns.NUMBERED.fullmatch(name)]
        if len(real) < len(classes) or len(set(header)) < len(header):
            return None
        kinds = dict.fromkeys(header, str) | dict.fromkeys(real, np.float64)
        options = {"dtype": kinds, "keep_default_na": False, "encoding": "utf-8-sig"}
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # of rows that are too long
            frame = pd.read_csv(
                path, sep=divided, skipinitialspace=True, names=header, header=0, index_col=False, **options
            )
    except (ValueError, OSError, pd.errors.ParserWarning):  # of pandas' parser, of a cell, of the encoding
        return None
    if frame.isna().any(axis=None):  # rows that are too short
        return None
    columns = {name: frame[name].to_numpy() if name in real else frame[name].str.strip().tolist() for name in header}
    return Table(path, columns, range(2, len(frame) + 2), "line") if len(frame) else None


def _cells(types, column):
    """(N,) float64 of a column of real numbers, N lists of one of lists, else N texts."""
    if types.is_floating(column.type):
        return column.to_numpy().astype(np.float64)
    is_list = types.is_list(column.type) or types.is_large_list(column.type) or types.is_fixed_size_list(column.type)
    return column.to_pylist() if is_list else column_text(column.to_pylist())


def _columns(
    table: Table, key: str, classes: list[str], order: list[str] | None, wanted: str
) -> tuple[Predictions, np.ndarray, str]:
    """The rows of a table, their values (N, C), and what these are."""
    who = next((name for name in NAMES if name in table.columns and name not in classes), None)
    if who is None:
        raise InputError(
            f"{key}: {table.path} has the columns {listed(table.columns)}; it needs one called file, filename or id."
        )
    names, ids = list(table.columns[who]), None
    if "" in names:
        raise InputError(
            f"{key}: {table.unit} {table.lines[names.index('')]} of {table.path} has no {who}; each names an image."
        )
    if who == "id":
        names, ids = None, places_of(table, key, "id")
    found = Predictions(names, ids, np.empty(0))
    lacking = [name for name in classes if name not in table.columns]
    if not lacking:
        values = np.stack([numbers(table, key, name) for name in classes], axis=1)
        return found, values, wanted
    timm = timm_columns.read(table, key, classes, order)
    if timm is not None:
        found.top_k, found.note = timm.top_k, timm.note
        return found, timm.values, LOGITS if timm.logits else PROBABILITIES
    if len(lacking) < len(classes):
        raise InputError(
            f"{key}: {table.path} has no column for {listed(lacking)}; it needs one for each class, named as it."
        )
    raise InputError(
        f"{key}: {table.path} has the columns {listed(table.columns)}; it needs one for each class ({listed(classes)}), or those of timm's "
        "inference.py: prob or logit, with index or label if it leaves out classes."
    )


def _as_logits(found: Predictions, values: np.ndarray, kind: str, where: str) -> np.ndarray:
    if kind == LOGITS:
        logits = values.astype(np.float32)
        if not np.isfinite(logits).all():
            row = int(np.argmin(np.isfinite(logits).all(axis=1)))
            raise InputError(
                f"{where} has a logit for {found.said(row)} that is no finite number; valid are finite ones."
            )
        return logits
    wrong = ~((values >= 0) & (values <= 1 + SUM_TOLERANCE)).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        value = next(value for value in values[row] if not 0 <= value <= 1 + SUM_TOLERANCE)
        raise InputError(
            f"{where} has the probability {value:g} for {found.said(row)}; valid are 0 to 1. If these are logits, write values: logits."
        )
    total = values.sum(axis=1)
    off = np.abs(total - 1) > SUM_TOLERANCE
    if off.any():
        row = int(np.argmax(off))
        raise InputError(
            f"{where} has probabilities for {found.said(row)} whose sum is {total[row]:.6g}, and it must be 1 within {SUM_TOLERANCE:g}; if these "
            "are logits, write values: logits."
        )
    return np.log(np.maximum(values, FLOOR)).astype(np.float32)
