"""Which images belong together: a group is the unit that a split may not cut.

Frames of one video, photos of one patient and exact duplicates of one picture carry the same information: with one in
training and another in validation, the score measures memory. So the groups that the user lists are joined with the
duplicates found in the pixels, transitively.
"""

from collections.abc import Hashable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.user_csv import user_table

COLUMNS = ("file", "group")


def merge_groups(*keys: Sequence[Hashable | None]) -> np.ndarray:
    """Join rows that share a key in any of the given columns, transitively.

    Each column has one key per row; None means "no key here". Returns (N,) int64 group numbers, 0, 1, ... in the order
    of each group's first row, so that the numbers depend on the rows only.
    """
    # SciPy is slow to import, and only a job that groups images needs it
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(keys[0])
    nodes: dict[tuple[int, Hashable], int] = {}  # a key is a node beside the rows: rows of one key are connected by it
    rows, ends = [], []
    for column, values in enumerate(keys):
        for row, value in enumerate(values):
            if value is not None:
                rows.append(row)
                ends.append(count + nodes.setdefault((column, value), len(nodes)))
    size = count + len(nodes)
    edges = coo_array((np.ones(len(rows), np.int8), (np.array(rows, int), np.array(ends, int))), shape=(size, size))
    components = connected_components(edges, directed=False)[1][:count]
    _, first, inverse = np.unique(components, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def read_groups(table: str | Path) -> dict[str, str]:
    """{file: group} from a CSV with the columns `file` and `group`; other columns are ignored.

    Files come back as they are written there, without a leading "./". Raises InputError, naming the line, on a missing
    table or column, an empty cell, and a file that is listed twice with different groups.
    """
    table = Path(table)
    if not table.is_file():
        raise InputError(
            f"groups: {table} does not exist; give the path of a CSV with the columns file, group, or null."
        )
    groups: dict[str, str] = {}
    reader = user_table(table, "groups")
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        found = ", ".join(reader.fieldnames or []) or "no header"
        raise InputError(f"groups: {table} has the columns {found}; it needs the columns file, group.")
    for line in reader:
        file, group = (line["file"] or "").strip(), (line["group"] or "").strip()
        if not file or not group:
            raise InputError(f"groups: line {reader.line_num} of {table} has an empty file or group; fill in both.")
        file = str(PurePosixPath(file))
        if groups.setdefault(file, group) != group:
            raise InputError(
                f"groups: {table} puts {file} into the groups {groups[file]} and {group}; a file has one group."
            )
    return groups
