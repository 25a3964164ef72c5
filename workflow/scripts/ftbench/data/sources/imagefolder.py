"""A folder of your own images, with one folder per class.

Either <root>/train/<class>/... and <root>/test/<class>/..., or <root>/<class>/... . Everything below a class folder belongs to the
class. Which folders are parts and classes says `ftbench.study.folders.folder_layout`, which files are images `ftbench.base.given.walk`: what is
hidden, left behind by the system or no image is passed over and counted. Any format that Pillow opens is read. The order is that of
the sorted paths, whatever the file system says.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.given.user_csv import FileNames
from ftbench.base.given.walk import walk
from ftbench.data.decode.open_image import MAX_PIXELS, open_pixels, open_rgb
from ftbench.data.groups import groups_of_images, merge_groups, shared_groups
from ftbench.data.sources import OF_FOLDERS, require_part
from ftbench.data.split import TEST_STREAM, stratified_group_split
from ftbench.study.folders.folder_layout import Layout, layout

DECLARES = {
    "needs": "path",
    "options": ["groups", "test_fraction", "test_folds", "validation", "parts", "include", "exclude", "range"],
    "download": False,
    "listing": "folder",
    "sizes": {},  # counted in the folder
}
UNSAID = {
    **OF_FOLDERS,
    "ungrouped": "refuse",
    "group_leaks": "refuse",
    "max_pixels": MAX_PIXELS,
}  # as the schema has them
__all__ = ["about", "archives", "counts", "group_keys", "open_rgb", "read", "remarks"]


def archives(settings: dict) -> list[dict]:
    return []


def about(settings: dict) -> dict:
    return {}


def read(settings: dict, root: str | Path, part: str) -> tuple[list[str], Iterator]:
    """Classes and items of one part; names are paths relative to `root`, images come as `ftbench.data.decode.open_image.Opened`.

    With `test_folds` all images are train. Without a test part it is drawn by `test_fraction`, the same for both calls: stratified by class, with the groups of the `groups`
    table and files of equal bytes kept together. Only bytes are compared for that: no image is decoded. "validation" is the
    folder's own validation part, with `validation: given`.

    Raises InputError on a missing root, a layout that `folder_layout` refuses, a table that names other images, and groups in several
    parts.
    """
    folder = _Folder(settings, root)
    require_part(part, own_validation=folder.settings["validation"] == "given")
    files = folder.layout.files.get(part, [])
    if folder.settings["test_fraction"] is not None and part != "validation":
        files = folder.drawn(part)
    limit = folder.settings["max_pixels"]
    return folder.layout.classes, (
        (name, label, lambda name=name: open_pixels(folder.root / name, limit)) for name, label in files
    )


def counts(settings: dict, root: str | Path) -> tuple[dict[str, int], int]:
    """({part: images}, classes), without a test part that is yet to be drawn."""
    folder = _Folder(settings, root)
    return {part: len(files) for part, files in folder.layout.files.items()}, len(folder.layout.classes)


def group_keys(settings: dict, root: str | Path, names: list[str]) -> list[str | None]:
    """The group of each file from the `groups` table; a file that it does not list has None, a group of its own.

    The table may write a file of train/ and test/ with or without that first folder. Raises InputError where it lists a
    file that does not exist.
    """
    if settings.get("groups") is None:
        return [None] * len(names)
    groups = _Folder(settings, root).groups
    return [groups.get(name) for name in names]


def remarks(settings: dict, root: str | Path) -> dict:
    """{"notes": sentences on what was taken for what and what is not used, "left_out": {reason: files and folders}}."""
    folder = _Folder(settings, root)
    return {"notes": folder.layout.notes, "left_out": dict(sorted(folder.layout.left_out.items()))}


class _Folder:
    """The folder of a data set's entry, walked: its layout and the groups of its images."""

    def __init__(self, settings: dict, root: str | Path):
        self.settings = settings = UNSAID | settings
        self.root = Path(root)
        if not self.root.is_dir():
            raise InputError(
                f"path: {root} is not a folder; give the folder that holds the class folders or train and test."
            )
        found = walk(root, settings["include"], settings["exclude"])
        self.layout: Layout = layout(found, settings)
        self.groups = self._groups([name for name, _ in found.files]) if settings["groups"] is not None else {}

    def drawn(self, part: str) -> list[tuple[str, int]]:
        """The images of part "train" or "test", which divide the folder's train part by `test_fraction`."""
        files = self.layout.files["train"]
        names = [name for name, _ in files]
        in_test = stratified_group_split(
            np.array([label for _, label in files]),
            merge_groups([self.groups.get(name) for name in names], _equal_bytes(self.root, names)),
            self.settings["test_fraction"],
            np.random.default_rng([self.settings["split_seed"], TEST_STREAM]),
            key="test_fraction",
            names=("train", "test"),
            classes=self.layout.classes,
        )
        return [file for file, test in zip(files, in_test) if test == (part == "test")]

    def _groups(self, every: list[str]) -> dict[str, str]:
        table = Path(self.settings["groups"])
        places = [place for place in self.layout.places.values() if place]
        known = FileNames(every, self.root, places, (table.parent, Path()))
        bases = (self.root, *(self.root / place for place in places), table.parent)
        groups, unread = groups_of_images(table, known, lambda file: any((base / file).exists() for base in bases))
        if unread:
            self.layout.notes.append(f"{unread:,} rows of {table} name files that are not read as images")
        if known.shortened:
            self.layout.notes.append(
                f"{known.shortened:,} rows of {table} leave out the part and fit an image of several: they are taken for {places[0]}"
            )
        self._check_unlisted(table, groups)
        self._check_shared(table, groups)
        return groups

    def _check_unlisted(self, table: Path, groups: dict[str, str]) -> None:
        """An image that no row names is refused if it is to be split, or said."""
        for part, files in self.layout.files.items():
            unlisted = [name for name, _ in files if name not in groups]
            if not unlisted:
                continue
            said = f"{table} names no group for {len(unlisted):,} of {len(files):,} images of {part}, such as {unlisted[0]}"
            if part != "test" and self.settings["ungrouped"] == "refuse":
                raise InputError(f"groups: {said}; add them, or set ungrouped: allow, and each is a group of its own.")
            self.layout.notes.append(f"{said}: each is a group of its own")

    def _check_shared(self, table: Path, groups: dict[str, str]) -> None:
        """A group in two of the folder's own parts is a leak."""
        parts = {part: [name for name, _ in files] for part, files in self.layout.files.items()}
        for (one, other), shared in shared_groups(groups, parts).items():
            group, first, second = shared[0]
            said = f"{len(shared):,} groups of {table} stand in {one} and in {other}, such as {group} ({first} and {second})"
            if self.settings["group_leaks"] == "refuse":
                raise InputError(
                    f"groups: {said}; move each to one side, or set group_leaks: allow to score with this leak."
                )
            self.layout.notes.append(f"LEAK: {said} (group_leaks: allow)")


def _equal_bytes(root: Path, names: list[str]) -> list[str | None]:
    """Per file the digest of its bytes, None where no other file has its size and so none can be equal."""
    sizes = [(root / name).stat().st_size for name in names]
    shared = Counter(sizes)
    return [
        hashlib.sha256((root / name).read_bytes()).hexdigest() if shared[size] > 1 else None
        for name, size in zip(names, sizes)
    ]
