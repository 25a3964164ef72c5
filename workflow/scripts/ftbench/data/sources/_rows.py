"""What sources whose images are listed in rows have in common: parts, a drawn test part, groups, remarks and further columns.

A source gives the arranged rows (`ftbench.study.rows.records`) and says how one record is opened.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.given.image_names import UNREADABLE, suffix
from ftbench.data.decode.open_image import MAX_PIXELS, Opened
from ftbench.data.groups import merge_groups
from ftbench.data.sources import OF_FOLDERS, require_part
from ftbench.data.split import TEST_STREAM, stratified_group_split
from ftbench.study.folders.split_names import roles_of
from ftbench.study.listing import shards_listing
from ftbench.study.rows.records import Arranged, Record, Rows
from ftbench.study.rows.shards import Shard, shards_of

# As the schema has them.
UNSAID = {
    **OF_FOLDERS,
    "columns": None,
    "images": None,
    "unlabelled": "refuse",
    "ungrouped": "refuse",
    "group_leaks": "refuse",
    "max_pixels": MAX_PIXELS,
    "split_seed": 0,
}


def read(
    arranged: Arranged, settings: dict, part: str, opener: Callable, digests: Callable[[list[Record]], list[str | None]]
) -> tuple[list[str], Iterator]:
    """Classes and items of one part. `opener(record)` gives an `Opened`; `digests` says of records which have equal bytes.

    A record with a fault becomes an item whose `load` raises it, so that it counts as an image that cannot be read.
    """
    require_part(part, own_validation=settings["validation"] == "given")
    pairs = arranged.parts.get(part, [])
    if settings["test_fraction"] is not None and part != "validation":
        pairs = _drawn(arranged, settings, part, digests)
    return arranged.classes, ((record.name, label, _Load(record, opener)) for record, label in pairs)


class _Load:
    """What opens one record; nothing is read before it is called."""

    __slots__ = ("opener", "record")

    def __init__(self, record: Record, opener: Callable):
        self.record, self.opener = record, opener

    def __call__(self) -> Opened:
        why = self.record.fault or UNREADABLE.get(suffix(self.record.name))
        if why:
            raise ValueError(why)
        return self.opener(self.record)


def _drawn(arranged: Arranged, settings: dict, part: str, digests: Callable) -> list[tuple[Record, int]]:
    """The records of part "train" or "test", which divide the rows by `test_fraction` as an image folder's are divided."""
    pairs = arranged.parts["train"]
    records = [record for record, _ in pairs]
    in_test = stratified_group_split(
        np.array([label for _, label in pairs]),
        merge_groups([record.group or None for record in records], digests(records)),
        settings["test_fraction"],
        np.random.default_rng([settings["split_seed"], TEST_STREAM]),
        key="test_fraction",
        names=("train", "test"),
        classes=arranged.classes,
    )
    return [pair for pair, test in zip(pairs, in_test) if test == (part == "test")]


def shared_sizes(records: list[Record]) -> list[bool]:
    """Per record whether another one has its size in bytes; only such can be equal."""
    counts = Counter(record.size for record in records if record.fault is None)
    return [record.fault is None and counts[record.size] > 1 for record in records]


def shards(root: str | Path, suffixes: tuple[str, ...]) -> list[Shard]:
    """The shards below `root`, a path of the user's or the folder of a download."""
    found = shards_of(root, suffixes)
    if found is None:
        raise InputError(f"path: {root} is not downloaded yet; start the workflow, or its rule download_dataset.")
    return found


def named(root: str | Path) -> str:
    """A folder, file or pattern of shards for messages."""
    return Path(root).name or str(root)


def forget_unknown_parts(rows: Rows, settings: dict) -> None:
    """Names of shards that speak of no part, such as data-00000-of-00002, say nothing of parts."""
    if (
        settings["parts"] is None
        and not roles_of(sorted({record.part for record in rows.records}))
        or settings["parts"] == {}
    ):
        for record in rows.records:
            record.part = ""


_last: list[
    tuple
] = []  # (what it was made of, the arranged rows): a job asks several times for the rows of one data set


def once(make: Callable[[], Arranged], settings: dict, root: str | Path, files) -> Arranged:
    """`make()`, or what it gave for the same settings and `files`, whatever tells of them, the last time."""
    state = (json.dumps(settings, sort_keys=True, default=str), str(root), files)
    if not _last or _last[0][0] != state:
        _last[:] = [(state, make())]
    return _last[0][1]


def shards_state(settings: dict, root: str | Path) -> str | None:
    """What tells that shards are the same as before."""
    return shards_listing({"path": str(root), "source": settings["source"]})


def answers(arranged_of: Callable[[dict, str | Path], Arranged]) -> tuple[Callable, Callable, Callable, Callable]:
    """counts, group_keys, metadata and remarks of a source, from its function of (settings, root) that gives the arranged rows."""

    def counts(settings: dict, root: str | Path) -> tuple[dict[str, int], int]:
        arranged = arranged_of(settings, root)
        return {part: len(pairs) for part, pairs in arranged.parts.items()}, len(arranged.classes)

    def group_keys(settings: dict, root: str | Path, names: list[str]) -> list[str | None]:
        groups = {record.name: record.group for record in _records(arranged_of(settings, root))}
        return [groups[name] or None for name in names]

    def metadata(settings: dict, root: str | Path, names: list[str]) -> dict[str, list[str]]:
        """{column: its values, in the order of `names`} of the further columns."""
        arranged = arranged_of(settings, root)
        values = {record.name: record.metadata for record in _records(arranged)}
        return {column: [values[name][at] for name in names] for at, column in enumerate(arranged.rows.metadata)}

    def remarks(settings: dict, root: str | Path) -> dict:
        arranged = arranged_of(settings, root)
        return {"notes": arranged.notes, "left_out": dict(sorted(arranged.rows.left_out.items()))}

    return counts, group_keys, metadata, remarks


def _records(arranged: Arranged) -> Iterator[Record]:
    return (record for pairs in arranged.parts.values() for record, _ in pairs)
