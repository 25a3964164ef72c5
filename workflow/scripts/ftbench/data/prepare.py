"""Turn a source of images into the one form that everything after it reads: a uint8 array with labels.

images.npy is written image by image, so the memory needed does not grow with the data set. The test part is another job
with other files: nothing that trains or selects depends on it.
"""

import contextlib
import csv
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ftbench.base.digests import sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, read_json, write_json, write_npy
from ftbench.data import sources
from ftbench.data.groups import merge_groups

WINDOW = 64  # images decoded ahead per thread: keeps the threads busy and the memory small
SHOWN = 5  # corrupt images named in a message
ORIGIN = ("source", "name", "path", "image_size", "fit", "test_fraction", "groups", "on_corrupt")  # kept in the summary
FITS = ("crop", "stretch")


def prepare_train(settings, root, images, labels, groups, classes, files, summary, threads: int = 1) -> None:
    """Write the train part (which the study later divides into train and validation).

    images (N, H, W, 3) uint8, labels (N,) int64, groups (N,) int64: .npy. Images of a group must not be split: listed
    together by the user or with equal pixels. classes: JSON list of names. files: CSV with the columns id, file.
    summary: JSON with images, size, per_class, digest (of pixels, labels and classes), sha256 (images: of the pixels
    alone; labels: of the file), skipped, source, homepage and licence as far as known.

    Raises InputError on fewer than 2 classes, a class without images, sizes that differ without an `image_size`, and
    with `on_corrupt: fail` on corrupt images.
    """
    source = sources.load(settings["source"])
    names, items = source.read(settings, root, "train")
    if len(names) < 2:
        raise InputError(f"{_origin(settings, root)} has the one class {', '.join(names)}; a study needs 2 or more.")
    _refuse_invisible(names, _origin(settings, root))
    with atomic_write(images) as temporary:
        part = _write_part(settings, temporary, names, items, threads)
        keys = source.group_keys(settings, root, part.files)
        _finish(settings, root, part, names, labels, files, summary)
        write_npy(groups, merge_groups(keys, part.pixel_digests))
        write_json(classes, names)


def prepare_test(settings, root, classes, images, labels, files, summary, threads: int = 1) -> None:
    """Write the test part; forms as in `prepare_train`, whose classes.json gives the labels their numbers.

    Raises InputError also where the classes are not those of the train part.
    """
    known = read_json(classes)
    found, items = sources.load(settings["source"]).read(settings, root, "test")
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise InputError(
            f"{_origin(settings, root)} has the class{'es' * (len(unknown) > 1)} {', '.join(unknown)} in its test part only; "
            f"the classes of the train part are {', '.join(known)}."
        )
    number = [known.index(name) for name in found]
    renumbered = ((name, number[label], load) for name, label, load in items)
    with atomic_write(images) as temporary:
        part = _write_part(settings, temporary, known, renumbered, threads)
        _finish(settings, root, part, known, labels, files, summary)


def to_array(image: Image.Image | np.ndarray, size: int | None, fit: str) -> np.ndarray:
    """(H, W, 3) uint8 of one image, resized to size x size unless `size` is None.

    "crop" scales the shorter side to `size` and cuts the centre, "stretch" ignores the aspect ratio. Bicubic, with
    Pillow's antialiasing. An image of that size already keeps its pixels.
    """
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8:
            raise ValueError(f"pixels are {image.dtype} instead of uint8")
        image = Image.fromarray(image)
    image = image.convert("RGB")
    if size is not None and image.size != (size, size):
        box = None
        if fit == "crop":
            width, height = image.size
            short = min(width, height)
            left, top = (width - short) / 2, (height - short) / 2
            box = (left, top, left + short, top + short)
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(image)


class _Part:
    """What is collected, image by image, while the pixels are written."""

    def __init__(self):
        self.files: list[str] = []
        self.labels: list[int] = []
        self.pixel_digests: list[bytes] = []
        self.corrupt: list[tuple[str, str]] = []  # (file, reason)
        self.shape: tuple[int, ...] | None = None
        self.sha256 = hashlib.sha256()


