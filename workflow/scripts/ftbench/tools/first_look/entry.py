"""From a path to the entry of a data set: which source reads it, and which keys it needs to be read as it is.

The layout is read by the source itself. Keys are tried in the order of `_tries`, so that what a config would be refused for without
them is never asked back from a person who has no config yet.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from ftbench.base.errors import InputError
from ftbench.base.user_csv import at_home
from ftbench.base.walk import shown, walk
from ftbench.data import sources
from ftbench.study import config
from ftbench.study.class_folders import Tree
from ftbench.study.folder_layout import layout
from ftbench.study.kinds import declared
from ftbench.study.split_names import roles_of

TEST_FRACTION = 0.2
PARTS = ("train", "validation", "test")
OTHER_KEYS = ("test_fraction:", "validation:")  # begin what is said of a key that another try gives


@dataclass
class Entry:
    """`keys` of the config's entry, in their order, and why each has its value; `settings` are all of it, defaults included."""

    keys: dict
    why: dict[str, str] = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)  # part: its folder, where it has one

    @property
    def root(self) -> Path:
        return Path(self.keys["path"])

    def settle(self) -> None:
        """Fill in the defaults of what the keys do not say. Raises InputError on a key or value that a config would be refused for."""
        self.settings = resolved(self.keys)

    def set(self, key: str, value, why: str) -> None:
        self.keys[key], self.why[key] = value, why
        self.settle()

    def read(self) -> tuple[list[str], dict[str, list]]:
        """(classes, {part: its (name, label, load)}), as preparation will read them. Raises InputError as the source does."""
        source, parts = sources.load(self.settings["source"]), {}
        for part in PARTS:
            if part != "validation" or self.settings["validation"] == "given":
                classes, items = source.read(self.settings, self.root, part)
                parts[part] = list(items)
        return classes, parts

    def remarks(self) -> dict:
        return sources.load(self.settings["source"]).remarks(self.settings, self.root)


def entry_of(path: str, given: dict) -> Entry:
    """The entry for what lies at `path`; `given` are keys that the person knows better. Raises InputError, one sentence."""
    place = Path(at_home(path))
    entry = Entry({"source": _source_of(place), "path": _as_in_config(place), **given})
    entry.why["source"] = "a folder per class"
    entry.why |= dict.fromkeys(given, "as given by --set")
    entry.settle()
    refused = []
    for more, why in _tries(entry):
        tried = Entry(entry.keys | more, entry.why | dict.fromkeys(more, why))
        try:
            tried.settle()
            found = layout(walk(tried.root, tried.settings["include"], tried.settings["exclude"]), tried.settings)
            tried.places = {part: place for part, place in found.places.items() if place}
            return tried
        except InputError as error:
            refused.append(str(error))
    told = next((text for text in refused if not text.startswith(OTHER_KEYS)), refused[0])
    by_set = (
        " (`ftbench init` takes such keys by --set, as in --set 'parts={}')"
        if re.search(r"\b(parts|exclude)\b: ", told)
        else ""
    )
    raise InputError(told[:-1] + by_set + ".")


def resolved(keys: dict) -> dict:
    """The keys of a data set's entry with every default, checked as a config's are."""
    study = {
        "study": "first_look",
        "seeds": [0],
        "datasets": {"images": keys},
        "backbones": {"any": {"source": "ftbench", "model": "resnet8"}},
        "strategies": {"any": {"kind": "scratch"}},
    }
    try:
        return config.resolve(study)["datasets"]["images"]
    except InputError as error:
        raise InputError(str(error).replace("config: datasets.images.", "")) from error


def _source_of(place: Path) -> str:
    if not place.exists():
        raise InputError(f"path: {shown(place)} does not exist; give the folder that holds your images.")
    if not place.is_dir():
        raise InputError(
            f"path: {shown(place)} is a file; give the folder that holds your images, one folder per class."
        )
    return "imagefolder"


def _as_in_config(place: Path) -> str:
    """The path relative to where Snakemake runs if it lies below, else absolute."""
    whole, here = place.absolute(), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) and whole != here else str(whole)


def _tries(entry: Entry) -> list[tuple[dict, str]]:
    """Further keys to read a folder by, and why: none, a drawn test part, a validation part that is there, one to test on."""
    tries = [
        ({}, ""),
        (
            {"test_fraction": TEST_FRACTION},
            "there is no test part: drawn by class, the same in every run, seen by nothing that trains",
        ),
        ({"validation": "given"}, "there is a validation part: trial, epoch and L2 are chosen on it"),
    ]
    if declared(entry.settings["source"], "sources")["listing"]:
        found = walk(entry.root, entry.settings["include"], entry.settings["exclude"])
        roles = roles_of(sorted(Tree(found).folders[""]))
        if "train" in roles and "validation" in roles and "test" not in roles:
            parts = {"train": roles["train"][0], "test": roles["validation"][0]}
            why = f"of two parts the second is the test; test_fraction: {TEST_FRACTION} and validation: given would keep it to choose on"
            tries.append(({"parts": parts}, why))
    taken = set(entry.keys) - {"source", "path"}
    return [(more, why) for more, why in tries if not taken & set(more)]
