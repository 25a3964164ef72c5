"""Rows that name one image each, and how they become parts, classes and an order: the same for tables, parquet and tar.

The order is that of an image folder: classes by name (or as the file itself numbers them), and in a class the images by name. So one data
set gives the same arrays in whichever form it is written.
"""

import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ftbench.base.errors import InputError, listed
from ftbench.study.folders.split_names import PARTS, check_validation, roles_of

MANY = 50  # different labels: more of them than half of the images are no classes


@dataclass(slots=True)
class Record:
    """One row. `label`, `part` and `group` are as written, "" if the row does not say; `place` is where the image's bytes lie."""

    name: str
    label: str
    line: int
    part: str = ""
    group: str = ""
    metadata: tuple[str, ...] = ()
    place: Any = None
    size: int = 0
    fault: str | None = None  # why there is no image


@dataclass
class Rows:
    """All rows of a source. `where` and `unit` are words for messages: "labels.csv", "line"."""

    where: str
    unit: str
    records: list[Record]
    metadata: list[str] = field(
        default_factory=list
    )  # names of the further columns, in the order of each record's values
    part: str | None = None  # what says the part: "the column split"
    group: str | None = None
    classes: list[str] | None = None  # in the order that the file gives them; None: by name
    notes: list[str] = field(default_factory=list)
    left_out: Counter = field(default_factory=Counter)
    origin: Any = None  # what the source needs to open the places of its records

    def at(self, record: Record) -> str:
        return f"{self.unit} {record.line:,} of {self.where}"


@dataclass
class Arranged:
    """The images of each part with their label, a row number of `classes`, as an image folder's `Layout` has them."""

    rows: Rows
    classes: list[str]
    parts: dict[str, list[tuple[Record, int]]]  # in the order of classes and names
    drawn: bool  # whether the test part is yet to be drawn
    notes: list[str]


def arrange(rows: Rows, settings: dict) -> Arranged:
    """Rows in parts and classes. `settings` is the data set's entry: parts, validation, test_fraction, unlabelled, ungrouped, group_leaks.

    Raises InputError, one sentence, on what the rows contradict or leave open.
    """
    notes = list(rows.notes)
    if not rows.records:
        raise InputError(f"path: {rows.where} has no rows; it needs one for each image.")
    parts = _parts(rows, settings, notes)
    parts = {part: _labelled(rows, records, settings, notes) for part, records in parts.items()}
    _once(rows, parts, notes)
    if settings["validation"] == "merge":
        parts["train"] += parts.pop("validation")
        notes.append("the validation part is merged into train (validation: merge)")
    classes = _classes(rows, parts, notes)
    _check_groups(rows, parts, settings, notes)
    number = {name: label for label, name in enumerate(classes)}
    ordered = {
        part: sorted(((record, number[record.label]) for record in records), key=lambda pair: (pair[1], pair[0].name))
        for part, records in parts.items()
    }
    return Arranged(rows, classes, ordered, "test" not in parts, notes)


# --- parts -----------------------------------------------------------------------------------------------------------


def _parts(rows: Rows, settings: dict, notes: list[str]) -> dict[str, list[Record]]:
    """{part: its records} of the parts that are read."""
    values = sorted({record.part for record in rows.records} - {""})
    named = _named(rows, values, settings)
    fraction, validation = settings["test_fraction"], settings["validation"]
    if not named:
        if fraction is None and not settings.get("test_folds"):
            raise InputError(
                f"test_fraction: null, but {rows.part or rows.where} names no test part; give the share of the images that the test part "
                "gets, such as 0.2, or say what is which by parts and columns.part."
            )
        if validation is not None:
            raise InputError(
                f"validation: {validation} is given, but {rows.where} has no validation part; set it to null."
            )
        return {"train": list(rows.records)}
    _check_parts(rows, named, settings)
    if blank := next((record for record in rows.records if not record.part), None):
        raise InputError(f"columns.part: {rows.at(blank)} says no part; {rows.part} has {listed(values)}.")
    unused = [value for value in values if value not in named.values()]
    for value in unused:
        count = sum(record.part == value for record in rows.records)
        notes.append(f"{value} is no part and is not used: {count:,} rows of {rows.where}")
    if validation == "ignore" and (value := named.pop("validation", None)):
        notes.append(f"the part {value} is not used (validation: ignore)")
    notes.append(f"parts by {rows.part}: " + ", ".join(f"{part} is {value}" for part, value in named.items()))
    return {part: [record for record in rows.records if record.part == value] for part, value in named.items()}


def _named(rows: Rows, values: list[str], settings: dict) -> dict[str, str]:
    """{part: its value}, by the key `parts` or by the usual names; {} if there are no parts."""
    given = settings["parts"]
    if given is not None:
        named = {part: value for part, value in given.items() if value is not None}
        for part, value in named.items():
            if value not in values:
                raise InputError(
                    f"parts.{part}: {value!r} is no value of {rows.part or 'a part column, and none is named by columns.part'}"
                    + (f"; valid are {listed(values)}." if values else ".")
                )
        return named
    roles = roles_of(values)
    several = next((names for names in roles.values() if len(names) > 1), None)
    if several:
        raise InputError(
            f"path: {rows.part} of {rows.where} has the values {listed(several)}, which are one part by their names; say which is "
            "which by parts: {train: ..., test: ...}."
        )
    if values and not roles:
        raise InputError(
            f"columns.part: {rows.part} of {rows.where} has the values {listed(values)}, of which none is known as a part; say which "
            "is which by parts: {train: ..., test: ...}, or parts: {} if they are none."
        )
    return {part: roles[part][0] for part in PARTS if part in roles}


