"""Answers as rows, and rows as a table on the terminal, CSV, JSON or Parquet."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base.csv_text import guarded
from ftbench.base.errors import InputError
from ftbench.export.models import Model
from ftbench.export.packages import need
from ftbench.export.predict_files import Answer

FORMATS = ("table", "csv", "json", "parquet")
SEPARATOR = "; "  # between the classes of a set


def columns(top: int, unsure: bool, distance: bool) -> list[str]:
    names = ["file"]
    for place in range(1, top + 1):
        names += [f"class_{place}", f"probability_{place}"]
    names += ["set"]
    names += ["unsure"] * unsure
    names += ["distance", "unlike"] * distance
    return [*names, "error"]


def row(answer: Answer, model: Model, top: int, least: float | None) -> dict:
    """The cells of one answer by column; None for what an unreadable file has not. `least` is the confidence of --unsure."""
    cells = dict.fromkeys(columns(top, least is not None, model.reference is not None))
    cells |= {"file": answer.file, "error": answer.error}
    if answer.error is not None:
        return cells
    order = np.argsort(-answer.probabilities, kind="stable")
    for place, number in enumerate(order[:top], start=1):
        cells[f"class_{place}"] = model.classes[number]
        cells[f"probability_{place}"] = round(float(answer.probabilities[number]), 6)
    cells["set"] = SEPARATOR.join(model.classes[number] for number in order if answer.members[number])
    if least is not None:
        cells["unsure"] = bool(answer.probabilities.max() < least)
    if answer.distance is not None:
        cells["distance"] = round(answer.distance, 6)
        cells["unlike"] = bool(answer.distance > model.confidence["unlike"]["threshold"])
    return cells


def text(rows: list[dict], form: str) -> str:
    """The rows as a text: "table" for reading, "csv", or "json", a list of objects."""
    if form == "json":
        return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    names = list(rows[0]) if rows else ["file"]
    if form == "csv":
        frame = pd.DataFrame([[_plain(cells[name]) for name in names] for cells in rows], columns=names)
        return guarded(frame).to_csv(index=False, lineterminator="\n")
    kept = [name for name in names if name == "file" or any(cells[name] is not None for cells in rows)]
    shown = [kept, *([_short(name, cells[name]) for name in kept] for cells in rows)]
    widths = [max(len(line[place]) for line in shown) for place in range(len(kept))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in shown]
    return "\n".join(lines) + "\n"


def write(rows: list[dict], form: str, out: Path | None) -> str | None:
    """Write the rows to `out`, or return their text if that is None. Raises InputError for Parquet without a file."""
    if form == "parquet":
        if out is None:
            raise InputError("--format parquet is no text; name a file with --out FILE.parquet.")
        need("--format parquet", "pyarrow")
        pd.DataFrame(rows).to_parquet(out, index=False)
        return None
    if out is None:
        return text(rows, form)
    out.write_text(text(rows, form), encoding="utf-8")
    return None


def _plain(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _short(name: str, value) -> str:
    if name.startswith("probability") and value is not None:
        return f"{100 * value:.1f} %"
    if isinstance(value, bool):
        return name if value else ""
    return f"{value:.3f}" if isinstance(value, float) else _plain(value)
