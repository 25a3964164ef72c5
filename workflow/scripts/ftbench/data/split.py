"""Stratified splits that keep groups whole: train against validation, and a folder's train against test.

One seed of the data (`split_seed`) fixes all of it and is separate from the training seeds, so every strategy and every
seed of a study selects on the same images. Each use of that seed has a stream of its own.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ftbench.base.digests import digest_of_arrays, refuse_damaged
from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_npz
from ftbench.data import cleaning as clean

TEST_STREAM, LIMIT_STREAM, VALIDATION_STREAM = 0, 1, 2


def split_dataset(
    labels: str | os.PathLike,
    groups: str | os.PathLike,
    data: str | os.PathLike,
    settings: dict,
    out: str | os.PathLike,
    classes: str | os.PathLike | None = None,
    near: Callable[[np.ndarray], np.ndarray] | None = None,
    suspects: np.ndarray | None = None,
) -> None:
    """Write `out` (npz): `train` and `validation`, sorted int64 row numbers of images.npy, and what else a job that trains wants
    to know of the images: `labels` and `groups` (N,) int64, `classes`, how many there are, two hex sha256, `digest` of pixels,
    labels and classes, `images_sha256` of the pixels alone, and `cleaning`, a JSON text of what was kept together and left out.

    labels, groups: .npy files, (N,) int64 each; data: train.json; classes: classes.json, for the names in messages. `settings`
    needs train_limit, validation_fraction, split_seed and the keys of `ftbench.data.cleaning`. With train_limit k, k images per
    class (all of a smaller class) are kept for train + validation together; limits of one seed are nested, so 100 images per class
    contain those of 10. Rows that no part uses appear in neither. If train.json says that its last rows are a validation part that
    was given, that part validates. `near` maps rows (K,) to their clusters (K,) of near duplicates. `suspects` are rows with
    suspected labels, the worst first.

    Raises InputError where a class cannot have an image on both sides, and where `labels` is damaged.
    """
    about = read_json(data)
    refuse_damaged(labels, about["sha256"]["labels"])
    labels, groups = np.load(labels), np.load(groups)
    names = None if classes is None else read_json(classes)
    cleaning: dict = {key: settings[key] for key in clean.KEYS}
    rows, chosen, groups = _parts(labels, groups, about.get("given_validation", 0), settings, names, near, cleaning)
    train, validation = rows[~chosen], rows[chosen]
    if settings["drop_label_issues"]:
        before = train
        train = clean.without_suspects(train, suspects, settings["drop_label_issues"], cleaning)
        clean.check_left(labels[before], labels[train], f"drop_label_issues: {settings['drop_label_issues']}", names)
    write_npz(
        out,
        train=train.astype(np.int64),
        validation=validation.astype(np.int64),
        labels=labels.astype(np.int64),
        groups=groups.astype(np.int64),
        classes=np.int64(len(about["per_class"])),
        digest=np.str_(about["digest"]),
        images_sha256=np.str_(about["sha256"]["images"]),
        cleaning=np.str_(json.dumps(cleaning, sort_keys=True)),
    )


def _parts(labels, groups, given: int, settings: dict, names, near, cleaning: dict) -> tuple:
    """(rows that are used, bool per row: whether it validates, groups of all images)."""
    limit, seed = settings["train_limit"], settings["split_seed"]
    if limit is not None and limit < 2:
        raise InputError(f"train_limit: {limit} images per class cannot fill train and validation; give 2 or more.")
    rng = np.random.default_rng([seed, LIMIT_STREAM])
    if given:
        rows, validates = given_split(labels, given, limit, rng, names)
    else:
        rows = np.arange(len(labels)) if limit is None else limit_per_class(labels, limit, rng)
        validates = None
    clusters = near(rows) if near else None
    if clusters is not None and settings["drop_duplicates"]:
        stays = clean.one_of_each(rows, clusters, validates, cleaning)
        clean.check_left(labels[rows], labels[rows[stays]], "drop_duplicates: true", names)
        rows, clusters, validates = rows[stays], clusters[stays], None if validates is None else validates[stays]
    joined = groups
    if clusters is not None and settings["group_duplicates"] and not settings["drop_duplicates"]:
        if not given:
            clusters = clean.loosen_whole_classes(labels[rows], groups[rows], clusters, cleaning, names)
        joined = clean.join_near_duplicates(groups, rows, clusters, cleaning)
    if given:
        _say_leaks(joined, rows, validates)
        return rows, validates, joined
    chosen = _held_out(labels[rows], joined[rows], settings, names)
    if joined is not groups:
        same = np.array_equal(joined, groups)
        clean.say_what_is_kept_together(
            clusters, chosen if same else _held_out(labels[rows], groups[rows], settings, names), cleaning
        )
    return rows, chosen, joined


def _held_out(labels: np.ndarray, groups: np.ndarray, settings: dict, names: list[str] | None) -> np.ndarray:
    return stratified_group_split(
        labels,
        groups,
        settings["validation_fraction"],
        np.random.default_rng([settings["split_seed"], VALIDATION_STREAM]),
        key="validation_fraction",
        names=("train", "validation"),
        classes=names,
    )


def given_split(
    labels: np.ndarray,
    given: int,
    limit: int | None,
    rng: np.random.Generator,
    classes: list[str] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, bool per row: whether it validates) if the last `given` rows are the data set's own validation part.

    A `limit` keeps each class's share of validation images. Raises InputError where a class has no image on one side.
    """
    validates = np.arange(len(labels)) >= len(labels) - given
    kept = []
    for label in np.unique(labels):
        train, validation = (
            rng.permutation(np.flatnonzero((labels == label) & side)) for side in (~validates, validates)
        )
        if not len(train) or not len(validation):
            raise InputError(
                f"validation: given, but class {_name(label, classes)} has no image in {'validation' if len(train) else 'train'}; each "
                "class needs one in both."
            )
        if limit is not None:
            own = min(
                len(validation), max(1, _round(limit * len(validation) / (len(train) + len(validation)))), limit - 1
            )
            train, validation = train[: limit - own], validation[:own]
        kept += [train, validation]
    rows = np.sort(np.concatenate(kept))
    return rows, validates[rows]


