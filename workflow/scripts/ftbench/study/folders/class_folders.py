"""Which folders of a part are classes: their names, compared between the parts, and what does not belong to them."""

import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

from ftbench.base.errors import InputError
from ftbench.base.given.walk import HIDDEN, SYSTEM, Found, shown
from ftbench.study import kinds

TABLES = (".csv", ".tsv", ".parquet", ".json", ".jsonl", ".xlsx", ".txt")  # where labels may stand beside images


class Tree:
    """The folders of a walk: of each, the folders in it that hold images at some depth, all of its folders, its own images."""

    def __init__(self, found: Found):
        self.found, self.root = found, Path(found.root)
        self.direct: Counter = Counter(name.rpartition("/")[0] for name, _ in found.files)
        self.children: defaultdict[str, set[str]] = defaultdict(set)
        self.folders: defaultdict[str, set[str]] = defaultdict(set)
        self._count: Counter = Counter()
        for name in found.folders:
            above, _, base = name.rpartition("/")
            self.folders[above].add(base)
        for place, count in self.direct.items():
            self._count[place] += count
            while place:
                above, _, base = place.rpartition("/")
                self.children[above].add(base)
                self._count[above] += count
                place = above

    def at(self, place: str) -> str:
        """A folder for a message."""
        return shown(self.root / place)

    def images(self, place: str) -> int:
        """How many images a folder holds at any depth."""
        return self._count[place]

    def below(self, place: str) -> list[str]:
        """The names of all images in a folder, at any depth."""
        return [name for name, _ in self.found.files if not place or name.startswith(f"{place}/")]

    def passed(self, place: str) -> Counter:
        """{reason: files and folders that were passed over} in a folder, at any depth."""
        counts: Counter = Counter()
        for (where, reason), count in self.found.passed.items():
            if where == place or not place or where.startswith(f"{place}/"):
                counts[reason] += count
        return counts


def many(count: int, what: str = "image") -> str:
    """ "1 image", "2,000 images"."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def advice_for_flat(tree: Tree, place: str) -> None:
    """Raise InputError if a folder that should hold class folders holds none with images; say what fits what it holds."""
    if tree.children[place]:
        return
    where, images = tree.at(place), tree.direct[place]
    if not images:
        empty = ", ".join(sorted(tree.folders[place]))
        which = f", only the empty {empty}" if empty else ""
        raise InputError(
            f"path: {where} holds no class folders with images{which}; give each class a folder of its images."
        )
    tables = [
        entry.name
        for folder in dict.fromkeys((tree.root / place, tree.root))
        for entry in sorted(folder.iterdir())
        if entry.suffix.lower() in TABLES and entry.is_file()
    ]
    if tables and "table" in kinds.names("sources"):
        advice = f"take source: table if {tables[0]} says which image has which label"
    elif tables:
        advice = f"sort them into one folder per class, by what {tables[0]} says"
    else:
        advice = "give each class a folder of its images"
    labels = "" if place == "" else "; images without labels can be no test part, so leave them out by parts"
    raise InputError(f"path: {where} holds {many(images)} and no class folders; {advice}{labels}.")


def class_folders(tree: Tree, place: str, notes: list[str]) -> dict[str, str]:
    """{class: its folder in `place`}, in the order of the classes, whose names are in Unicode's composed form (NFC).

    Raises InputError on an empty folder, on two folders that look alike, and on a nested set that is no copy.
    """
    folders = sorted(tree.children[place] - _nested_copies(tree, place, notes))
    for empty in sorted(tree.folders[place] - tree.children[place]):
        _without_images(tree, f"{place}/{empty}".strip("/"), notes)
    if tree.direct[place]:
        notes.append(f"not used, since in no class folder: {many(tree.direct[place])} in {tree.at(place)} itself")
    classes: dict[str, str] = {}
    for folder in folders:
        name = unicodedata.normalize("NFC", folder)
        twin = next((other for other in classes if other.strip() == name.strip()), None)
        if twin is not None:
            raise InputError(
                f"path: {tree.at(place)} has two class folders that look alike, {differing(classes[twin], folder)}; rename one or merge "
                "them."
            )
        classes[name] = folder
    if len(classes) == 1:
        _only_one(tree, place, *classes)
    small = Counter(name.casefold() for name in classes)
    for name in (name for name, count in small.items() if count > 1):
        notes.append(
            f"class names in {tree.at(place)} differ in capitals alone: {', '.join(c for c in classes if c.casefold() == name)}"
        )
    return dict(sorted(classes.items()))


def match_classes(
    tree: Tree, places: dict[str, str], parts: dict[str, dict], notes: list[str]
) -> tuple[list[str], dict[str, dict[str, int]]]:
    """The classes, and {part: {folder: label}}, of {part: {class: folder}}. Raises InputError if the parts' classes differ."""
    reference = "train"
    for part in [part for part in parts if part != reference]:
        for one, other in ((reference, part), (part, reference)):
            lacking = sorted(set(parts[one]) - set(parts[other]))
            if lacking:
                alike = [
                    differing(parts[one][name], folder)
                    for name in lacking
                    for known, folder in parts[other].items()
                    if known.strip().casefold() == name.strip().casefold()
                ]
                raise InputError(
                    f"path: {tree.at(places[one])} has the class{'es' * (len(lacking) > 1)} {', '.join(lacking)}, which "
                    f"{tree.at(places[other])} lacks; both need the same class folders"
                    + (f" (two look alike: {alike[0]})." if alike else ".")
                )
        for name, folder in parts[part].items():
            if parts[reference][name] != folder:
                notes.append(
                    f"the class folders {differing(parts[reference][name], folder)} of {reference} and {part} are one class"
                )
    classes = list(parts[reference])
    number = {name: label for label, name in enumerate(classes)}
    return classes, {part: {folder: number[name] for name, folder in own.items()} for part, own in parts.items()}


