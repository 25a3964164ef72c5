"""WebDataset shards: tar archives in which key.jpg is an image and key.cls or key.json beside it says its label.

Nothing is unpacked: members of plain archives are read where they lie, those of compressed ones are copied into a temporary file. Links,
devices and names that lead out of the archive are never followed. The order is that of an image folder: classes by name, then images by
their name in the archive, with the shard before it where names are not unique.
"""

import hashlib
import json
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ftbench.base.errors import InputError, listed
from ftbench.base.given.image_names import is_image_name
from ftbench.data.decode.open_image import Opened, open_pixels
from ftbench.data.sources import _rows
from ftbench.data.sources._spool import Spool
from ftbench.study.rows.columns import label_of, which
from ftbench.study.rows.records import Arranged, Record, Rows, arrange
from ftbench.study.rows.shards import Shard
from ftbench.study.rows.table_file import cell_text

DECLARES = {
    "needs": "path",
    "options": ["columns", "test_fraction", "test_folds", "validation", "parts", "range"],
    "download": False,
    "listing": "shards",
    "sizes": {},  # counted in the shards
    "suffixes": [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2"],
}
SUFFIXES, PLAIN = tuple(DECLARES["suffixes"]), (".tar",)
LABEL, TABLE = "cls", "json"
TEXTS = ("cls", "txt", "class", "label")  # members that hold one short text
MOST_TEXT, MOST_JSON = 1 << 12, 1 << 20  # bytes of a label and of what is said of one image
BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RuntimeError)


def archives(settings: dict) -> list[dict]:
    return []


def about(settings: dict) -> dict:
    return {}


def read(settings: dict, root: str | Path, part: str) -> tuple[list[str], Iterator]:
    """Classes and items of one part; names are those of the members."""
    settings = _rows.UNSAID | settings
    limit = settings["max_pixels"]
    arranged = _arranged(settings, root)
    wanted: list[Record] = []
    spool = Spool(lambda: _packed(wanted), arranged.rows.where)

    def opened(record: Record) -> Opened:
        return open_pixels(_member(record) if _lies_open(record) else spool.read(record.place), limit)

    classes, items = _rows.read(arranged, settings, part, opened, _digests)
    items = list(items)
    wanted += [load.record for _, _, load in items if not _lies_open(load.record)]
    return classes, iter(items)


def _arranged(settings: dict, root: str | Path) -> Arranged:
    settings = _rows.UNSAID | settings
    return _rows.once(
        lambda: arrange(tar_rows(settings, root), settings), settings, root, _rows.shards_state(settings, root)
    )


counts, group_keys, metadata, remarks = _rows.answers(_arranged)


def tar_rows(settings: dict, root: str | Path) -> Rows:
    """A record for each sample of the shards below `root`; its `place` is (path of the shard, offset, bytes). No image is read.

    Raises InputError where a shard cannot be read, a sample has no or several images, or nothing says the label.
    """
    where, chosen = _rows.named(root), settings["columns"] or {}
    samples, empty, left_out = [], [], Counter()
    for shard in _rows.shards(root, SUFFIXES):
        own = _samples(shard, left_out)
        empty += [shard.name] * (not own)
        samples += [(shard, key, fields) for key, fields in own.items()]
    found: dict[str, list[str]] = {}
    images = []
    for at, (shard, key, fields) in enumerate(samples):
        field = _image(shard, key, fields, chosen.get("file"))
        if field is None:
            left_out["samples without an image"] += 1
            continue
        said = _said(shard, key, fields)
        for name in said.keys() - found.keys():
            found[name] = [""] * len(images)
        for name, cells in found.items():
            cells.append(said.get(name, ""))
        images.append((at, field))
    if not images:
        raise InputError(f"path: {where} holds no sample with an image, such as 0001.jpg beside 0001.cls.")
    if not found:
        raise InputError(
            f"path: the samples of {where} have no label; each image needs a .cls or .json of its name beside it."
        )
    columns = which(found, {"columns": chosen | {"file": None}}, where, file_needed=False)
    rows = Rows(where, "sample", [], columns.metadata, notes=columns.notes, left_out=left_out)
    rows.notes += [f"{name} holds no samples" for name in empty]
    rows.part = f"the field {columns.part}" if columns.part else "the names of the shards"
    rows.group = columns.group and f"the field {columns.group}"
    keys = Counter(f"{samples[at][1]}.{field}" for at, field in images)
    for row, (at, field) in enumerate(images):
        shard, key, fields = samples[at]
        name = f"{key}.{field}"
        offset, size = fields[field][:2]
        rows.records.append(
            Record(
                name if len(keys) == len(images) else f"{PurePosixPath(shard.name).with_suffix('')}/{name}",
                label_of(found, columns.labels, row, f"{key} of {shard.name}"),
                row + 1,
                found[columns.part][row] if columns.part else shard.part,
                found[columns.group][row] if columns.group else "",
                tuple(found[name][row] for name in columns.metadata),
                (str(shard.path), offset, size),
                size,
            )
        )
    if not columns.part:
        _rows.forget_unknown_parts(rows, settings)
    return rows