def _say_leaks(groups: np.ndarray, rows: np.ndarray, validates: np.ndarray) -> None:
    both = np.intersect1d(groups[rows[~validates]], groups[rows[validates]])
    if len(both):
        print(
            f"LEAK: {len(both):,} groups (of the table, or of equal pictures) stand in train and in the given validation part."
        )


def limit_per_class(labels: np.ndarray, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted numbers of at most `limit` random rows per class; a smaller limit's rows are a subset of a larger's."""
    kept = [rng.permutation(np.flatnonzero(labels == label))[:limit] for label in np.unique(labels)]
    return np.sort(np.concatenate(kept))


def stratified_group_split(
    labels: np.ndarray,
    groups: np.ndarray,
    fraction: float,
    rng: np.random.Generator,
    key: str,
    names: tuple[str, str],
    classes: list[str] | None = None,
) -> np.ndarray:
    """(N,) bool: the rows of the smaller part, about `fraction` of every class, no group on both sides.

    The target of a class with n images is round(fraction * n), at least 1 and at most n - 1. Groups are visited in
    random order and taken when that brings the counts of their classes closer to the targets in sum. So a class whose
    groups are single images meets its target exactly, and one whose groups hold only its own images misses it by at
    most half of its largest group (unless that would leave a part without the class). scikit-learn's
    StratifiedGroupKFold can only give 1/k of the groups, too coarse for a fraction, and puts no class bound on either
    part.

    `key` is the setting that the messages name, `names` the two parts (larger, smaller), `classes` the names of the
    labels (default: their numbers). Raises InputError where a class cannot be on both sides.
    """
    if not 0 < fraction < 1:
        raise InputError(f"{key}: {fraction} is outside of 0 to 1; give a share of the images such as 0.1.")
    members: dict[int, Counter] = defaultdict(Counter)  # group -> {class: images}
    for group, label in zip(groups.tolist(), labels.tolist()):
        members[group][label] += 1
    totals = Counter(labels.tolist())
    _check_splittable(totals, members, names, classes)
    target = {label: min(max(_round(fraction * n), 1), n - 1) for label, n in totals.items()}

    taken: set[int] = set()
    counts: Counter = Counter()
    order = sorted(members)
    for index in rng.permutation(len(order)).tolist():
        inside = members[order[index]]
        gain = sum(abs(target[c] - counts[c]) - abs(target[c] - counts[c] - k) for c, k in inside.items())
        if gain > 0:
            taken.add(order[index])
            counts.update(inside)

    # Large groups can leave a class on one side only: move its smallest group over.
    for label in sorted(totals):
        if counts[label] in (0, totals[label]):
            moved = min((g for g in order if label in members[g]), key=lambda g: (members[g].total(), g))
            taken ^= {moved}
            counts = sum((members[g] for g in taken), Counter())
    for label in sorted(totals):
        if counts[label] in (0, totals[label]):
            raise InputError(
                f"{key}: at {fraction}, all {totals[label]} images of class {_name(label, classes)} end up in "
                f"{names[counts[label] > 0]} because groups may not be cut; change {key} or use smaller groups."
            )
    return np.isin(groups, np.fromiter(taken, np.int64, len(taken)))


def _check_splittable(totals: Counter, members: dict[int, Counter], names: tuple[str, str], classes) -> None:
    group_counts = Counter(label for inside in members.values() for label in inside)
    for label, images in sorted(totals.items()):
        if group_counts[label] < 2:
            where = "one group" if images > 1 else "total"
            raise InputError(
                f"Class {_name(label, classes)} has {images} {'image' if images == 1 else 'images'} in {where}; "
                f"{names[0]} and {names[1]} need one each, from 2 different groups (duplicates are one group)."
            )


def _round(value: float) -> int:
    return int(value + 0.5)  # Python's own rounds halves to even: 0.5 images would be 0


def _name(label: int, classes: list[str] | None) -> str:
    return f"number {label}" if classes is None else classes[label]


def training_rows(split: str | Path) -> np.ndarray:
    """The rows of images.npy that a study may see before the test: train and validation together, sorted."""
    parts = np.load(split)
    return np.sort(np.concatenate([parts["train"], parts["validation"]]))


def cleaning_of(parts) -> dict | None:
    """What a split.npz says of duplicates and suspected labels: the keys of the config, and how many images they concern."""
    return json.loads(str(parts["cleaning"])) if "cleaning" in parts else None


def digest_of_split(parts) -> str:
    """Hex sha256 over which images of a split.npz train and which validate."""
    return digest_of_arrays({name: parts[name] for name in ("train", "validation")})
