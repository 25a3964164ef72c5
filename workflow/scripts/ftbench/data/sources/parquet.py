"""Parquet shards that hold encoded images and their labels, as the Hugging Face hub stores image data sets.

An image is a column of bytes, or a struct with the bytes and a path. Class names come from the features in the schema's metadata. Shards
are local files, or those of `hf:<owner>/<name>`, which a job downloads first. The order is that of an image folder: classes as the features
number them, else by name, then images by their path, or by shard and row where paths are missing or not unique.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from ftbench.base.errors import InputError, listed
from ftbench.data.decode.open_image import Opened, open_pixels
from ftbench.data.sources import _hub, _rows
from ftbench.data.sources._spool import Spool
from ftbench.study.rows.columns import label_of, which
from ftbench.study.rows.records import Arranged, Record, Rows, arrange
from ftbench.study.rows.shards import Shard
from ftbench.study.rows.table_file import column_text, import_pyarrow, is_plain

DECLARES = {
    "needs": "path",
    "options": ["columns", "test_fraction", "test_folds", "validation", "parts", "range", "download_gb"],
    "download": True,
    "listing": "shards",
    "sizes": {},  # counted in the shards
    "suffixes": [".parquet"],
}
SUFFIXES = tuple(DECLARES["suffixes"])
AT_ONCE = 32  # images read at a time: large ones have several megabytes
UNNAMED = "{shard}/{row:06d}"


def archives(settings: dict) -> list[dict]:
    return []  # `fetch` brings the shards


def fetch(settings: dict, root: Path, most: int, report: Callable[[str], None]) -> list[dict]:
    """Bring the shards of a data set of the hub into `root`."""
    return _hub.fetch(settings, root, SUFFIXES, most, report)


def about(settings: dict) -> dict:
    return _hub.about(settings)


def read(settings: dict, root: str | Path, part: str) -> tuple[list[str], Iterator]:
    """Classes and items of one part; images are copied out of the shards once, when the first one is loaded."""
    settings = _rows.UNSAID | settings
    limit = settings["max_pixels"]
    arranged = _arranged(settings, root)
    wanted: list[Record] = []
    spool = Spool(lambda: _encoded(arranged, wanted), arranged.rows.where)

    def opened(record: Record) -> Opened:
        return open_pixels(spool.read(record.place), limit)

    classes, items = _rows.read(arranged, settings, part, opened, lambda records: _digests(arranged, records))
    items = list(items)
    wanted += [load.record for _, _, load in items]
    return classes, iter(items)


def _arranged(settings: dict, root: str | Path) -> Arranged:
    settings = _rows.UNSAID | settings
    return _rows.once(
        lambda: arrange(parquet_rows(settings, root), settings), settings, root, _rows.shards_state(settings, root)
    )


counts, group_keys, metadata, remarks = _rows.answers(_arranged)


def parquet_rows(settings: dict, root: str | Path) -> Rows:
    """A record for each row of the shards below `root`; its `place` is (shard, row). No image is read.

    Raises InputError where a shard cannot be read, shards differ in their columns, or nothing says the image or the label.
    """
    shards = _rows.shards(root, SUFFIXES)
    image, names = _schema(shards, settings)
    plain: dict[str, list[str]] = {}
    places, paths, empty = [], [], []
    for shard in shards:
        table, own = _columns(shard, image, list(plain) if places else None)
        for name, cells in table.items():
            plain.setdefault(name, []).extend(cells)
        places += [(shard, row) for row in range(len(own))]
        paths += own
        empty += [shard.name] * (not own)
    where, given = _rows.named(root), settings["columns"] or {}
    if not places:
        raise InputError(f"path: {where} has {len(shards):,} shards and no row in them.")
    chosen = _chosen_label(given, names, where)
    columns = which(plain, {"columns": chosen | {"file": None}}, where, file_needed=False)
    if len(columns.labels) == 1 and columns.labels[0] in names:
        plain[columns.labels[0]] = _named(plain[columns.labels[0]], names[columns.labels[0]], columns.labels[0], where)
    rows = Rows(where, "row", [], columns.metadata, notes=columns.notes)
    if not given.get("label") and columns.labels[0] in names:
        rows.notes.append(f"the label is taken from {columns.labels[0]}, whose classes the features of {where} name")
    rows.notes += [f"{name} is empty" for name in empty]
    rows.part = f"the column {columns.part}" if columns.part else "the names of the shards"
    rows.group = columns.group and f"the column {columns.group}"
    rows.origin = (image, shards)
    rows.classes = names.get(columns.labels[0]) if len(columns.labels) == 1 else None
    unique = len({*paths}) == len(paths) and all(paths)
    for at, (shard, row) in enumerate(places):
        rows.records.append(
            Record(
                paths[at] if unique else UNNAMED.format(shard=shard.name.removesuffix(SUFFIXES[0]), row=row),
                label_of(plain, columns.labels, at, f"row {row + 1:,} of {shard.name}"),
                at + 1,
                plain[columns.part][at] if columns.part else shard.part,
                plain[columns.group][at] if columns.group else "",
                tuple(plain[name][at] for name in columns.metadata),
                (shard.name, row),
            )
        )
    if not columns.part:
        _rows.forget_unknown_parts(rows, settings)
    return rows


def _schema(shards: list[Shard], settings: dict) -> tuple[str, dict[str, list[str]]]:
    """(the column of images, {column: class names} by the features)."""
    pyarrow, parquet = import_pyarrow("path")
    with _readable(shards[0], pyarrow):
        schema = parquet.read_schema(shards[0].path)
    try:
        info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = dict(info.get("info", {}).get("features") or {})
        kinds = {name: value.get("_type") for name, value in features.items() if isinstance(value, dict)}
        names = {name: [str(each) for each in features[name]["names"]] for name in kinds if kinds[name] == "ClassLabel"}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise InputError(f"path: the features in the metadata of {shards[0].name} cannot be read ({error}).") from error
    given = (settings["columns"] or {}).get("file")
    images = [field.name for field in schema if kinds.get(field.name) == "Image"]
    images = images or [field.name for field in schema if _holds_bytes(pyarrow, field.type)]
    if given is not None and given not in schema.names:
        raise InputError(
            f"columns.file: {shards[0].name} has no column {given!r}; its columns are {listed(schema.names, 20)}."
        )
    if given is None and len(images) != 1:
        which_one = f"several columns of images, {listed(images)}" if images else "no column of encoded images"
        raise InputError(
            f"columns.file: {shards[0].name} has {which_one}; its columns are {listed(schema.names, 20)}, so name the one to read."
        )
    image = given or images[0]
    if not _holds_bytes(pyarrow, schema.field(image).type):
        raise InputError(
            f"columns.file: the column {image} of {shards[0].name} holds {schema.field(image).type}, no encoded images; files that lie "
            "elsewhere are read by source: table."
        )
    return image, names


def _holds_bytes(pyarrow, kind) -> bool:
    types = pyarrow.types
    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(pyarrow, field.type) for field in kind)
    return types.is_binary(kind) or types.is_large_binary(kind) or getattr(types, "is_binary_view", bool)(kind)


def _columns(shard: Shard, image: str, known: list[str] | None) -> tuple[dict[str, list[str]], list[str]]:
    """(the plain columns of a shard as text, the path of each image or "")."""
    pyarrow, parquet = import_pyarrow("path")
    with _readable(shard, pyarrow), parquet.ParquetFile(shard.path, memory_map=True) as file:
        schema = file.schema_arrow
        plain = [field.name for field in schema if is_plain(pyarrow, field.type)]
        if known is not None and plain != known or image not in schema.names:
            raise InputError(
                f"path: {shard.name} has the columns {listed(schema.names, 20)}, other ones than the shards before it; keep to one data set."
            )
        kind = schema.field(image).type
        path = pyarrow.types.is_struct(kind) and any(field.name == "path" for field in kind)
        table = file.read(columns=[*plain, *[f"{image}.path"] * path])
        paths = (
            [row and row.get("path") for row in table.column(image).to_pylist()] if path else [None] * table.num_rows
        )
        return {name: column_text(table.column(name).to_pylist()) for name in plain}, [path or "" for path in paths]


def _chosen_label(given: dict, names: dict[str, list[str]], where: str) -> dict:
    """The key `columns` with the label that the features name, if it names none itself."""
    if given.get("label") or not names:
        return given
    if len(names) > 1:
        raise InputError(f"columns.label: {where} has several labels, {listed(names)}; name the one to learn.")
    return given | {"label": next(iter(names))}


def _named(cells: list[str], names: list[str], column: str, where: str) -> list[str]:
    """Numbers as class names; -1, which stands for no label on the hub, as none."""
    known = {str(number): name for number, name in enumerate(names)} | {"-1": "", "": ""}
    unknown = next((cell for cell in cells if cell not in known), None)
    if unknown is not None:
        raise InputError(
            f"columns.label: {where} has {unknown} in the column {column}, whose features name {len(names):,} classes."
        )
    return [known[cell] for cell in cells]


def _encoded(arranged: Arranged, records: list[Record]) -> Iterator[tuple[tuple[str, int], bytes]]:
    """((shard, row), encoded image) of records, in the order of the shards; only groups of rows that hold one are read."""
    pyarrow, parquet = import_pyarrow("path")
    image, shards = arranged.rows.origin
    wanted: dict[str, set[int]] = {}
    for name, row in (record.place for record in records):
        wanted.setdefault(name, set()).add(row)
    for shard in shards:
        rows = wanted.get(shard.name, set())
        if not rows:
            continue
        with _readable(shard, pyarrow), parquet.ParquetFile(shard.path, pre_buffer=False) as file:
            struct = pyarrow.types.is_struct(file.schema_arrow.field(image).type)
            column, first = f"{image}.bytes" if struct else image, 0
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                if not rows.isdisjoint(range(first, first + size)):
                    at = first
                    for batch in file.iter_batches(AT_ONCE, row_groups=[group], columns=[column], use_threads=False):
                        for row, value in enumerate(batch.column(0), start=at):
                            value = value.as_py() if row in rows else None
                            data = value.get("bytes") if isinstance(value, dict) else value
                            if data is not None:
                                yield (shard.name, row), data
                        at += batch.num_rows
                first += size


def _digests(arranged: Arranged, records: list[Record]) -> list[str | None]:
    """Per record the digest of its encoded image."""
    found = {place: hashlib.sha256(data).hexdigest() for place, data in _encoded(arranged, records)}
    return [found.get(record.place) for record in records]


class _readable:
    """Turns what pyarrow raises on a damaged file into a sentence."""

    def __init__(self, shard: Shard, pyarrow):
        self.shard, self.pyarrow = shard, pyarrow

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, traceback) -> None:
        if isinstance(error, self.pyarrow.ArrowException | OSError):
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise InputError(f"path: {self.shard.path} cannot be read as parquet ({reason}); get it anew.") from error