def _check_parts(rows: Rows, named: dict[str, str], settings: dict) -> None:
    fraction, validation = settings["test_fraction"], settings["validation"]
    if "train" not in named:
        raise InputError(
            f"path: {rows.part} of {rows.where} has {listed(named.values())} and no train part; say which it is by parts."
        )
    if "test" in named and settings.get("test_folds"):
        raise InputError(
            f"test_folds is given, but {rows.where} has a test part, {named['test']}; set it to null, or set parts: {{}} to test all images in "
            "folds."
        )
    if "test" in named and fraction is not None:
        raise InputError(
            f"test_fraction: {fraction} is given, but {rows.where} has a test part, {named['test']}; set it to null."
        )
    if "test" not in named and fraction is None and not settings.get("test_folds"):
        held = named.get("validation")
        raise InputError(
            f"test_fraction: null, but {rows.where} has no test part; give the share of {named['train']} that is to be one, such as 0.2"
            + (f", or parts: {{train: {named['train']}, test: {held}}} to test on {held}." if held else ".")
        )
    check_validation(rows.where, named, validation)


# --- labels and classes ----------------------------------------------------------------------------------------------


def _labelled(rows: Rows, records: list[Record], settings: dict, notes: list[str]) -> list[Record]:
    """The records that have a label."""
    without = [record for record in records if not record.label]
    if not without:
        return records
    said = f"{len(without):,} of {len(records):,} rows have no label, such as {rows.at(without[0])} ({without[0].name})"
    if settings["unlabelled"] == "refuse":
        raise InputError(f"columns.label: {said}; fill it in, or set unlabelled: skip to leave such rows out.")
    notes.append(f"{said}: left out (unlabelled: skip)")
    rows.left_out["rows without a label"] += len(without)
    return [record for record in records if record.label]


def _once(rows: Rows, parts: dict[str, list[Record]], notes: list[str]) -> None:
    """Each image once: rows that repeat one are left out and counted, rows that contradict one are refused."""
    seen: dict[str, tuple[str, Record]] = {}
    repeated = 0
    for part, records in parts.items():
        kept = []
        for record in records:
            first_part, first = seen.setdefault(record.name, (part, record))
            if first is record:
                kept.append(record)
                continue
            for what, one, other in (
                ("label", first.label, record.label),
                ("part", first_part, part),
                ("group", first.group, record.group),
            ):
                if one != other:
                    raise InputError(
                        f"path: {rows.at(first)} and {rows.unit} {record.line:,} give {record.name} the {what}s {one or 'none'} and "
                        f"{other or 'none'}; an image has one, so remove a row."
                    )
            repeated += 1
        parts[part] = kept
    if repeated:
        notes.append(f"{repeated:,} rows of {rows.where} repeat an image that an earlier row has, and count once")


def _classes(rows: Rows, parts: dict[str, list[Record]], notes: list[str]) -> list[str]:
    """The classes, in order. Raises InputError if a part lacks one."""
    for records in parts.values():
        for record in records:
            record.label = unicodedata.normalize("NFC", record.label)
    own = {part: {record.label for record in records} for part, records in parts.items()}
    found = set().union(*own.values())
    for part in ("train", "test"):
        lacking = sorted(found - own[part]) if part in own else []
        if lacking:
            raise InputError(
                f"path: the {part} part of {rows.where} has no image of the class{'es' * (len(lacking) > 1)} {listed(lacking)}; every "
                "class needs some in the train and in the test part."
            )
    if len(found) > MANY and len(found) > len(parts["train"]) / 2:
        raise InputError(
            f"columns.label: {len(found):,} different labels for {len(parts['train']):,} images, such as {listed(sorted(found)[:3])}; "
            "a class needs several images, so name another column."
        )
    small = Counter(name.casefold() for name in found)
    for folded in sorted(name for name, count in small.items() if count > 1):
        alike = ", ".join(sorted(name for name in found if name.casefold() == folded))
        notes.append(f"class names in {rows.where} differ in capitals alone: {alike}")
    order = rows.classes or sorted(found)
    empty = [name for name in order if name not in found]
    if empty:
        notes.append(f"{rows.where} names classes without an image, which are left out: {listed(empty)}")
    return [name for name in order if name in found]


# --- groups ----------------------------------------------------------------------------------------------------------


def _check_groups(rows: Rows, parts: dict[str, list[Record]], settings: dict, notes: list[str]) -> None:
    if rows.group is None:
        return
    for part, records in parts.items():
        without = [record for record in records if not record.group]
        if without:
            said = f"{rows.group} is empty in {len(without):,} of {len(records):,} rows of {part}, such as {rows.at(without[0])}"
            if part != "test" and settings["ungrouped"] == "refuse":
                raise InputError(
                    f"columns.group: {said}; fill it in, or set ungrouped: allow, and each is a group of its own."
                )
            notes.append(f"{said}: each is a group of its own")
    first: dict[str, tuple[str, Record]] = {}
    shared: dict[str, tuple[Record, Record]] = {}
    for part, records in parts.items():
        for record in records:
            if record.group:
                other, earlier = first.setdefault(record.group, (part, record))
                if other != part:
                    shared.setdefault(record.group, (earlier, record))
    if shared:
        group, (one, other) = next(iter(shared.items()))
        said = (
            f"{len(shared):,} groups of {rows.where} stand in two parts, such as {group} ({one.name} and {other.name})"
        )
        if settings["group_leaks"] == "refuse":
            raise InputError(
                f"columns.group: {said}; move each to one side, or set group_leaks: allow to score with this leak."
            )
        notes.append(f"LEAK: {said} (group_leaks: allow)")
