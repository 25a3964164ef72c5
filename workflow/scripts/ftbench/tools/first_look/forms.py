"""In which form images lie at a path: class folders, a table with its images, parquet or tar shards. Names and headers decide."""

from collections.abc import Iterator
from pathlib import Path

from ftbench.base.errors import InputError
from ftbench.base.given.image_names import suffix
from ftbench.base.given.walk import shown, walk
from ftbench.data.sources import parquet, tar
from ftbench.study.folders.class_folders import Tree
from ftbench.study.rows.shards import is_hub, shards_of
from ftbench.study.rows.table_file import LINES, PARQUET, TEXT, import_pyarrow, is_plain

SHARDS = {"parquet": parquet.SUFFIXES, "tar": tar.SUFFIXES}
MOST = 5  # folders of images, or tables, that are tried


def form_of(place: Path) -> tuple[str, str]:
    """(source, why) for a path. Raises InputError on one that leads nowhere, or to something that no source reads."""
    if is_hub(str(place)):
        raise InputError(f"path: {place} is yet to be downloaded; give a folder, table, parquet or tar that lies here.")
    try:
        there = place.exists()
    except OSError as error:
        raise InputError(f"path: {shown(place)} leads nowhere ({error.strerror}).") from error
    if not there:
        raise InputError(f"path: {shown(place)} does not exist; give the folder, table, parquet or tar of your images.")
    return _of_file(place) if place.is_file() else _of_folder(place)


def _of_file(place: Path) -> tuple[str, str]:
    ending = suffix(place.name)
    if ending in PARQUET:
        return (
            ("parquet", "the file holds the images themselves")
            if _holds_images(place)
            else ("table", "a row per image")
        )
    if ending in (*TEXT, *LINES):
        return "table", "a row per image"
    if place.name.lower().endswith(SHARDS["tar"]):
        return "tar", "the shard holds the images themselves"
    raise InputError(
        f"path: {shown(place)} is a file that ends in {ending or 'nothing'}; give the folder of your images, one folder per class, or a "
        f"table that ends in {', '.join((*TEXT, *LINES, *PARQUET))}, or a .tar."
    )


def _of_folder(place: Path) -> tuple[str, str]:
    if not walk(place).files:
        for source, endings in SHARDS.items():
            try:
                shards_of(place, endings)
            except InputError:
                continue
            return source, f"the folder holds {endings[0]} shards with the images themselves"
    return "imagefolder", "a folder per class"


def _holds_images(place: Path) -> bool:
    """Whether a parquet file has a column of bytes or of structs, as encoded images are."""
    pyarrow, reader = import_pyarrow("path")
    try:
        schema = reader.read_schema(place)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(
            f"path: {shown(place)} is no parquet file that can be read ({str(error).splitlines()[0]})."
        ) from error
    return any(not is_plain(pyarrow, field.type) for field in schema)


def tables_in(place: Path) -> list[Path]:
    """The tables that lie in a folder, those whose name speaks of training or labels first."""
    found = [
        entry
        for entry in sorted(place.iterdir())
        if entry.is_file() and suffix(entry.name) in (*TEXT, *LINES, *PARQUET)
    ]
    return sorted(found, key=lambda entry: not any(word in entry.name.casefold() for word in ("train", "label")))[:MOST]


def image_folders(table: str) -> Iterator[Path]:
    """The folders beside a table that hold images, one of the table's own name first."""
    place = Path(table)
    if place.is_file():
        tree = Tree(walk(place.parent))
        yield from sorted((place.parent / name for name in tree.children[""]), key=lambda one: one.name != place.stem)[
            :MOST
        ]
