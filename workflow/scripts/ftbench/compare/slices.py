"""Which slice of a column (a site, a camera, an age) every test image lies in: from the user's table, its metadata or a CSV beside it.

A column of numbers with more than `WHOLE` different values is cut at the quartiles of the test images; one with fewer, and any column
of words, has a slice per value. Words that differ on nearly every image are a name of the image and no slice: such a column is
left out, with a sentence. An image without a value is in the slice `UNKNOWN`.
"""

import math
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base.csv_text import guarded, plain
from ftbench.base.errors import InputError, choices
from ftbench.base.files import atomic_write, write_json
from ftbench.base.given.user_csv import FileNames, shared_folder, user_table

UNKNOWN = "(no value)"
WHOLE = 10  # different numbers up to which each is a slice of its own
MOST = 50  # slices of a column of words


def write_slices(settings: dict, metadata: str | os.PathLike, files: str | os.PathLike, out, notes_out) -> None:
    """Write the slices of the test images of one data set: a CSV with `id` and a column for each of `settings["columns"]`.

    `settings` is `ftbench.study.settings.slices`: "columns" (null: all of the table), "table" (null: the metadata of the source), "root"
    and "key". `metadata` is test_metadata.csv, `files` test_files.csv. notes_out: JSON, {column: sentence} of the columns that are cut or
    left out. Raises InputError on a column that there is not, and on a table whose rows name no image or one twice.
    """
    names = pd.read_csv(files, dtype=str, keep_default_na=False)["file"].tolist()
    if settings["table"] is None:
        known = pd.read_csv(metadata, dtype=str, keep_default_na=False).drop(columns="id")
        values = {column: known[column].tolist() for column in known}
        origin = "the table of the images"
    else:
        values = _listed(settings, names)
        origin = settings["table"]
    wanted = list(values) if settings["columns"] is None else settings["columns"]
    for column in wanted:
        if column not in values:
            found = choices(values) if values else "none; give slices_table"
            raise InputError(
                f"config: {settings['key']}.slices names {column!r}, which {origin} lacks; it has {found}."
            )
    slices, notes = {}, {}
    for column in wanted:
        found, note = slices_of(values[column], column)
        if found is not None:
            slices[column] = found
        if note:
            notes[column] = note
    with atomic_write(out) as temporary:
        guarded(pd.DataFrame({"id": range(len(names)), **slices})).to_csv(temporary, index=False)
    write_json(notes_out, notes)
    for note in notes.values():
        print(note)


def _listed(settings: dict, names: list[str]) -> dict[str, list[str]]:
    """{column: a text per test image} of the user's CSV; rows of other images are passed over, images without a row have none."""
    path, key = Path(settings["table"]), f"config: {settings['key']}.slices_table"
    reader = user_table(path, key)
    columns = [name for name in reader.fieldnames if name != "file"]
    if "file" not in reader.fieldnames or not columns:
        found = ", ".join(reader.fieldnames) or "no header"
        raise InputError(f"{key}: {path} has the columns {found}; it needs file and the columns to slice by.")
    known = FileNames(names, settings["root"], shared_folder(names), (path.parent, Path()))
    rows: dict[str, dict] = {}
    for line in reader:
        written = (line["file"] or "").strip()
        try:
            name = known.find(written)
        except ValueError as error:
            raise InputError(f"{key}: line {reader.line_num} of {path}: {error}; write the folder too.") from error
        values = {column: (line[column] or "").strip() for column in columns}
        if name is not None and rows.setdefault(name, values) != values:
            raise InputError(f"{key}: {path} lists {written} twice, with different values; keep one row of it.")
    if not rows:
        raise InputError(f"{key}: {path} names no test image; its files are written like {names[0]}.")
    missing = len(names) - len(rows)
    if missing:
        print(f"{path} has no row for {missing} of {len(names)} test images: they are in the slice {UNKNOWN}.")
    return {column: [rows.get(name, {}).get(column, "") for name in names] for column in columns}


def read_slices(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """{column: (N,) str} of a file of `write_slices`."""
    frame = plain(pd.read_csv(path, dtype=str, keep_default_na=False)).drop(columns="id")
    return {column: frame[column].to_numpy(str) for column in frame}


def slices_of(values: list[str], column: str) -> tuple[list[str] | None, str]:
    """The slice of every value, and what to say of the column; None if it makes no slices."""
    given = [value for value in values if value]
    different = sorted(set(given))
    numbers = _numbers(given)
    if len(different) < 2:
        what = f"the one value {different[0]!r}" if different else "no value"
        return None, f"{column} has {what} on all test images that have any, so there is nothing to compare."
    if numbers is not None and len(set(numbers)) > WHOLE:
        cut, edges = _quartiles(values, numbers)
        return (
            cut,
            f"{column} has numbers: it is cut at the quartiles of the test images, {', '.join(map(_text, edges))}.",
        )
    if len(different) > MOST:
        said = f"{column} has {len(different)} different values on {len(given)} test images, more than {MOST} slices"
        return None, f"{said}: it is left out; give numbers, or a column with fewer values."
    return [value or UNKNOWN for value in values], ""


def _numbers(given: list[str]) -> list[float] | None:
    try:
        numbers = [float(value) for value in given]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _quartiles(values: list[str], numbers: list[float]) -> tuple[list[str], list[float]]:
    """The quarter of each value, an image at an edge in the lower one; equal quartiles make fewer slices."""
    edges = np.unique(np.quantile(numbers, (0.25, 0.5, 0.75), method="lower"))
    edges = edges[edges < max(numbers)]
    names = [f"up to {_text(edges[0])}"]
    names += [f"{_text(low)} to {_text(high)}" for low, high in zip(edges, edges[1:])]
    names += [f"above {_text(edges[-1])}"]
    return [names[int(np.searchsorted(edges, float(v)))] if v else UNKNOWN for v in values], edges.tolist()


def in_order(slices: Iterable[str]) -> list[str]:
    """Each slice once: numbers and quarters from the lowest, then words, then `UNKNOWN`."""

    def place(name: str) -> tuple:
        first = name.split(" to ")[0].removeprefix("above ")
        if name.startswith("up to "):
            return 0, -math.inf, name
        try:
            return 0, float(first), name.startswith("above "), name
        except ValueError:
            return 2 if name == UNKNOWN else 1, name

    return sorted(set(slices), key=place)


def _text(number: float) -> str:
    return f"{number:.6g}"