def _samples(shard: Shard, left_out: Counter) -> dict[str, dict[str, tuple]]:
    """{key: {field: (offset, bytes, content of a text)}} of a shard, in its order."""
    found: dict[str, dict[str, tuple]] = {}
    try:
        with tarfile.open(shard.path, "r:" if shard.name.endswith(PLAIN) else "r|*") as archive:
            for member in archive:
                if member.isdir():
                    continue
                if not member.isreg() or member.sparse is not None:
                    left_out["links, devices and sparse files in archives"] += 1
                    continue
                key, field = _key(shard, member.name)
                if field is None:
                    left_out["files without a name or ending in archives"] += 1
                    continue
                if field in found.setdefault(key, {}):
                    raise InputError(f"path: {shard.name} holds {member.name} twice; a sample has one of each.")
                most = MOST_JSON if field == TABLE else MOST_TEXT if field in TEXTS else None
                if most is not None and member.size > most:
                    raise InputError(
                        f"path: {member.name} of {shard.name} has {member.size:,} bytes; a label has at most {most:,}."
                    )
                content = archive.extractfile(member).read(most) if most is not None else None
                found[key][field] = (member.offset_data, member.size, content)
    except BROKEN as error:
        raise InputError(
            f"path: {shard.path} cannot be read as tar ({error or type(error).__name__}); get it anew."
        ) from error
    return found


def _key(shard: Shard, name: str) -> tuple[str, str | None]:
    """(key, field) of a member: what stands before and after the first dot of its last part. Raises InputError if it leads elsewhere."""
    path = PurePosixPath(name.removeprefix("./"))
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise InputError(
            f"path: {shard.name} holds {name[:255]!r}, a name that leads out of the archive; nothing of it is read."
        )
    base, dot, field = path.name.partition(".")
    if not base or not dot or not field or any(part.startswith(".") for part in path.parts):
        return "", None
    return str(path.with_name(base)), field.lower()


def _image(shard: Shard, key: str, fields: dict, given: str | None) -> str | None:
    """The field of a sample that is its image, None if there is none."""
    if given is not None:
        return given.lower() if given.lower() in fields else None
    images = [field for field in fields if "." not in field and is_image_name(f"x.{field}")]
    if len(images) > 1:
        raise InputError(
            f"columns.file: {key} of {shard.name} has the images {listed(images)}; name the ending to read by columns: {{file: {images[0]}}}."
        )
    return images[0] if images else None


def _said(shard: Shard, key: str, fields: dict) -> dict[str, str]:
    """What is said of a sample: {field: text} of its short texts and of the values of its JSON."""
    said = {}
    try:
        for field, (_, _, content) in fields.items():
            if field == TABLE:
                value = json.loads(content.decode("utf-8"))
                if not isinstance(value, dict):
                    raise ValueError("it is no object")
                said |= {str(name): cell_text(each) for name, each in value.items()}
        for field in TEXTS:
            if field in fields:
                said[field] = cell_text(fields[field][2].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"path: what {key} of {shard.name} says cannot be read ({error}).") from error
    return said


def _lies_open(record: Record) -> bool:
    return record.place[0].endswith(PLAIN)


def _member(record: Record) -> bytes:
    path, offset, size = record.place
    with open(path, "rb") as stream:
        stream.seek(offset)
        data = stream.read(size)
    if len(data) != size:
        raise ValueError("its archive is cut short")
    return data


def _packed(records: list[Record]) -> Iterator[tuple[tuple, bytes]]:
    """(place, bytes) of records in compressed archives, each archive read once from its start."""
    wanted: dict[str, set[tuple]] = {}
    for record in records:
        wanted.setdefault(record.place[0], set()).add(record.place)
    for path, places in wanted.items():
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                place = (path, member.offset_data, member.size)
                if place in places:
                    yield place, archive.extractfile(member).read()


def _digests(records: list[Record]) -> list[str | None]:
    """Per record the digest of its bytes, None where no other has its size."""
    shared = _rows.shared_sizes(records)
    packed = dict(_hashed(_packed([record for record, own in zip(records, shared) if own and not _lies_open(record)])))
    return [
        None if not own else hashlib.sha256(_member(record)).hexdigest() if _lies_open(record) else packed[record.place]
        for record, own in zip(records, shared)
    ]


def _hashed(pairs: Iterator[tuple[tuple, bytes]]) -> Iterator[tuple[tuple, str]]:
    return ((place, hashlib.sha256(data).hexdigest()) for place, data in pairs)
