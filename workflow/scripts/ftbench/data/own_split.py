"""A validation part for one seed, of the same images and groups as the data set's own split.

Which images train and validate together, what counts as one group and what was left out stays as the split of the data set says it, so that
features and statistics of these images are shared by all seeds. Drawn anew is only which of them validate.
"""

import os
from pathlib import Path

import numpy as np

from ftbench.base.files import read_json, write_npz
from ftbench.data.split import VALIDATION_STREAM, digest_of_split, stratified_group_split
from ftbench.study.paths import OWN_SPLITS


def split_for_seed(
    split: str | os.PathLike, classes: str | os.PathLike, settings: dict, out: str | os.PathLike
) -> None:
    """Write `out`, a split.npz with other `train` and `validation` (see `ftbench.data.split.split_dataset`), all else as in `split`.

    `settings` has validation_fraction, split_seed and seed; `classes` is classes.json, for the names in messages. Raises InputError
    where a class cannot have an image on both sides.
    """
    parts = dict(np.load(split))
    rows = np.sort(np.concatenate([parts["train"], parts["validation"]]))
    own = settings["seed"] + 1  # numpy takes [a, b, 0] for [a, b], the data set's own split
    validates = stratified_group_split(
        parts["labels"][rows],
        parts["groups"][rows],
        settings["validation_fraction"],
        np.random.default_rng([settings["split_seed"], VALIDATION_STREAM, own]),
        key="validation_fraction",
        names=("train", "validation"),
        classes=read_json(classes),
    )
    write_npz(out, **(parts | {"train": rows[~validates], "validation": rows[validates]}))
    both = len(np.intersect1d(rows[validates], parts["validation"]))
    print(f"{validates.sum():,} of {len(rows):,} images validate, {both:,} of them in the data set's own split too")


def split_of_run(data: Path, run: str, digest: str) -> Path | None:
    """The split that run "seed<k>" was trained on, in the folder of its data set: its own or that of all; None if neither has this digest."""
    for path in (data / OWN_SPLITS / f"{run}.npz", data / "split.npz"):
        if path.is_file() and digest_of_split(np.load(path)) == digest:
            return path
    return None
