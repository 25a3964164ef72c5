"""The columns that timm's inference.py writes: `prob` or `logit` of all classes or of the best k, with their `index` or `label`.

    --topk 0 --results-separate-col     prob_0, prob_1, ... of all classes
    --topk 0                            prob, a list as text, `[0.1 0.9]`
    --topk k --include-index            index and prob, one number or a list of k each, or index_0, prob_0, ... with separate columns
    --topk k --label-type name          the same with label

Class numbers are those of timm's own order of class folders: without regard to capitals, and 2 before 10. Of the best k alone the rest of
the probability is spread evenly over the other classes, none of which may come before the k.
"""

import re
from dataclasses import dataclass

import numpy as np

from ftbench.base.errors import InputError, listed
from ftbench.study.rows.table_file import Table
from ftbench.train.given.numbers import lists, numbers, words

BY_LABEL = "Classes are taken by label."
OUTPUTS = {"prob": False, "logit": True}  # column -> whether it holds logits
NUMBERED = re.compile(f"({'|'.join(OUTPUTS)})_[0-9]+")


@dataclass
class TimmValues:
    """(N, C) in the order of classes.json; top_k is None if the file has all classes."""

    values: np.ndarray
    logits: bool
    top_k: int | None = None
    note: str = ""


def read(table: Table, key: str, classes: list[str], order: list[str] | None) -> TimmValues | None:
    """The values of a table of timm's; None if it has none of its columns."""
    base = next((base for base in OUTPUTS if base in table.columns or f"{base}_0" in table.columns), None)
    if base is None:
        return None
    given, numbered = _matrix(table, key, base), order or timm_order(classes)
    chosen, note = _chosen(table, key, classes, numbered)
    if order is None and numbered != classes and note != BY_LABEL:
        note += f"Class numbers are taken in timm's order of folders, {listed(numbered, 4)}; class_order gives another."
    count = given.shape[1]
    if chosen is None:
        if count != len(classes):
            raise InputError(
                f"{key}: {table.path} has {count} values of {base} per image, and the data set has {len(classes)} classes; a file of the best "
                "classes alone needs index or label (timm: --include-index, or --label-type name)."
            )
        return TimmValues(given[:, [numbered.index(name) for name in classes]], OUTPUTS[base], None, note)
    if chosen.shape[1] != count:
        raise InputError(
            f"{key}: {table.path} names {chosen.shape[1]} classes per image and has {count} values of {base}; give as many."
        )
    ordered = np.sort(chosen, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if twice.any():
        row = int(np.argmax(twice))
        raise InputError(
            f"{key}: {table.unit} {table.lines[row]} of {table.path} names a class twice; valid is each once."
        )
    if count < len(classes) and OUTPUTS[base]:
        raise InputError(
            f"{key}: {table.path} has logits of the best {count} of {len(classes)} classes, which say nothing of the others; write "
            "probabilities (timm: --output-type prob) or all classes (--topk 0)."
        )
    if count == len(classes):
        values = np.empty_like(given)
        np.put_along_axis(values, chosen, given, axis=1)
        return TimmValues(values, OUTPUTS[base], None, note)
    spread = f"It has the best {count} of {len(classes)} classes alone: the rest of the probability is spread evenly over the others, so that NLL and calibration are approximate. "
    return TimmValues(_spread(given, chosen, len(classes)), False, count, spread + note)


def timm_order(classes: list[str]) -> list[str]:
    """Class folders as timm sorts them: in small letters, and numbers within names by their value."""

    def parts(name: str) -> list:
        return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", name.lower()))]

    return sorted(classes, key=parts)


def _matrix(table: Table, key: str, base: str) -> np.ndarray:
    """(N, K) of the column `base`, or of base_0 to base_<K-1>."""
    if base in table.columns:
        return lists(table, key, base)
    return np.stack([numbers(table, key, name) for name in _numbered(table, base)], axis=1)


def _numbered(table: Table, base: str) -> list[str]:
    count = 0
    while f"{base}_{count}" in table.columns:
        count += 1
    return [f"{base}_{number}" for number in range(count)]


def _chosen(table: Table, key: str, classes: list[str], numbered: list[str]) -> tuple[np.ndarray | None, str]:
    """(N, K) places in `classes` of the classes that a row gives, by label where there are labels, else by index; None without both."""
    labels = _texts(table, key)
    unknown = sorted({name for row in labels or () for name in row if name not in classes})
    if labels and not unknown:
        place = {name: number for number, name in enumerate(classes)}
        return np.array([[place[name] for name in row] for row in labels]), BY_LABEL
    if "index" not in table.columns and "index_0" not in table.columns:
        if labels:
            raise InputError(
                f"{key}: {table.path} has the label {unknown[0]!r}, which is no class; valid: {listed(classes, len(classes))}."
            )
        return None, ""
    index = _matrix(table, key, "index")
    wrong = ~((index >= 0) & (index < len(classes)) & (index == np.floor(index))).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{key}: {table.unit} {table.lines[row]} of {table.path} has an index that is none of 0 to {len(classes) - 1}, the "
            f"{len(classes)} classes of the data set."
        )
    places = np.array([classes.index(name) for name in numbered])
    return places[
        index.astype(int)
    ], f"Its labels, such as {unknown[0]!r}, are no classes: index counts. " if unknown else ""


def _texts(table: Table, key: str) -> list[list[str]] | None:
    if "label" in table.columns:
        return words(table, key, "label")
    columns = [table.columns[name] for name in _numbered(table, "label")]
    return [list(row) for row in zip(*columns)] or None


def _spread(given: np.ndarray, chosen: np.ndarray, classes: int) -> np.ndarray:
    """(N, C): the given probabilities, and for every other class an equal part of what is left, always less than the smallest given."""
    count = given.shape[1]
    left = np.maximum(1 - given.sum(axis=1), 0) / (classes - count)
    least = np.minimum(left, given.min(axis=1) * (1 - 1e-6))  # a digit of rounding must not change who is first
    values = np.repeat(least[:, None], classes, axis=1)
    np.put_along_axis(values, chosen, given, axis=1)
    return values
