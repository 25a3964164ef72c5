"""Which files of the user's a job reads, in sixteen hex digits: if they change, the job runs again. One form for each kind of input.

What a source declares as `listing` (see `ftbench.study.kinds`) says which form it is.
"""

import hashlib
from pathlib import Path

from ftbench.base.errors import InputError, choices
from ftbench.study.folders.folder_listing import folder_listing
from ftbench.study.kinds import declared
from ftbench.study.rows.shards import shards_of
from ftbench.study.rows.table_images import images_root, table_rows

TAIL = 1 << 16  # bytes at the end of a shard: there stands what a parquet file holds, and where


def listing(entry: dict, form: str) -> str | None:
    """The digest of what a data set's `entry` reads; None if a download brings it, whose record is an input of its own."""
    if form not in LISTINGS:
        raise ValueError(f"listing: {form!r} is no form; valid are {choices(LISTINGS)}")
    return LISTINGS[form](entry)


def table_listing(entry: dict) -> str:
    """Over the table's bytes and the names and sizes of the images that its rows name.

    An image that no row names, or a file that is no image, changes nothing. If the table cannot be read as the entry says, its bytes and
    what is wrong count: the job that reads it says so.
    """
    total = hashlib.sha256()
    table = Path(entry["path"])
    total.update(table.read_bytes() if table.is_file() else b"missing")
    try:
        files = sorted((record.name, record.size, record.fault) for record in table_rows(entry).records)
    except InputError as error:
        files = [(str(error), 0, None)]
    for name, size, fault in files:
        total.update(f"{name} {fault or size}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()[:16]


def shards_listing(entry: dict) -> str | None:
    """Over the names and sizes of all shards and the last bytes of each."""
    total = hashlib.sha256()
    try:
        shards = shards_of(entry["path"], declared(entry["source"], "sources")["suffixes"])
        if shards is None:  # of the hub
            return None
        for shard in shards:
            total.update(f"{shard.name} {shard.path.stat().st_size}\n".encode("utf-8", "surrogateescape"))
            with shard.path.open("rb") as stream:
                stream.seek(max(0, shard.path.stat().st_size - TAIL))
                total.update(stream.read(TAIL))
    except (InputError, OSError) as error:
        total.update(str(error).encode("utf-8", "surrogateescape"))
    return total.hexdigest()[:16]


def images_folder(entry: dict, form: str | None) -> str | None:
    """The folder that names of images are relative to, None if they lie in no folder."""
    folders = {"folder": lambda: entry["path"], "rows": lambda: str(images_root(entry))}
    return folders[form]() if form in folders else None


LISTINGS = {"folder": folder_listing, "rows": table_listing, "shards": shards_listing}
