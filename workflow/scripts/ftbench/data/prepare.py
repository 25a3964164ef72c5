"""Turn a source of images into the one form that everything after it reads: a uint8 array with labels.

images.npy is written image by image, so the memory needed does not grow with the data set. The test part is another job
with other files: nothing that trains or selects depends on it.
"""

import csv
import os
from pathlib import Path

import numpy as np

from ftbench.base.digests import digests_of_images, sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, read_json, write_json, write_npy
from ftbench.data import sources
from ftbench.data.contradictions import contradictory
from ftbench.data.decode import fit
from ftbench.data.decode.write_images import Item, NeedsRange, Part, measure_range, write_part
from ftbench.data.groups import merge_groups
from ftbench.data.remarks import say

# Settings that are kept in the summary.
ORIGIN = (
    *("source", "name", "path", "image_size", "fit", "test_fraction", "groups", "on_corrupt"),
    *("validation", "parts", "include", "exclude", "range", "max_pixels", "images", "columns"),
)


def prepare_train(
    settings, root, images, labels, groups, classes, files, summary, threads: int = 1, metadata=None
) -> None:
    """Write the train part (which the study later divides into train and validation).

    images (N, H, W, 3) uint8, labels (N,) int64, groups (N,) int64: .npy. Images of a group must not be split: listed
    together by the user or with equal pixels. classes: JSON list of names. files: CSV with the columns id, file, content (a digest of the
    decoded pixels, before they are resized), width, height (of these). metadata: CSV with the column id and the further columns of the user's table, a row for each of files, if given.
    summary: JSON with images, size, per_class, digest (of pixels, labels and classes), sha256 (images: of the pixels
    alone; labels: of the file), given_validation (how many of the last rows are the source's own validation part), range (black and
    white of values of more than 8 bits), skipped (files) and skipped_for (their reasons), contradictory, notes, left_out, remarks, source, homepage and licence as far as known.

    Raises InputError on fewer than 2 classes, a class without images, sizes that differ without an `image_size`, and
    with `on_corrupt: fail` on corrupt images.
    """
    source = sources.load(settings["source"])
    fit.known(settings["fit"])
    names, items = source.read(settings, root, "train")
    items = list(items)
    own = {name for name, _, _ in items}
    if settings["validation"] == "given":
        items += source.read(settings, root, "validation")[1]
    if len(names) < 2:
        raise InputError(f"{_origin(settings, root)} has the one class {', '.join(names)}; a study needs 2 or more.")
    _refuse_invisible(names, _origin(settings, root))
    with atomic_write(images) as temporary:
        part, low_high, stretched = _written(settings, temporary, names, items, threads)
        given = sum(file not in own for file in part.files)
        more = {"given_validation": given, "range_without_outliers": stretched}
        _finish(settings, root, "train", part, names, labels, files, summary, low_high, more)
        _write_metadata(settings, root, part.files, metadata)
        keys = source.group_keys(settings, root, part.files)
        write_npy(groups, merge_groups(keys, part.pixel_digests))
        write_json(classes, names)


def prepare_test(
    settings, root, classes, images, labels, files, summary, threads: int = 1, train=None, metadata=None, groups=None
) -> None:
    """Write the test part; forms as in `prepare_train`, whose classes.json gives the labels their numbers. `groups` is left out if None.

    `train` is train.json: values of more than 8 bits are scaled as there. Raises InputError also where the classes are not those
    of the train part.
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
    renumbered = [(name, number[label], load) for name, label, load in items]
    low_high = settings["range"] or (None if train is None else read_json(train)["range"])
    with atomic_write(images) as temporary:
        try:
            part = write_part(settings, temporary, known, renumbered, threads, low_high)
        except NeedsRange as error:
            raise InputError(
                f"range: null, and the test image {error} has more than 8 bits, but no training image has; give [low, high], the values of "
                "black and white."
            ) from error
        _finish(settings, root, "test", part, known, labels, files, summary, low_high, {})
        _write_metadata(settings, root, part.files, metadata)
        if groups is not None:
            keys = sources.load(settings["source"]).group_keys(settings, root, part.files)
            write_npy(groups, merge_groups(keys, part.pixel_digests))


def _written(
    settings: dict, path: Path, classes: list[str], items: list[Item], threads: int
) -> tuple[Part, list | None, list | None]:
    """The train part, its range of values of more than 8 bits, and a narrower one if outliers stretch it; None if there are no such."""
    try:
        part = write_part(settings, path, classes, items, threads, settings["range"])
        return part, settings["range"] if part.deep else None, None
    except NeedsRange:
        low_high, stretched = measure_range(items, threads)
    return (
        write_part(settings, path, classes, items, threads, low_high),
        list(low_high),
        stretched and list(stretched),
    )


def _refuse_invisible(names: list[str], origin: str) -> None:
    """A class's name stands in figures, tables and terminals, where control characters would do what they say."""
    for name in names:
        if not name.isprintable():
            raise InputError(f"{origin} has the class {name!r}, whose name holds invisible characters; rename it.")


def _finish(settings, root, name, part: Part, classes: list[str], labels, files, summary, low_high, more: dict) -> None:
    """Write labels, file names and summary of a part whose pixels are written, and say what is in it."""
    numbers = np.array(part.labels, np.int64)
    pixels, whole = digests_of_images(part.sha256, numbers, classes, part.shape)
    write_npy(labels, numbers)
    with atomic_write(files) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("id", "file", "content", "width", "height"))
        rows = zip(range(len(part.files)), part.files, part.contents, part.sizes)
        table.writerows((number, file, content, *size) for number, file, content, size in rows)
    counts = np.bincount(numbers, minlength=len(classes)).tolist()
    source = sources.load(settings["source"])
    described = {
        "images": len(part.files),
        "size": list(part.shape[:2]),
        "per_class": dict(zip(classes, counts)),
        "digest": whole,
        "sha256": {"images": pixels, "labels": sha256_of_file(labels)},
        "skipped": [file for file, _ in part.corrupt],
        "skipped_for": [reason for _, reason in part.corrupt],
        "range": low_high,
        "deep": part.deep,
        "outside": {key: int(part.outside[key]) for key in ("images", "values")},
        "brightest": part.brightest,
        "remarks": dict(sorted(part.remarks.items())),
        "contradictory": contradictory(part.pixel_digests, part.labels, part.files, classes),
        **more,
        **source.remarks(settings, root),
        "source": {key: settings[key] for key in ORIGIN},
        "homepage": None,
        "licence": None,
        **source.about(settings),
    }
    say(name, described)
    write_json(summary, described)


def _write_metadata(settings, root, files: list[str], path) -> None:
    """The further columns of the stored images, as text; of a source without any, the ids alone."""
    if path is None:
        return
    source = sources.load(settings["source"])
    columns = source.metadata(settings, root, files) if hasattr(source, "metadata") else {}
    names = [f"{name}." if name == "id" else name for name in columns]  # the id is ours
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("id", *names))
        table.writerows(zip(range(len(files)), *columns.values()))


def _origin(settings: dict, root: str | os.PathLike | None) -> str:
    return settings["name"] or f"{root or settings['source']}"
