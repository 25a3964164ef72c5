"""A test set in folds: every image is tested once, by networks that were trained on the other folds.

The images of all folds are prepared once, and dealt out by class with groups and near duplicates kept whole. Each fold then becomes a data
set with a train and a test part of its own. What trains reads the train part, in which no test image of its fold is.
"""

import csv
import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ftbench.base.digests import digests_of_images, refuse_damaged, sha256_of_file
from ftbench.base.errors import InputError, listed
from ftbench.base.files import atomic_write, read_json, write_json, write_npy, write_npz
from ftbench.base.pixel_rows import PixelRows, write_header
from ftbench.data import cleaning as clean

FOLD_STREAM = 3  # of the split_seed, beside those of ftbench.data.split
COPIED = 1 << 26  # bytes of pixels that are copied at a time


def deal_folds(
    labels: str | os.PathLike,
    groups: str | os.PathLike,
    data: str | os.PathLike,
    settings: dict,
    out: str | os.PathLike,
    classes: str | os.PathLike,
    near: Callable[[np.ndarray], np.ndarray] | None = None,
) -> None:
    """Write `out`, a split.npz (see `ftbench.data.split.split_dataset`) of all images, with `fold` (N,) int64 from 1 on beside it.

    All rows are `train`, since each of them trains or validates in all folds but one, and `validation` is empty; every fold draws its own.
    `groups` are those of groups.npy with near duplicates joined, if `near` is given, which maps rows to their clusters. `settings` has
    test_folds, split_seed, group_duplicates and flip. Raises InputError where a fold would leave a class too few images to train on.
    """
    about, names = read_json(data), read_json(classes)
    refuse_damaged(labels, about["sha256"]["labels"])
    labels, groups = np.load(labels), np.load(groups)
    cleaning: dict = {"group_duplicates": near is not None, "drop_duplicates": False, "drop_label_issues": 0}
    rows = np.arange(len(labels))
    if near is not None:
        clusters = clean.loosen_whole_classes(labels, groups, near(rows), cleaning, names)
        groups = clean.join_near_duplicates(groups, rows, clusters, cleaning)
    else:
        print("near duplicates are not sought (group_duplicates: false): groups are the given ones, and equal pictures")
    fold = stratified_group_folds(labels, groups, settings["test_folds"], settings["split_seed"], names)
    write_npz(
        out,
        train=rows.astype(np.int64),
        validation=np.zeros(0, np.int64),
        labels=labels.astype(np.int64),
        groups=groups.astype(np.int64),
        fold=fold,
        classes=np.int64(len(names)),
        digest=np.str_(about["digest"]),
        images_sha256=np.str_(about["sha256"]["images"]),
        cleaning=np.str_(json.dumps(cleaning, sort_keys=True)),
    )
    for number in range(1, settings["test_folds"] + 1):
        counts = np.bincount(labels[fold == number], minlength=len(names))
        print(f"fold {number}: {counts.sum():,} images are tested, {counts.min():,} to {counts.max():,} of a class")


def stratified_group_folds(
    labels: np.ndarray, groups: np.ndarray, folds: int, seed: int, names: list[str]
) -> np.ndarray:
    """(N,) int64, the fold of each image, 1 ... `folds`: classes in the same shares as far as groups allow, no group in two folds.

    scikit-learn's StratifiedGroupKFold deals the groups, those of the most uneven classes first, each to the fold that stays the most
    even. Raises InputError with fewer groups than folds, and where what is left beside a fold has a class without two groups: each fold's
    training part needs an image to train on and one to validate.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # slow to import

    of_class = [np.unique(groups[labels == number]) for number in range(len(names))]
    if len(np.unique(groups)) < folds or max(map(len, of_class)) < folds:
        raise InputError(
            f"test_folds: {folds}, but no class has images of so many different groups (the largest number is {max(map(len, of_class))}, "
            "duplicates are one group); give fewer folds, or more images."
        )
    state = int(np.random.default_rng([seed, FOLD_STREAM]).integers(2**31))
    dealt = StratifiedGroupKFold(folds, shuffle=True, random_state=state)
    fold = np.zeros(len(labels), np.int64)
    if few := [name for name, own in zip(names, of_class) if len(own) < folds]:
        print(f"{listed(few)}: fewer than {folds} groups of images, so that not every fold tests the class")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer images than folds
        for number, (_, tested) in enumerate(dealt.split(np.zeros((len(labels), 1)), labels, groups), start=1):
            fold[tested] = number
    for number in range(1, folds + 1):
        short = [name for name, own in zip(names, of_class) if len(np.setdiff1d(own, groups[fold == number])) < 2]
        if short:
            raise InputError(
                f"test_folds: {folds}, but beside fold {number} fewer than 2 different groups are left of the class {listed(short)}, and each "
                "class needs one to train on and one to validate (duplicates are one group); add images of it, or leave it out."
            )
    return fold


def rows_of_fold(fold: np.ndarray, number: int, part: str) -> np.ndarray:
    """Sorted row numbers of all images that a fold tests (part "test"), or that it trains and validates with ("train")."""
    return np.flatnonzero(fold == number if part == "test" else fold != number)


def write_part_of_fold(given: dict, number: int | None, part: str, out: dict) -> None:
    """Write part "train" or "test" of a fold, or with `number` None all images as a test part, as `ftbench.data.prepare` writes a part.

    `given` are the files of all images: images, labels, files, metadata, summary, classes and split, that of `deal_folds`. `out` are those
    to write: images, labels, groups, files, metadata, summary, and classes if there are any. Groups are numbered as in the split.
    """
    split, about, names = np.load(given["split"]), read_json(given["summary"]), read_json(given["classes"])
    rows = np.arange(len(split["fold"])) if number is None else rows_of_fold(split["fold"], number, part)
    numbers = split["labels"][rows]
    pixels, size = _copy_pixels(given["images"], rows, out["images"])
    sha256, whole = digests_of_images(pixels, numbers, names, size)
    write_npy(out["labels"], numbers)
    write_npy(out["groups"], split["groups"][rows])
    for table in ("files", "metadata"):
        _copy_rows(given[table], rows, out[table])
    if "classes" in out:
        write_json(out["classes"], names)
    counts = np.bincount(numbers, minlength=len(names)).tolist()
    said_once = {"given_validation": 0, "skipped": [], "skipped_for": [], "remarks": {}}  # of the file of all images
    own = {
        "images": len(rows),
        "per_class": dict(zip(names, counts)),
        "digest": whole,
        "sha256": {"images": sha256, "labels": sha256_of_file(out["labels"])},
    }
    write_json(out["summary"], about | said_once | own)
    print(f"{len(rows):,} of {len(split['fold']):,} images, {min(counts):,} to {max(counts):,} of a class")


def _copy_pixels(source: str, rows: np.ndarray, path: str) -> tuple:
    """The sha256 of the pixels that are written, and the shape of an image."""
    stored, digest = PixelRows(source), hashlib.sha256()
    shape = stored[:1].shape[1:]
    step = max(1, COPIED // int(np.prod(shape)))
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        write_header(stream, len(rows), shape)
        for first in range(0, len(rows), step):
            pixels = stored[rows[first : first + step]].tobytes()
            digest.update(pixels)
            stream.write(pixels)
    return digest, shape


def _copy_rows(table: str, rows: np.ndarray, path: str) -> None:
    """Rows of a CSV whose first column, id, is numbered anew from 0."""
    with Path(table).open(newline="", encoding="utf-8") as stream:
        header, *lines = csv.reader(stream)
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows((new, *lines[row][1:]) for new, row in enumerate(rows.tolist()))
