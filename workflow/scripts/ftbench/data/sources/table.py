"""A table of your own images: CSV, TSV, JSON lines or parquet, a row for each with its file and its label.

The label is one column, or one column per class with a 1 in it; other columns may say the part and the group, and the rest is kept as
metadata. Files lie below `images`, and a row may write them relative to it, absolute, or without their ending. The order is that of an
image folder: classes by name, then images by their path.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ftbench.data.decode.open_image import Opened, open_pixels
from ftbench.data.sources import _rows
from ftbench.study.rows.records import Arranged, Record, arrange
from ftbench.study.rows.table_images import table_rows

DECLARES = {
    "needs": "path",
    "options": [
        "images",
        "columns",
        "test_fraction",
        "test_folds",
        "validation",
        "parts",
        "include",
        "exclude",
        "range",
    ],
    "download": False,
    "listing": "rows",
    "sizes": {},  # counted in the table
}


def archives(settings: dict) -> list[dict]:
    return []


def about(settings: dict) -> dict:
    return {}


def read(settings: dict, root: str | Path, part: str) -> tuple[list[str], Iterator]:
    """Classes and items of one part; names are paths below the images' folder, or absolute where a row's file lies elsewhere."""
    settings = _rows.UNSAID | settings
    limit = settings["max_pixels"]

    def opened(record: Record) -> Opened:
        return open_pixels(record.place, limit)

    return _rows.read(_arranged(settings, root), settings, part, opened, _equal_bytes)


def _arranged(settings: dict, root: str | Path) -> Arranged:
    settings = _rows.UNSAID | settings | {"path": str(root)}
    table = Path(root).stat() if Path(root).exists() else None
    state = table and (table.st_size, table.st_mtime_ns)
    return _rows.once(lambda: arrange(table_rows(settings), settings), settings, root, state)


counts, group_keys, metadata, remarks = _rows.answers(_arranged)


def _equal_bytes(records: list[Record]) -> list[str | None]:
    """Per record the digest of its file's bytes, None where no other file has its size and so none can be equal."""
    return [
        hashlib.sha256(Path(record.place).read_bytes()).hexdigest() if shared else None
        for record, shared in zip(records, _rows.shared_sizes(records))
    ]
