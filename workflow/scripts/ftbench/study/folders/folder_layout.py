"""Which folders of an image folder are its parts, which its classes, and what is not used: read from names, before anything is opened.

    <root>/train/<class>/...  <root>/test/<class>/...  and perhaps a validation part, under any usual name (`split_names`)
    <root>/<class>/...        from which a test part is drawn by `test_fraction`, or which is tested in folds

The key `parts` says it in the place of a guess. What was guessed or is not used becomes a note; what could be meant in two ways is
refused with the key that decides it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ftbench.base.errors import InputError, listed
from ftbench.base.given.walk import Found, shown
from ftbench.study.folders.class_folders import Tree, advice_for_flat, class_folders, many, match_classes
from ftbench.study.folders.split_names import FILLER, PARTS, check_validation, role_of, roles_of

NAMED = 5  # names in a message


@dataclass
class Layout:
    """The images of each part with their label, a row number of `classes`; without a test part one is drawn from train."""

    classes: list[str]
    files: dict[str, list[tuple[str, int]]]  # part: (name below the root, label), in the order of classes and names
    places: dict[str, str]  # part: its folder below the root
    drawn: bool  # whether the test part is yet to be drawn
    notes: list[str] = field(default_factory=list)
    left_out: Counter = field(default_factory=Counter)  # reason: files and folders in the parts that were passed over


def layout(found: Found, settings: dict) -> Layout:
    """What a walk found, in parts and classes. `settings` is the data set's entry: parts, validation, test_fraction, test_folds.

    Raises InputError, one sentence, on a missing part or class, on classes that differ between parts, on what may be meant in two
    ways, and on a fault of the walk in a folder that is read.
    """
    tree = Tree(found)
    notes: list[str] = [f"the pattern {pattern!r} of include or exclude matches nothing" for pattern in found.unmatched]
    places = _given(tree, settings["parts"]) if settings["parts"] is not None else _guessed(tree, settings)
    if places:
        notes += _unused(tree, places.values())
    _check_parts(tree, places, settings)
    read = {part: place for part, place in places.items() if part != "validation" or settings["validation"] != "ignore"}
    if "validation" in places and "validation" not in read:
        notes.append(f"{tree.at(places['validation'])} is not used (validation: ignore)")
    read = {part: _inside(tree, place, part, notes) for part, place in (read or {"train": ""}).items()}
    found.refuse_faults(read.values())
    own = {part: class_folders(tree, place, notes) for part, place in read.items()}
    classes, folders = match_classes(tree, read, own, notes)
    if len(classes) == 1:
        raise InputError(f"path: {tree.root} has the one class {classes[0]}; a study needs 2 or more.")
    files = {part: _labelled(tree, place, folders[part]) for part, place in read.items()}
    if settings["validation"] == "merge":
        files["train"] = sorted(files["train"] + files.pop("validation"), key=lambda file: (file[1], file[0]))
        notes.append("the validation part is merged into train (validation: merge)")
    left_out = Counter()
    for (place, reason), count in found.passed.items():
        if any(within(place, part) for part in read.values()):
            left_out[reason] += count
    return Layout(classes, files, read, "test" not in read, notes, left_out)


def within(name: str, place: str) -> bool:
    """Whether `name` is the folder `place` or lies below it; "" is the root."""
    return place in ("", name) or name.startswith(f"{place}/")


def _given(tree: Tree, parts: dict) -> dict[str, str]:
    """The folders that the key `parts` names, {} if it says that there are none."""
    places = {part: place.strip("/") for part, place in parts.items() if place is not None}
    for part, place in places.items():
        if not tree.images(place):
            raise InputError(
                f"parts.{part}: {shown(tree.root / place)} holds no images; its folders are {_some(tree.children[''])}."
            )
    if places and "train" not in places:
        raise InputError(
            f"parts: {places} names no train part; give one of {_some(tree.children[''])}, or {{}} for none."
        )
    return places


def _guessed(tree: Tree, settings: dict) -> dict[str, str]:
    """{part: folder} by the names of the folders in the root, {} if they are classes."""
    tops = sorted(tree.folders[""])
    roles = roles_of(tops)
    several = next((names for names in roles.values() if len(names) > 1), None)
    if several:
        raise InputError(
            f"path: {tree.root} has the folders {_some(several)}, which are one part by their names; "
            f"say which folder is which by parts: {{train: ..., test: ...}}, or parts: {{}} if they are classes."
        )
    places = {part: roles[part][0] for part in PARTS if part in roles}
    others = sorted(tree.children[""] - set(places.values()))
    flat = all(not tree.children[place] for place in places.values())
    if not places or (others and flat):
        return {}  # a class may be called train
    if len(places) == 1 and others:
        ((part, place),) = places.items()
        raise InputError(
            f"path: {tree.root} has the folder {place} beside {_some(others)}, so that it may be the {part} part or a class; set "
            f"parts: {{{part}: {place}}} or parts: {{}}."
        )
    return places


def _check_parts(tree: Tree, places: dict[str, str], settings: dict) -> None:
    root, fraction, validation = tree.root, settings["test_fraction"], settings["validation"]
    if "test" in places and settings.get("test_folds"):
        raise InputError(
            f"test_folds is given, but {root} has a folder {places['test']} of its own; set it to null, or put the images of both parts "
            "together to test all of them in folds."
        )
    if "test" in places and fraction is not None:
        raise InputError(
            f"test_fraction: {fraction} is given, but {root} has a folder {places['test']} of its own; set it to null."
        )
    if places and "train" not in places:
        raise InputError(
            f"path: {root} has a folder {' and '.join(places.values())} and no folder train; give it, or say by parts which folder it is."
        )
    if places and "test" not in places and fraction is None and not settings.get("test_folds"):
        held = places.get("validation")
        raise InputError(
            f"path: {root} has a folder {places['train']} and no folder test; give both, or set test_fraction to draw a test part from "
            f"{places['train']}"
            + (f", or parts: {{train: {places['train']}, test: {held}}} to test on {held}." if held else ".")
        )
    check_validation(root, places, validation)
    if not places:
        _check_no_parts(tree, settings)


def _check_no_parts(tree: Tree, settings: dict) -> None:
    """The classes stand in the root: say so if there are none, and if their own folders look like parts."""
    advice_for_flat(tree, "")
    top = min(tree.children[""])
    inside = Counter(
        role for top in tree.children[""] for role in roles_of(sorted(tree.children[top])) if role in ("train", "test")
    )
    if len(tree.children[""]) == 1 and min(inside.values(), default=0):
        raise InputError(f"path: {tree.root} holds the one folder {top}, in which the parts are; give {tree.at(top)}.")
    if settings["parts"] is None and 2 * min(inside["train"], inside["test"]) >= max(1, len(tree.children[""])):
        raise InputError(
            f"path: the folders of {tree.root} hold parts of their own, such as {top}/{_some(tree.children[top])}; put the parts first, "
            f"such as train/{top} and test/{top}, or set parts: {{}} if {top} is a class with all that it holds."
        )
    if settings["test_fraction"] is None and not settings.get("test_folds") and len(tree.children[""]) > 1:
        raise InputError(
            f"test_fraction: null, but {tree.root} has no folders train and test; give the share of the images that the test part gets, "
            f"such as 0.2, test_folds to test all of them in folds, or name the parts by parts: its folders are {_some(tree.children[''])}."
        )


def _inside(tree: Tree, place: str, part: str, notes: list[str]) -> str:
    """The folder that holds a part's classes: archives often wrap them once more, as in train/train/<class> or images/<class>."""
    while len(tree.children[place]) == 1 and not tree.direct[place]:
        (only,) = tree.children[place]
        role, rest = role_of(only)
        wraps = role in (part, None) and (role == part or not rest and only.casefold().strip("0123456789_- ") in FILLER)
        inner = f"{place}/{only}".strip("/")
        if not (wraps or only == place.rpartition("/")[2]) or len(tree.children[inner]) < 2:
            break
        notes.append(f"the class folders of the {part} part are taken from {tree.at(inner)}")
        place = inner
    advice_for_flat(tree, place)
    return place


def _unused(tree: Tree, places: Iterable[str]) -> list[str]:
    """A note for every image-holding folder beside the parts, and for images beside them."""
    used = list(places)
    unused = [
        top for top in sorted(tree.children[""]) if not any(within(top, place) or within(place, top) for place in used)
    ]
    notes = [f"{tree.at(top)} is no part and is not used: {many(tree.images(top))}" for top in unused]
    if tree.direct[""]:
        notes.append(f"not used, since outside of the parts: {many(tree.direct[''])} in {tree.root} itself")
    return notes


def _labelled(tree: Tree, place: str, folders: dict[str, int]) -> list[tuple[str, int]]:
    """(name, label) of every image in the class folders of a part, {folder: label}."""
    start = len(place) + 1 if place else 0
    labelled = []
    for name in tree.below(place):
        folder, slash, _ = name[start:].partition("/")
        if slash and folder in folders:
            labelled.append((name, folders[folder]))
    return sorted(labelled, key=lambda file: (file[1], file[0]))


def _some(names: Iterable[str]) -> str:
    return listed(sorted(names), NAMED)
