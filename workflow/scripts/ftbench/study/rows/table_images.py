"""The images that the rows of a table name: each row's file is found below the images' folder, however it is written."""

import os
import stat
from collections import Counter
from pathlib import Path

from ftbench.base.errors import InputError, listed
from ftbench.base.given.image_names import is_image_name
from ftbench.base.given.user_csv import FileNames, at_home
from ftbench.base.given.walk import no_image, walk
from ftbench.study.rows.columns import Columns, label_of, which
from ftbench.study.rows.records import Record, Rows
from ftbench.study.rows.table_file import Table, read_table

NO_FILE, NO_IMAGE = "there is no such file", "it is no image"
OUTSIDE = "the path leads out of the folder of the images"


def images_root(entry: dict) -> Path:
    """The folder of a table's images: the key `images`, or else where the table lies."""
    return Path(entry["images"] if entry["images"] is not None else Path(entry["path"]).parent)


def table_rows(entry: dict) -> Rows:
    """A record for each row of the table `path`, its `place` the path of the image, its `name` that path below the images' folder.

    Raises InputError on a table or folder that cannot be read, on missing columns, on a row that may mean several images, and if no row
    names an image at all. A row whose image is not there has a `fault`.
    """
    table = read_table(entry["path"])
    columns = which(table.columns, entry, table.path.name)
    images = _Images(entry, table)
    rows = Rows(table.path.name, table.unit, [], columns.metadata, notes=columns.notes)
    rows.part = columns.part and f"the column {columns.part}"
    rows.group = columns.group and f"the column {columns.group}"
    for row, line in enumerate(table.lines):
        record = _record(table, columns, row, line, images)
        if record.fault and images.leaves_out(record):
            rows.left_out["rows of files that include and exclude leave out"] += 1
        else:
            rows.records.append(record)
    _refuse_all_missing(rows, table, images)
    rows.notes += images.remarks(rows)
    for (_, reason), count in images.found.passed.items():
        rows.left_out[reason] += count
    rows.left_out -= images.the_table_itself(table.path)
    return rows


def _record(table: Table, columns: Columns, row: int, line: int, images: "_Images") -> Record:
    at = f"{table.unit} {line:,} of {table.path.name}"
    written = table.columns[columns.file][row]
    if not written:
        raise InputError(f"columns.file: {at} names no file; fill it in or remove the row.")
    if "\0" in written:
        raise InputError(f"columns.file: {at} names {written!r}, which is no path.")
    record = Record(
        written,
        label_of(table.columns, columns.labels, row, at),
        line,
        table.columns[columns.part][row] if columns.part else "",
        table.columns[columns.group][row] if columns.group else "",
        tuple(table.columns[name][row] for name in columns.metadata),
    )
    try:
        images.place(record)
    except ValueError as error:
        raise InputError(f"columns.file: {at}: {error}; write the folder in front, or give it by images.") from error
    return record


class _Images:
    """The images below the folder, and which of them a row means."""

    def __init__(self, entry: dict, table: Table):
        root = images_root(entry)
        if not root.is_dir():
            raise InputError(f"images: {root} is not a folder; give the folder of the images that {table.path} names.")
        self.found = walk(root, entry["include"], entry["exclude"])
        self.found.refuse_faults([""], "images")
        self.sizes = dict(self.found.files)
        self.known = FileNames(self.sizes, root, (), (table.path.parent, Path()))
        self._flat = not any("/" in name for name in self.sizes)
        self._by_end = 0
        patterns = entry["include"] or entry["exclude"]
        self._all = FileNames((name for name, _ in walk(root).files), root) if patterns else None

    def place(self, record: Record) -> None:
        """Say where the image of a record lies, or its fault. Raises ValueError if its file may be one of several."""
        root, written = self.known.root, at_home(record.name)
        name = self.known.find(record.name)
        if name is None and not _taken_as_written(record, written):
            name = self._from_another_machine(record.name)
            self._by_end += name is not None
            outside = not os.path.normpath(os.path.join(root, written)).startswith(f"{root}/")  # noqa: PTH118
            record.fault = None if name else OUTSIDE if outside and not written.startswith("/") else NO_FILE
        if name is not None:
            record.name, record.size = name, self.sizes[name]
            record.place = os.path.join(root, name)  # noqa: PTH118, for 200,000 rows

    def _from_another_machine(self, written: str) -> str | None:
        """The image that /kaggle/input/plants/images/1.jpg means: what follows the folder's own name, or in a flat one the bare name."""
        parts = written.replace("\\", "/").split("/")
        if ".." in parts or len(parts) < 2:
            return None
        own = Path(self.known.root).name
        ends = [parts[parts.index(own) + 1 :]] if own in parts[:-1] else []
        found = (self.known.find("/".join(end)) for end in (*ends, *[parts[-1:]] * self._flat))
        return next((name for name in found if name is not None), None)

    def leaves_out(self, record: Record) -> bool:
        """Whether a row's file is there, and left out by `include` and `exclude`: no fault of the table."""
        try:
            return self._all is not None and self._all.find(record.name) is not None
        except ValueError:
            return False

    def the_table_itself(self, path: Path) -> Counter:
        """{reason: 1} if the table lies among its images and was passed over with what is no image: it is not left out, it is read."""
        try:
            place = path.resolve().parent.relative_to(Path(self.known.root).resolve()).as_posix()
        except ValueError:
            return Counter()
        reason = no_image(path.name)
        return Counter({reason: 1} if ("" if place == "." else place, reason) in self.found.passed else {})

    def remarks(self, rows: Rows) -> list[str]:
        """Sentences on what was found in an unusual way, and on images that no row names."""
        told = [f"the pattern {pattern!r} of include or exclude matches nothing" for pattern in self.found.unmatched]
        if self._by_end:
            told.append(
                f"{self._by_end:,} rows of {rows.where} write folders of another machine; their files are found by the end of the path"
            )
        unnamed = self.sizes.keys() - {record.name for record in rows.records}
        if unnamed:
            told.append(
                f"{len(unnamed):,} images below {self.found.root} stand in no row of {rows.where} and are not used, such as {min(unnamed)}"
            )
        return told


def _taken_as_written(record: Record, written: str) -> bool:
    """Whether the row writes the absolute path of a file that is there: one outside of the folder is meant then, and read."""
    path = Path(written)
    try:
        if not path.is_absolute() or not path.exists():
            return False
        status = path.stat()
    except (OSError, ValueError):
        return False
    record.name = record.place = os.path.normpath(written)
    record.size = status.st_size
    if not stat.S_ISREG(status.st_mode) or is_image_name(written) is False:
        record.fault = NO_IMAGE
    return True


def _refuse_all_missing(rows: Rows, table: Table, images: _Images) -> None:
    if any(record.fault is None for record in rows.records):
        return
    there = listed(sorted(images.sizes), 2)
    written = listed((record.name for record in rows.records), 2)
    raise InputError(
        f"images: none of the {len(table):,} files that {table.path} names, such as {written}, lies below {images.found.root}"
        + (f", which holds {there}" if there else ", which holds no images")
        + "; give the folder of the images by images, or the right column by columns.file."
    )