def _write_part(settings: dict, path: Path, classes: list[str], items: Iterable, threads: int) -> _Part:
    """Stream the images into `path` in the .npy format and return the rest."""
    if settings["fit"] not in FITS:
        raise InputError(f"fit: {settings['fit']!r} is unknown; valid are crop, stretch.")
    part = _Part()
    with path.open("wb") as stream:
        start = 0
        for name, label, array in _decoded(settings, items, threads):
            if isinstance(array, Exception):
                part.corrupt.append((name, str(array) or type(array).__name__))
                continue
            if part.shape is None:
                part.shape = array.shape
                start = _write_header(stream, 0, part.shape)
            elif array.shape != part.shape:
                raise InputError(
                    f"image_size: null, but {part.files[0]} has {_size(part.shape)} pixels and {name} has "
                    f"{_size(array.shape)}; give the size that all images are stored with."
                )
            pixels = array.tobytes()
            stream.write(pixels)
            part.sha256.update(pixels)
            part.pixel_digests.append(hashlib.blake2b(pixels, digest_size=16).digest())
            part.files.append(name)
            part.labels.append(label)
        _check_corrupt(settings, part)
        present = set(part.labels)
        missing = [name for number, name in enumerate(classes) if number not in present]
        if missing:
            without = f" ({len(part.corrupt)} corrupt ones were skipped)" if part.corrupt else ""
            raise InputError(
                f"The class {', '.join(missing[:SHOWN])} has no images{without}; every class needs some in "
                f"the train and in the test part."
            )
        stream.seek(0)
        # NumPy leaves room for a growing first dimension, so the header with the final count is as long as the first.
        if _write_header(stream, len(part.files), part.shape) != start:
            raise RuntimeError("NumPy's .npy header changed its length with the number of rows")
    return part


def _decoded(settings: dict, items: Iterable, threads: int) -> Iterator[tuple[str, int, np.ndarray | Exception]]:
    """(name, label, pixels or the exception) in the order of `items`, decoded by threads (Pillow releases the GIL)."""

    def decode(item) -> tuple[str, int, np.ndarray | Exception]:
        name, label, load = item
        return name, label, _load(name, load, settings)

    items = iter(items)
    with ThreadPoolExecutor(threads) if threads > 1 else contextlib.nullcontext() as pool:
        apply: Callable = pool.map if pool else map
        while window := list(itertools.islice(items, WINDOW * threads)):
            yield from apply(decode, window)


def _load(name: str, load: Callable, settings: dict) -> np.ndarray | Exception:
    try:
        return to_array(load(), settings["image_size"], settings["fit"])
    except MemoryError:
        raise
    except OSError as error:
        if error.errno is not None:  # the file system, not the image: skipping it would hide a broken disk
            raise InputError(f"{name} cannot be read: {error.strerror}; make it readable and start again.") from error
        return error
    except Exception as error:  # Pillow's plug-ins raise many types on a corrupt file; the reason is reported
        return error


def _check_corrupt(settings: dict, part: _Part) -> None:
    if settings["on_corrupt"] not in ("fail", "skip"):
        raise InputError(f"on_corrupt: {settings['on_corrupt']!r} is unknown; valid are fail, skip.")
    if not part.corrupt:
        return
    shown = "; ".join(f"{file} ({reason})" for file, reason in part.corrupt[:SHOWN])
    more = f" and {len(part.corrupt) - SHOWN} more" if len(part.corrupt) > SHOWN else ""
    count = len(part.corrupt)
    if settings["on_corrupt"] == "fail":
        raise InputError(
            f"{count} of {count + len(part.files)} images cannot be decoded: {shown}{more}; remove or repair them, or "
            f"set on_corrupt to skip."
        )
    print(f"Skipped {count} images that cannot be decoded: {shown}{more}.")


def _refuse_invisible(names: list[str], origin: str) -> None:
    """A class's name stands in figures, tables and terminals, where control characters would do what they say."""
    for name in names:
        if not name.isprintable():
            raise InputError(f"{origin} has the class {name!r}, whose name holds invisible characters; rename it.")


def _finish(settings: dict, root, part: _Part, classes: list[str], labels, files, summary) -> None:
    """Write labels, file names and summary of a part whose pixels are written."""
    numbers = np.array(part.labels, np.int64)
    pixels = part.sha256.hexdigest()
    part.sha256.update(numbers.tobytes())
    part.sha256.update(json.dumps([classes, part.shape]).encode())
    write_npy(labels, numbers)
    with atomic_write(files) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("id", "file"))
        table.writerows(enumerate(part.files))
    counts = np.bincount(numbers, minlength=len(classes)).tolist()
    write_json(
        summary,
        {
            "images": len(part.files),
            "size": list(part.shape[:2]),
            "per_class": dict(zip(classes, counts)),
            "digest": part.sha256.hexdigest(),
            "sha256": {"images": pixels, "labels": sha256_of_file(labels)},
            "skipped": [file for file, _ in part.corrupt],
            "source": {key: settings[key] for key in ORIGIN},
            "homepage": None,
            "licence": None,
            **sources.load(settings["source"]).about(settings),
        },
    )


def _write_header(stream, count: int, shape: tuple[int, ...]) -> int:
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.tell()


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _origin(settings: dict, root: str | os.PathLike | None) -> str:
    return settings["name"] or f"{root or settings['source']}"