def differing(one: str, other: str) -> str:
    """Two names that look alike, with what tells them apart: 'cat ' (a blank at its end) and 'cat'."""
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        named = [f"{name!r} ({' '.join(f'U+{ord(c):04X}' for c in name if ord(c) > 127)})" for name in (one, other)]
    else:
        blanks = {
            (True, False): "a blank before it",
            (False, True): "a blank at its end",
            (True, True): "blanks around it",
        }
        named = []
        for name in (one, other):
            why = blanks.get((name != name.lstrip(), name != name.rstrip()))
            named.append(f"{name!r} ({why})" if why else repr(name))
    return " and ".join(named)


def _nested_copies(tree: Tree, place: str, notes: list[str]) -> set[str]:
    """Folders that hold all class folders beside them once more. Raises InputError if one holds other images than those."""
    folders, copies = tree.children[place], set()
    for folder in sorted(folders):
        others, inner = folders - {folder} - copies, f"{place}/{folder}".strip("/")
        if len(others) < 2 or not others <= tree.children[inner]:
            continue
        sizes = dict(tree.found.files)
        start, above = len(inner) + 1, f"{place}/" if place else ""
        new = [name for name in tree.below(inner) if sizes.get(above + name[start:]) != sizes[name]]
        if new:
            raise InputError(
                f"path: {tree.at(inner)} holds class folders of the same names as {tree.at(place)}, with {many(len(new), 'other image')}, such "
                f"as {new[0]}; merge them, or leave one out by exclude: [/{inner}/]."
            )
        notes.append(f"{tree.at(inner)} is a copy of all beside it and is left out: {many(tree.images(inner))}")
        copies.add(folder)
    return copies


def _without_images(tree: Tree, place: str, notes: list[str]) -> None:
    """A folder where a class is expected: one of something else is noted, an empty one refused."""
    passed = tree.passed(place)
    tree.found.refuse_faults([place])
    others = {reason: count for reason, count in passed.items() if reason not in (HIDDEN, SYSTEM)}
    if not others:
        raise InputError(
            f"path: the class {place.rpartition('/')[2]} is empty: {tree.at(place)} holds no images; fill it or remove it."
        )
    held = ", ".join(f"{count:,} {reason}" for reason, count in sorted(others.items()))
    notes.append(f"{tree.at(place)} holds no images and is no class ({held})")


def _only_one(tree: Tree, place: str, name: str) -> None:
    inner = f"{place}/{name}".strip("/")
    inside = sorted(tree.children[inner])
    if len(inside) > 1:
        raise InputError(
            f"path: {tree.at(place)} has the one class {name}; if {', '.join(inside[:5])} in it are the classes, "
            f"{'give ' + tree.at(inner) if place == '' else 'name that folder by parts'}."
        )
