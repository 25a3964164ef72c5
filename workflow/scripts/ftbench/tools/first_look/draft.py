"""From what was seen to a config: the keys of the data set, the choices for the machine, and the files that hold them."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from ftbench.base.errors import InputError
from ftbench.base.given.walk import shown
from ftbench.study import config
from ftbench.study.folders.class_folders import many
from ftbench.study.folders.split_names import role_of
from ftbench.tools.first_look.choices import Choices, choose, training_images, validation_fraction
from ftbench.tools.first_look.divide import check_split, groups_seen, settle_groups
from ftbench.tools.first_look.entry import Entry
from ftbench.tools.first_look.machine import Machine
from ftbench.tools.first_look.name_groups import Grouping
from ftbench.tools.first_look.seen import DEEP, FLOAT, Seen
from ftbench.tools.first_look.slicing import settle_slices

CUT = 1 / 3  # of a median image's longer side that a crop would cut off: beyond it, images are padded
EDGE = 4  # the smallest side that images are stored with


@dataclass
class Draft:
    """All that `ftbench init` found and chose."""

    name: str
    output: Path
    entry: Entry
    seen: Seen
    groups: Grouping | None
    obeyed: bool  # whether the config keeps these groups together
    leaks: dict[tuple[str, str], int]  # (part, other part): groups in both
    choices: Choices
    here: Machine
    remarks: dict  # notes and left_out, as a source says them
    slices: list[str]  # columns by which the accuracy will be shown


def output_of(path: str, given: str | None) -> tuple[str, Path]:
    """(name of the study, path of its config). Raises InputError if either is taken or no valid name."""
    output = Path(given) if given else Path("config") / f"{_name(Path(path).absolute())}.yaml"
    name = output.stem
    if output.suffix not in (".yaml", ".yml") or not _matches(name):
        raise InputError(
            f"--output: {shown(output)} gives the study no valid name; take letters, digits, - and _ and the ending .yaml, such as "
            f"config/{_slug(name)}.yaml."
        )
    for taken in (output, groups_file(output), Path("results", name)):
        if taken.exists():
            raise InputError(
                f"--output: {shown(taken)} exists already and is never overwritten; give another name, such as "
                f"--output {_free(output)}."
            )
    return name, output


def groups_file(output: Path) -> Path:
    return output.with_name(f"{output.stem}_groups.csv")


def draft(name: str, output: Path, entry: Entry, seen: Seen, here: Machine, limit: float | None, weights) -> Draft:
    """Choose everything that the config says. Raises InputError where a class has too few images to be divided."""
    remarks, found = entry.remarks(), groups_seen(entry, seen)
    _settle_pixels(entry, seen)
    if "validation_fraction" not in entry.keys and "validation" not in seen.names:
        entry.set("validation_fraction", *validation_fraction(seen.counts("train")))
    leaks = settle_groups(entry, seen, found, groups_file(output)) if found else {}
    used = found is not None and ("groups" in entry.keys or found.column in (entry.settings["columns"] or {}).values())
    check_split(entry, seen, found if used else None)
    if used and found.column is not None:
        remarks = entry.remarks()  # a column that is used is no longer proposed
    slices = settle_slices(entry, seen)
    images = training_images(seen.counts("train"), "validation" in seen.names, entry.settings["validation_fraction"])
    counts, test = seen.counts("train"), len(seen.names["test"])
    chosen = choose(name, {name: entry.keys}, counts, images, test, here, limit, weights)
    _settle_size(entry, seen, max(backbone["image_size"] for backbone in chosen.tables["backbones"].values()))
    return Draft(name, output, entry, seen, found, used, leaks, chosen, here, remarks, slices)


def _settle_pixels(entry: Entry, seen: Seen) -> None:
    if seen.corrupt and "on_corrupt" not in entry.keys:
        entry.set(
            "on_corrupt",
            "skip",
            f"{many(len(seen.corrupt))} cannot be decoded; fail, the default, would stop there",
        )
    if seen.modes[FLOAT] and entry.settings["range"] is None:
        low, high = seen.range
        if low < high:
            entry.set(
                "range",
                [low, high],
                f"lowest and highest value of the {seen.opened:,} images opened: floating point has no known range",
            )
    elif seen.modes[DEEP] and entry.settings["range"] is None:
        entry.set(
            "range",
            None,
            f"measured over all training images; the {seen.opened:,} opened hold {seen.range[0]:g} to {seen.range[1]:g}",
        )
    if "flip" not in entry.keys:
        entry.set(
            "flip",
            False,
            "not guessed: true lets policies mirror images; it helps unless that makes another class (text, left and right)",
        )


def _settle_size(entry: Entry, seen: Seen, largest: int) -> None:
    """The size that images are stored with, and how those that are not square get there."""
    short, long = seen.sizes.min(axis=1), seen.sizes.max(axis=1)
    if "image_size" not in entry.keys:
        one = len(np.unique(seen.sizes, axis=0)) == 1 and seen.opened == seen.total and not seen.corrupt
        middle = max(EDGE, int(np.median(short)))
        if one and short[0] == long[0] and EDGE <= short[0] <= largest:
            entry.set(
                "image_size",
                None,
                f"all have {short[0]} x {short[0]} pixels and keep them; each backbone resizes them to its own size",
            )
        elif middle >= largest:
            entry.set(
                "image_size",
                largest,
                f"stored once at the largest size that a backbone sees; their median shorter side is {middle}",
            )
        else:
            entry.set(
                "image_size", middle, "the median of their shorter sides; each backbone resizes them to its own size"
            )
    cut = float(np.median(1 - short / long))
    if "fit" not in entry.keys and entry.settings["image_size"] is not None and cut > 0.02:
        if cut > CUT:
            entry.set(
                "fit",
                "pad",
                f"a crop would cut {cut:.0%} off the longer side of the median image; crop if what counts is in the middle",
            )
        else:
            entry.set(
                "fit",
                "crop",
                f"cuts {cut:.0%} off the longer side of the median image; pad keeps all, with black borders",
            )


def _name(place: Path) -> str:
    """A study's name from what it reads: a file that is called train.csv says less than its folder."""
    if not place.is_file():
        return _slug(place.name)
    stem = place.name.partition(".")[0]
    return _slug(place.parent.name if role_of(stem)[0] else stem)


def _slug(name: str) -> str:
    """A name that a study may have, from any folder's."""
    text = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-")[:40]
    return text if _matches(text) else "images"


def _matches(name: str) -> bool:
    part = config.schema()["properties"]["study"]
    return bool(re.search(part["pattern"], name)) and len(name) <= part["maxLength"] and not name.endswith(config.SMOKE)


def _free(output: Path) -> Path:
    names = (output.with_name(f"{output.stem}{number}.yaml") for number in range(2, 1000))
    return next(one for one in names if not one.exists() and not Path("results", one.stem).exists())


def parsed(text: str) -> dict:
    """The study that a config's text says, resolved: what is written is read before it is written."""
    return config.resolve(yaml.safe_load(text))
