"""Whether images can be divided as a study divides them, with the groups that their names show and without."""

import csv
import io
import tempfile
from pathlib import Path

import numpy as np

from ftbench.base.errors import InputError
from ftbench.data.groups import COLUMNS, merge_groups
from ftbench.data.split import VALIDATION_STREAM, stratified_group_split
from ftbench.tools.first_look.entry import Entry
from ftbench.tools.first_look.name_groups import Grouping, column_grouping, grouping
from ftbench.tools.first_look.seen import Seen


def groups_seen(entry: Entry, seen: Seen) -> Grouping | None:
    """The groups of all images, by a column of a table, else by names; None if there are none, or if the entry has them already."""
    if entry.settings["groups"] or (entry.settings["columns"] or {}).get("group"):
        return None
    names = [name for own in seen.names.values() for name in own]
    found = column_grouping(entry.metadata(names), names)
    if found:
        return found
    labels = [seen.classes[label] for own in seen.labels.values() for label in own.tolist()]
    return grouping(names, labels)


def groups_table(found: Grouping) -> str:
    """The text of the CSV that `groups` names; an image whose name says nothing is a group of its own."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows((name, group or name) for name, group in found.groups.items())
    return stream.getvalue()


def settle_groups(entry: Entry, seen: Seen, found: Grouping, table: Path) -> dict[tuple[str, str], int]:
    """Obey groups that are sure and that can be split; returns how many stand in two parts of the folder's own.

    The images of `seen` are divided anew by them, where a part is drawn.
    """
    own = entry.settings["test_fraction"] is None
    groups = {part: {found.groups[name] for name in names} - {None} for part, names in seen.names.items()}
    parts = list(groups) if own else []
    leaks = {
        (one, other): len(groups[one] & groups[other])
        for number, one in enumerate(parts)
        for other in parts[number + 1 :]
        if groups[one] & groups[other]
    }
    divided = _divided(entry, seen, found) if found.sure and _key(entry, found, table)[0] else None
    if divided is None:
        return leaks
    seen.divide(divided)
    key, value = _key(entry, found, table)
    entry.keys[key] = value
    entry.why[key] = f"{found.number():,} groups, by {found.how}: each stays on one side of every split"
    if leaks:
        entry.keys["group_leaks"] = "allow"
        entry.why["group_leaks"] = (
            "scores are too good where a group is in two parts: mend the parts, then remove this line"
        )
    entry.settle()
    return leaks


def check_split(entry: Entry, seen: Seen, found: Grouping | None) -> None:
    """Raise InputError if no validation part can be drawn from the training images."""
    names, labels = seen.names["train"], seen.labels["train"].tolist()
    own = found.groups if found else {}
    broken = dict(seen.corrupt)
    kept = [row for row, name in enumerate(names) if name not in broken]
    missing = sorted(set(range(len(seen.classes))) - {labels[row] for row in kept})
    if missing:
        raise InputError(
            f"path: all training images of class {seen.classes[missing[0]]} are corrupt; repair some, or leave its folder out."
        )
    if "validation" in seen.names:
        return
    _draw(
        entry,
        [labels[row] for row in kept],
        [own.get(names[row]) for row in kept],
        [seen.digests.get(names[row]) for row in kept],
        seen,
    )


def _key(entry: Entry, found: Grouping, table: Path) -> tuple[str | None, object]:
    """The key that makes a source obey groups, and its value; None if it has no such key."""
    if found.column is not None:
        return "columns", (entry.settings["columns"] or {}) | {"group": found.column}
    return ("groups", str(table)) if entry.takes("groups") else (None, None)


def _divided(entry: Entry, seen: Seen, found: Grouping) -> dict[str, list] | None:
    """The parts, with groups kept whole; None if those leave a class on one side only of a split that is drawn."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "groups.csv"
        table.write_text(groups_table(found), encoding="utf-8")
        key, value = _key(entry, found, table)
        tried = Entry(entry.keys | {key: value, "group_leaks": "allow"})
        try:
            tried.settle()
            _, parts = tried.read()
            if "validation" not in parts:
                names, labels, _ = zip(*parts["train"])
                _draw(tried, labels, [found.groups[name] for name in names], [None] * len(names), seen)
        except InputError:
            return None
    return parts


def _draw(entry: Entry, labels: list[int], groups: list, digests: list, seen: Seen) -> None:
    """Draw the validation part as the study will. Raises InputError if that fails."""
    rng = np.random.default_rng([entry.settings["split_seed"], VALIDATION_STREAM])
    merged = merge_groups(groups, digests)
    fraction = entry.settings["validation_fraction"]
    names = ("train", "validation")
    stratified_group_split(np.array(labels), merged, fraction, rng, "validation_fraction", names, seen.classes)
