"""The same cells of two studies side by side, on the test images that both have: `ftbench compare`.

The trained models differ and the images are shared, so a difference has the crossed interval of two cells of one study. Seed variances are
learnt from the cells of both.
"""

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base.csv_text import guarded
from ftbench.base.errors import InputError, choices
from ftbench.base.files import read_json
from ftbench.base.logits import load_folds, load_logits
from ftbench.base.pixel_rows import PixelRows
from ftbench.compare.image_groups import join, read_test_groups
from ftbench.compare.statistics import cell_interval, difference, holm, learn, summarize
from ftbench.evaluate.cells import CELL
from ftbench.evaluate.probabilities import correct
from ftbench.export.finished import folder_of_study
from ftbench.report.layout.formats import interval, p_value, points
from ftbench.report.layout.words import ALPHA

LEAST = 2  # common images, and groups, that a comparison needs
COLUMNS = [
    *CELL,
    *("dataset_b", "backbone_b", "strategy_b", "images", "groups", "seeds_a", "seeds_b"),
    *("accuracy_a", "a_low", "a_high", "accuracy_b", "b_low", "b_high"),
    *("difference", "ci_low", "ci_high", "p", "p_holm", "verdict"),
]


def compare_studies(a: str, b: str, mapped: list[str] = (), by: str | None = None) -> tuple[pd.DataFrame, list[str]]:
    """The table (`COLUMNS`, differences are b minus a, fractions) and what is to say of images and cells that have no partner.

    `a`, `b` are names of studies below results/ or folders; `mapped` holds NAME_A=NAME_B; `by` is "pixels", "files", or None for pixels
    where they match and files else. Raises InputError where the two have no cell or no test image in common.
    """
    folders = [folder_of_study(name, key) for name, key in ((a, "STUDY_A"), (b, "STUDY_B"))]
    ours, theirs = (_cells(folder) for folder in folders)
    names = _names(mapped, ours)
    pairs = {cell: partner for cell in ours if (partner := tuple(names.get(name, name) for name in cell)) in theirs}
    if not pairs:
        raise InputError(
            f"No cell of {a} is also in {b}: A has {choices(' / '.join(cell) for cell in ours)}; B has "
            f"{choices(' / '.join(cell) for cell in theirs)}; --map NAME_A=NAME_B says what a name is called in B."
        )
    rows, notes = [], _alone(ours, theirs, pairs)
    for places in dict.fromkeys((cell[0], partner[0]) for cell, partner in pairs.items()):
        own = {cell: partner for cell, partner in pairs.items() if (cell[0], partner[0]) == places}
        shared, note = _shared([folder / "data" / place for folder, place in zip(folders, places)], by)
        notes.append(f"{' and '.join(dict.fromkeys(places))}: {note}")
        rows += _compared(own, [ours, theirs], *shared) if shared else []
    if not rows:
        raise InputError(f"{a} and {b} cannot be compared: {'; '.join(notes)}.")
    return pd.DataFrame(rows, columns=COLUMNS), notes


def _cells(folder: Path) -> dict[tuple, list[Path]]:
    """(data set, backbone, strategy) -> the folders of its finished runs, by seed. Single folds of a data set are left out: it pools them."""
    found: dict[tuple, list[Path]] = {}
    study = folder / "study.json"
    entries = read_json(study)["datasets"] if study.exists() else {}
    for record in sorted(
        folder.glob("runs/*/*/*/seed*/run.json"), key=lambda path: (path.parts[:-2], int(path.parent.name[4:]))
    ):
        if entries.get(record.parts[-5], {}).get("fold_of"):
            continue
        if (record.parent / "test_logits.npz").exists() and read_json(record)["status"] == "finished":
            found.setdefault(record.parts[-5:-2], []).append(record.parent)
    return found


def _names(mapped: list[str], cells: dict) -> dict[str, str]:
    known = {name for cell in cells for name in cell}
    names = {}
    for pair in mapped:
        one, equals, other = pair.partition("=")
        if not equals or one not in known or not other:
            raise InputError(f"--map is {pair!r}; it must be NAME_A=NAME_B, with one of A's names: {choices(known)}.")
        names[one] = other
    return names


def _alone(ours: dict, theirs: dict, pairs: dict) -> list[str]:
    left = {
        "A": [cell for cell in ours if cell not in pairs],
        "B": [cell for cell in theirs if cell not in pairs.values()],
    }
    return [f"only in {side}: {', '.join(' / '.join(cell) for cell in cells)}" for side, cells in left.items() if cells]


def _shared(data: list[Path], by: str | None) -> tuple[tuple | None, str]:
    """((rows of A, rows of B), groups) of the test images that both have, or None, and how many they are and how they were matched."""
    labels = [np.array(read_json(folder / "classes.json"))[np.load(folder / "test_labels.npy")] for folder in data]
    for way in ("pixels", "files") if by is None else (by,):
        keys = [_digests(folder) if way == "pixels" else _files(folder) for folder in data]
        place = {key: row for row, key in enumerate(keys[1])}
        rows = np.array([(row, place[key]) for row, key in enumerate(keys[0]) if key in place], int).reshape(-1, 2)
        if len(rows):
            break
    same = labels[0][rows[:, 0]] == labels[1][rows[:, 1]]
    counts = f"{same.sum():,} test images are in both (matched by {way}), of {len(labels[0]):,} in A and {len(labels[1]):,} in B"
    counts += f"; {(~same).sum():,} more have another label in B and are left out" * bool((~same).any())
    rows = rows[same]
    groups = _groups(data, rows) if len(rows) else []
    if len(np.unique(groups)) < LEAST:
        return None, f"{counts}; a comparison needs at least {LEAST} that do not belong together"
    return ((rows[:, 0], rows[:, 1]), groups), counts


