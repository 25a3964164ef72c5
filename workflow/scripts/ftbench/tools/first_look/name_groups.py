"""Groups that can be seen in the names of files: patient12_slice3.png and patient12_slice4.png are of one patient.

What is seen is a guess from names, in three ways: a word that names a unit (patient, video, burst), a folder inside a class folder,
or a beginning with a number that several files share. The first two are taken; the third is shown to the person alone.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from ftbench.study.rows.columns import HINTS

# In this order: of patient3_scan2 the patient is the unit that must not be cut.
UNITS = (
    *(
        "patient",
        "pat",
        "subject",
        "subj",
        "sub",
        "participant",
        "person",
        "donor",
        "case",
        "animal",
        "mouse",
        "specimen",
    ),
    *(
        "plant",
        "tree",
        "plot",
        "video",
        "vid",
        "movie",
        "clip",
        "scene",
        "sequence",
        "seq",
        "burst",
        "session",
        "series",
        "scan",
    ),
)
UNIT = re.compile(rf"(?<![a-z])({'|'.join(sorted(UNITS, key=len, reverse=True))})[-_ ]?([a-z]{{0,2}}\d+)(?![a-z0-9])")
BEGINNING = re.compile(r"(.*\d.*?)[-_ .]+[a-z]*\d+$")
COVERED = 0.9  # share of the images whose name has a group
GROUPS_PER_CLASS = (
    4  # at the median; of fewer folders or beginnings no fair split can be made, and they are seldom groups
)


class Grouping(NamedTuple):
    """`groups` is {image: its group, None where its name says nothing}; `sure` if it should be obeyed and not only be shown."""

    groups: dict[str, str | None]
    how: str
    sure: bool
    column: str | None = None  # of a table, if one says it

    def number(self) -> int:
        return len(set(self.groups.values()) - {None})


def grouping(names: Sequence[str], labels: Sequence[str]) -> Grouping | None:
    """The groups in the names of images, if there are any; `labels` are the names of their classes."""
    inside = [_below_class(name, label) for name, label in zip(names, labels)]
    units = [_units(name) for name in inside]
    for unit in UNITS:
        groups = [f"{unit}{found[unit]}" if unit in found else None for found in units]
        if _covers(groups):
            return Grouping(dict(zip(names, groups)), f"the word {unit} with a number in their names", True)
    folders = [str(PurePosixPath(name).parent) if "/" in name else None for name in inside]
    if _covers(folders) and _per_class(folders, labels) >= GROUPS_PER_CLASS:
        return Grouping(dict(zip(names, folders)), "the folders inside the class folders", True)
    beginnings = [_beginning(name) for name in inside]
    if _covers(beginnings) and _per_class(beginnings, labels) >= GROUPS_PER_CLASS:
        return Grouping(dict(zip(names, beginnings)), "the beginnings of their names", False)
    return None


def column_grouping(metadata: dict[str, list[str]], names: Sequence[str]) -> Grouping | None:
    """The groups that a further column of a table gives, if one is called so and its values repeat."""
    for column, values in metadata.items():
        groups = [value or None for value in values]
        if any(word in column.casefold() for word in HINTS) and _covers(groups):
            return Grouping(dict(zip(names, groups)), f"the column {column}", True, column)
    return None


def _below_class(name: str, label: str) -> str:
    """What a name says below the folder of its class; the whole name if it lies in none."""
    parts = name.split("/")
    return "/".join(parts[parts.index(label) + 1 :]) if label in parts[:-1] else name


def _units(name: str) -> dict[str, str]:
    return dict(reversed(UNIT.findall(name.casefold())))  # of several the first


def _beginning(name: str) -> str | None:
    found = BEGINNING.fullmatch(PurePosixPath(name).stem.casefold())
    return found.group(1) if found else None


def _covers(groups: list[str | None]) -> bool:
    """Whether nearly all images have a group, at least two groups exist, and most images share theirs with another."""
    sizes = Counter(group for group in groups if group is not None)
    shared = sum(size for size in sizes.values() if size > 1)
    return sizes.total() >= COVERED * len(groups) and len(sizes) > 1 and 2 * shared > len(groups)


def _per_class(groups: list[str | None], labels: Sequence[str]) -> float:
    """The median over classes of how many groups stand in one."""
    own = defaultdict(set)
    for group, label in zip(groups, labels):
        own[label].add(group)
    numbers = sorted(map(len, own.values()))
    return numbers[len(numbers) // 2]
