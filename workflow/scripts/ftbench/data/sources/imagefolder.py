"""A folder of your own images, with one folder per class.

Either <root>/train/<class>/... and <root>/test/<class>/..., or <root>/<class>/... . Everything below a class folder belongs to the class. Hidden files and folders are ignored, and so is what lies beside
train/ and test/ or beside the class folders without being a folder. Any format that Pillow opens is read. The order is
that of the sorted paths, whatever the file system says.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ftbench.base.errors import InputError
from ftbench.data.groups import merge_groups, read_groups
from ftbench.data.sources import require_part
from ftbench.data.split import TEST_STREAM, stratified_group_split

DECLARES = {
    "needs": "path",
    "options": ["groups", "test_fraction"],
    "download": False,
    "listing": True,
    "sizes": {},  # counted in the folder
}
PARTS = ("train", "test")


def archives(settings: dict) -> list[dict]:
    return []


def about(settings: dict) -> dict:
    return {}


def read(settings: dict, root: str | Path, part: str) -> tuple[list[str], Iterator]:
    """Classes and items of one part; names are paths relative to `root`, images come as PIL RGB (see `open_rgb`).

    Without train/ and test/ the part is drawn by `test_fraction`, the same for both calls: stratified by class, with
    the groups of the `groups` table and files of equal bytes kept together. Only bytes are compared for that: no image
    is decoded.

    Raises InputError on a missing root, a missing or empty class folder, classes that differ between train and test,
    and a `test_fraction` that is missing or superfluous.
    """
    require_part(part)
    root = Path(root)
    if not root.is_dir():
        raise InputError(
            f"path: {root} is not a folder; give the folder that holds the class folders or train and test."
        )
    present = [name for name in PARTS if (root / name).is_dir()]
    if len(present) == 1:
        other = PARTS[1 - PARTS.index(present[0])]
        raise InputError(
            f"path: {root} has a folder {present[0]} and no folder {other}; give both, or put the class folders "
            f"directly into {root} and set test_fraction."
        )
    if present:
        classes, files = _read_parts(settings, root, part)
    else:
        classes, files = _draw_part(settings, root, part)
    return classes, ((name, label, lambda name=name: open_rgb(root / name)) for name, label in files)


def _read_parts(settings: dict, root: Path, part: str) -> tuple[list[str], list[tuple[str, int]]]:
    if settings["test_fraction"] is not None:
        raise InputError(
            f"test_fraction: {settings['test_fraction']} is given, but {root} has a folder test of its own; set it "
            f"to null."
        )
    folders = {name: class_folders(root / name) for name in PARTS}
    for one, other in (PARTS, PARTS[::-1]):
        lacking = sorted(set(folders[one]) - set(folders[other]))
        if lacking:
            raise InputError(
                f"path: {root / one} has the class{'es' * (len(lacking) > 1)} {', '.join(lacking)}, which {root / other} lacks; "
                f"both need the same class folders."
            )
    classes = folders[part]
    files = [
        (f"{part}/{name}", label) for label, folder in enumerate(classes) for name in class_files(root / part, folder)
    ]
    return classes, files


def _draw_part(settings: dict, root: Path, part: str) -> tuple[list[str], list[tuple[str, int]]]:
    classes = class_folders(root)
    if settings["test_fraction"] is None:
        raise InputError(
            f"test_fraction: null, but {root} has no folders train and test; give the share of the images that the "
            f"test part gets, such as 0.2."
        )
    files = [(name, label) for label, folder in enumerate(classes) for name in class_files(root, folder)]
    names = [name for name, _ in files]
    groups = merge_groups(group_keys(settings, root, names), _equal_bytes(root, names))
    in_test = stratified_group_split(
        np.array([label for _, label in files]),
        groups,
        settings["test_fraction"],
        np.random.default_rng([settings["split_seed"], TEST_STREAM]),
        key="test_fraction",
        names=PARTS,
        classes=classes,
    )
    return classes, [file for file, test in zip(files, in_test) if test == (part == "test")]


def group_keys(settings: dict, root: str | Path, names: list[str]) -> list[str | None]:
    """The group of each file from the `groups` table; a file that it does not list has None, a group of its own.

    The table may write a file of train/ and test/ with or without that first folder. Raises InputError where it lists a
    file that does not exist.
    """
    if settings["groups"] is None:
        return [None] * len(names)
    root, table = Path(root), read_groups(settings["groups"])
    prefixes = ["", *(f"{name}/" for name in PARTS if (root / name).is_dir())]
    absent = [file for file in table if not any((root / f"{prefix}{file}").is_file() for prefix in prefixes)]
    if absent:
        raise InputError(
            f"groups: {settings['groups']} lists {absent[0]}{_and_more(absent, 1)}, which is not below {root}; "
            f"write paths relative to that folder, such as {names[0]}."
        )
    short = {name: name.partition("/")[2] if len(prefixes) > 1 else name for name in names}
    return [table.get(name, table.get(short[name])) for name in names]


def class_folders(folder: Path) -> list[str]:
    """Sorted names of the class folders. Raises InputError where there are none."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise InputError(f"path: {folder} holds no class folders; give each class a folder of its images.")
    return [_readable(name, folder) for name in names]


def class_files(folder: Path, name: str) -> list[str]:
    """Sorted paths, relative to `folder`, of all files at any depth of a class folder. Raises InputError if empty."""
    found, visited = [], set()
    for place, folders, files in os.walk(folder / name, followlinks=True):
        if (real := os.path.realpath(place)) in visited:  # a link that leads back up would never end
            folders.clear()
            continue
        visited.add(real)
        folders[:] = [entry for entry in folders if not entry.startswith(".")]
        below = Path(place).relative_to(folder)
        found += [(below / file).as_posix() for file in files if not file.startswith(".")]
    if not found:
        raise InputError(f"path: the class folder {folder / name} holds no images; fill it or remove it.")
    return [_readable(file, folder) for file in sorted(found)]


def open_rgb(path: str | Path) -> Image.Image:
    """One image as 8-bit RGB: the first frame, turned as its EXIF orientation says, transparency on white.

    16-bit grey is scaled by 255/65535 (Pillow's own conversion would clip it). Raises what Pillow raises on a corrupt
    file and ValueError on floating point images, whose range is unknown.
    """
    with Image.open(path) as image:
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode == "F":
            raise ValueError("floating point pixels have no known range, save it as 8 or 16 bit")
        if image.mode.startswith("I"):
            grey = np.round(np.clip(np.asarray(image, np.float64), 0, 65535) / 257).astype(np.uint8)
            image = Image.fromarray(grey)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert("RGB")


def _equal_bytes(root: Path, names: list[str]) -> list[str | None]:
    """Per file the digest of its bytes, None where no other file has its size and so none can be equal."""
    sizes = [(root / name).stat().st_size for name in names]
    shared = Counter(sizes)
    return [
        hashlib.sha256((root / name).read_bytes()).hexdigest() if shared[size] > 1 else None
        for name, size in zip(names, sizes)
    ]


def _readable(name: str, folder: Path) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"path: {name!r} in {folder} is not a UTF-8 name; rename it.") from error
    return name


def _and_more(names: list[str], shown: int) -> str:
    return f" and {len(names) - shown} more" if len(names) > shown else ""