def _digests(folder: Path) -> list[tuple]:
    """A key per test image: its shape and pixels, and which one it is among equal ones."""
    images, seen = PixelRows(folder / "test_images.npy"), Counter()
    keys = []
    for pixels in images:
        digest = hashlib.sha256(pixels.tobytes()).digest()
        keys.append((images.shape[1:], digest, seen[digest]))
        seen[digest] += 1
    return keys


def _files(folder: Path) -> list[str]:
    return pd.read_csv(folder / "test_files.csv", dtype=str, keep_default_na=False)["file"].tolist()


def _groups(data: list[Path], rows: np.ndarray) -> np.ndarray:
    """Groups of the shared images: those that either study holds together."""
    one, other = (
        read_test_groups(folder / "test_groups.npy", folder / "audit" / "duplicates.csv")[rows[:, side]]
        for side, folder in enumerate(data)
    )
    _, first, number = np.unique(other, return_index=True, return_inverse=True)
    return join(one, np.arange(len(one)), first[number])


def _right(runs: list[Path], rows: np.ndarray) -> tuple[np.ndarray, bool, np.ndarray | None]:
    """Right answers (S, M) of a cell's runs in some rows of the test images, whether the strategy is stochastic, and the folds (M,) of these
    images if there are any."""
    found = []
    for run in runs:
        logits, labels, ids = load_logits(run / "test_logits.npz")
        place = np.empty(len(ids), int)
        place[ids] = np.arange(len(ids))
        found.append(correct(logits, labels)[place[rows]])
    folds = load_folds(runs[0] / "test_logits.npz")
    stochastic = read_json(runs[0] / "run.json")["stochastic"]
    return np.array(found), stochastic, None if folds is None else folds[rows]


def _compared(pairs: dict, runs: list[dict], rows: tuple, groups: np.ndarray) -> list[dict]:
    """Rows of the table for the matched cells of one data set."""
    summaries = {}
    for cell, partner in pairs.items():
        for side, key in enumerate((cell, partner)):
            right, stochastic, folds = _right(runs[side][key], rows[side])
            summaries["AB"[side], key] = summarize(right, groups, stochastic=stochastic, folds=folds)
    spread = learn(summaries)
    table = []
    for cell, partner in pairs.items():
        keys = ("B", partner), ("A", cell)
        found = difference(summaries[keys[0]], summaries[keys[1]], keys, spread)
        ends = [cell_interval(summaries[key], key, spread) for key in keys]
        table.append(
            dict(zip(CELL, cell))
            | dict(zip(("dataset_b", "backbone_b", "strategy_b"), partner))
            | {
                "images": len(groups),
                "groups": len(np.unique(groups)),
                "seeds_a": ends[1]["seeds"],
                "seeds_b": ends[0]["seeds"],
            }
            | {"accuracy_a": ends[1]["accuracy"], "a_low": ends[1]["ci_low"], "a_high": ends[1]["ci_high"]}
            | {"accuracy_b": ends[0]["accuracy"], "b_low": ends[0]["ci_low"], "b_high": ends[0]["ci_high"]}
            | {name: found[name] for name in ("difference", "ci_low", "ci_high", "p")}
        )
    for row, p in zip(table, holm([np.nan if row["p"] is None else row["p"] for row in table])):
        row |= {"p_holm": p, "verdict": verdict(row["difference"], p)}
    return table


def verdict(gap: float, p_holm: float) -> str:
    """What may be said of B against A."""
    if np.isnan(p_holm):
        return "cannot be compared yet (one seed)"
    return "not told apart" if p_holm >= ALPHA else "B is better" if gap > 0 else "B is worse"


def written(table: pd.DataFrame, notes: list[str], form: str) -> str:
    """The table as text, CSV or JSON; the notes stand below the text, in JSON, or beside a CSV on the error stream."""
    if form == "json":
        return json.dumps({"cells": json.loads(table.to_json(orient="records")), "notes": notes}, indent=1)
    if form == "csv":
        print(*notes, sep="\n", file=sys.stderr)
        return guarded(table).to_csv(index=False).rstrip("\n")
    shown = pd.DataFrame(
        [
            {
                "cell": " / ".join(row[:3]) + f" → {' / '.join(row[3:6])}" * (row[:3] != row[3:6]),
                "A, %": interval(row.accuracy_a, row.a_low, row.a_high),
                "B, %": interval(row.accuracy_b, row.b_low, row.b_high),
                "B - A, points": points(row.difference, row.ci_low, row.ci_high),
                "p, Holm": p_value(row.p_holm),
                "seeds": f"{row.seeds_a}, {row.seeds_b}",
                "": row.verdict,
            }
            for row in table.itertuples(index=False)
        ]
    )
    return "\n".join([shown.to_string(index=False), "", *(f"- {note}" for note in notes)])
