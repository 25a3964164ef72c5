"""Which images belong together: a group is the unit that a split may not cut.

Frames of one video, photos of one patient and exact duplicates of one picture carry the same information: with one in
training and another in validation, the score measures memory. So the groups that the user lists are joined with the
duplicates found in the pixels, transitively.
"""

import itertools
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.given.user_csv import FileNames, user_table

COLUMNS = ("file", "group")


def merge_groups(*keys: Sequence[Hashable | None]) -> np.ndarray:
    """Join rows that share a key in any of the given columns, transitively.

    Each column has one key per row; None means "no key here". Returns (N,) int64 group numbers, 0, 1, ... in the order
    of each group's first row, so that the numbers depend on the rows only.
    """
    count = len(keys[0])
    nodes: dict[tuple[int, Hashable], int] = {}  # a key is a node beside the rows: rows of one key are connected by it
    rows, ends = [], []
    for column, values in enumerate(keys):
        for row, value in enumerate(values):
            if value is not None:
                rows.append(row)
                ends.append(count + nodes.setdefault((column, value), len(nodes)))
    if len(nodes) == len(rows):
        return np.arange(count)  # no key is shared
    # SciPy is slow to import, and only a job that groups images needs it
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = count + len(nodes)
    edges = coo_array((np.ones(len(rows), np.int8), (np.array(rows, int), np.array(ends, int))), shape=(size, size))
    components = connected_components(edges, directed=False)[1][:count]
    _, first, inverse = np.unique(components, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def read_groups(table: str | Path) -> dict[str, str]:
    """{file: group} from a CSV with the columns `file` and `group`; other columns are ignored.

    Files come back as they are written there. Raises InputError, naming the line, on a missing table or column, an empty cell, and a
    file that is listed twice with different groups.
    """
    table = Path(table)
    if not table.is_file():
        raise InputError(
            f"groups: {table} does not exist; give the path of a CSV with the columns file, group, or null."
        )
    groups: dict[str, str] = {}
    reader = user_table(table, "groups")
    missing = [name for name in COLUMNS if name not in reader.fieldnames]
    if missing:
        found = ", ".join(reader.fieldnames) or "no header"
        raise InputError(f"groups: {table} has the columns {found}; it needs the columns file, group.")
    for line in reader:
        file, group = (line["file"] or "").strip(), (line["group"] or "").strip()
        if not file or not group:
            raise InputError(f"groups: line {reader.line_num} of {table} has an empty file or group; fill in both.")
        if groups.setdefault(file, group) != group:
            raise _two_groups(table, file, groups[file], group)
    return groups


def groups_of_images(table: str | Path, known: FileNames, exists: Callable[[str], bool]) -> tuple[dict[str, str], int]:
    """{image: group} of a groups table, and how many of its rows name files that `exists` but are none of the `known` images.

    Raises InputError on a row that names no file, or one of several images, and on an image that gets two groups.
    """
    groups: dict[str, str] = {}
    absent, unread = [], 0
    for file, group in read_groups(table).items():
        try:
            name = known.find(file)
        except ValueError as error:
            raise InputError(f"groups: {table} lists {file}, but {error}; write the folder in front.") from error
        if name is None:
            if exists(file):
                unread += 1
            else:
                absent.append(file)
        elif groups.setdefault(name, group) != group:
            raise _two_groups(table, name, groups[name], group)
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        example = f", such as {known.names[0]}" if known.names else ""
        raise InputError(
            f"groups: {table} lists {absent[0]}{more}, which is not below {known.root}; write paths relative to that folder{example}."
        )
    return groups, unread


def shared_groups(
    groups: dict[str, str], parts: dict[str, list[str]]
) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """{(part, other part): [(group, an image in the one, an image in the other)]} of groups that stand in both of two parts."""
    first: dict[str, dict[str, str]] = {part: {} for part in parts}
    for part, names in parts.items():
        for name in names:
            if name in groups:
                first[part].setdefault(groups[name], name)
    return {
        (one, other): shared
        for one, other in itertools.combinations(parts, 2)
        if (shared := [(g, first[one][g], first[other][g]) for g in first[one] if g in first[other]])
    }


def _two_groups(table: Path, file: str, one: str, other: str) -> InputError:
    return InputError(f"groups: {table} puts {file} into the groups {one} and {other}; a file has one group.")
