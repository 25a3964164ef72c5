"""Which files of a user's image folder a job reads, in sixteen hex digits: if they change, the job runs again."""

import hashlib
from pathlib import Path

from ftbench.base.errors import InputError
from ftbench.base.given.walk import walk
from ftbench.study.folders.folder_layout import layout


def folder_listing(entry: dict) -> str:
    """Sixteen hex digits over the names and sizes of the images that a data set's `entry` reads, and over its groups table.

    An image added, removed or resized changes it; what is never read, such as a README or a .DS_Store, does not. Times are left
    out, since copying a folder must not retrain a study; an image replaced by one of equal size goes unnoticed. If the folder
    cannot be read as the entry says, all of its images count: the job that reads it says why.
    """
    total = hashlib.sha256()
    try:
        found = walk(entry["path"], entry["include"], entry["exclude"])
        files, faults = found.files, found.faults
    except InputError:
        files, faults = [], [("", "")]
    try:
        if not faults:
            read = {name for part in layout(found, entry).files.values() for name, _ in part}
            files = [file for file in files if file[0] in read]
    except InputError:
        pass  # of all files, then
    for name, size in [*files, *((name, "fault") for name, _ in faults)]:
        total.update(f"{name} {size}\n".encode("utf-8", "surrogateescape"))
    if entry["groups"]:
        table = Path(entry["groups"])
        total.update(table.read_bytes() if table.is_file() else b"missing")
    return total.hexdigest()[:16]
