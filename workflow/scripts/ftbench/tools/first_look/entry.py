"""From a path to the entry of a data set: which source reads it, and which keys it needs to be read as it is.

The layout is read by the source itself. Keys are tried in the order of `_tries`, so that what a config would be refused for without
them is never asked back from a person who has no config yet.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ftbench.base.errors import InputError
from ftbench.base.given.user_csv import at_home
from ftbench.base.given.walk import shown, walk
from ftbench.data import sources
from ftbench.study import config
from ftbench.study.folders.class_folders import Tree
from ftbench.study.folders.folder_layout import layout
from ftbench.study.folders.split_names import roles_of
from ftbench.study.kinds import declared
from ftbench.tools.first_look.forms import form_of, image_folders, tables_in

TEST_FRACTION = 0.2
PARTS = ("train", "validation", "test")
OTHER_KEYS = ("test_fraction:", "validation:")  # begin what is said of a key that another try gives
DRAWN = {"test_fraction": TEST_FRACTION}
WHY = {
    "test_fraction": "there is no test part: drawn by class, the same in every run, seen by nothing that trains",
    "validation": "there is a validation part: trial, epoch and L2 are chosen on it",
    "parts": f"of two parts the second is the test; test_fraction: {TEST_FRACTION} and validation: given would keep it to choose on",
    "unlabelled": "some rows have no label; refuse, the default, would stop at them",
    "images": "the folder of the images that the table names",
}


@dataclass
class Entry:
    """`keys` of the config's entry, in their order, and why each has its value; `settings` are all of it, defaults included."""

    keys: dict
    why: dict[str, str] = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)  # part: its folder, where it has one

    @property
    def root(self) -> str:
        return self.keys["path"]

    def takes(self, key: str) -> bool:
        """Whether the source has a use for a key that only some sources read."""
        return key in declared(self.settings["source"], "sources")["options"]

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
        if len(classes) < 2:
            raise InputError(
                f"path: {shown(self.root)} has the one class {', '.join(classes)}; a study needs 2 or more."
            )
        return classes, parts

    def remarks(self) -> dict:
        return sources.load(self.settings["source"]).remarks(self.settings, self.root)

    def metadata(self, names: list[str]) -> dict[str, list[str]]:
        """{column: values} of what the source knows of each image beside its label."""
        source = sources.load(self.settings["source"])
        return source.metadata(self.settings, self.root, names) if hasattr(source, "metadata") else {}


def entry_of(path: str, given: dict) -> Entry:
    """The entry for what lies at `path`; `given` are keys that the person knows better. Raises InputError, one sentence."""
    place = Path(at_home(path))
    source, why = form_of(place)
    entry = Entry({"source": source, "path": _as_in_config(place), **given})
    entry.why |= {"source": why} | dict.fromkeys(given, "as given by --set")
    entry.settle()
    told, tried = _tried(entry)
    if tried is None and declared(entry.keys["source"], "sources")["listing"] == "folder":
        for table in tables_in(place):  # Kaggle's form: a table beside a folder of all images
            other = Entry(entry.keys | {"source": "table", "path": _as_in_config(table)}, dict(entry.why))
            other.why |= {"source": "there are no class folders, and this table says which image is what"}
            try:
                other.settle()
                tried = tried or _tried(other)[1]
            except InputError:
                continue
    if tried is None:
        wanted = re.search(r"\b(parts|exclude|columns|images)\b(\.\w+)?: ", told)
        by_set = " (`ftbench init` takes such keys by --set, as in --set 'parts={}')" if wanted else ""
        raise InputError(told[:-1] + by_set + ".")
    return tried


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


def _tried(entry: Entry) -> tuple[str, Entry | None]:
    """(what is wrong, None), or the entry with the first further keys by which its source can read it."""
    refused = []
    for more in _tries(entry):
        tried = Entry(entry.keys | more, entry.why | {key: WHY[key] for key in more})
        try:
            tried.settle()
            tried.places = _read_layout(tried)
            return "", tried
        except InputError as error:
            refused.append(str(error))
    return next((text for text in refused if not text.startswith(OTHER_KEYS)), refused[0]), None


def _read_layout(entry: Entry) -> dict[str, str]:
    """{part: its folder}, after the source has read what is where. Raises InputError if it cannot."""
    if declared(entry.settings["source"], "sources")["listing"] == "folder":
        found = layout(walk(entry.root, entry.settings["include"], entry.settings["exclude"]), entry.settings)
        return {part: place for part, place in found.places.items() if place}
    sources.load(entry.settings["source"]).counts(entry.settings, entry.root)
    return {}


def _as_in_config(place: Path) -> str:
    """The path relative to where Snakemake runs if it lies below, else absolute."""
    whole, here = place.absolute(), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) and whole != here else str(whole)


def _tries(entry: Entry) -> Iterator[dict]:
    """Further keys to read it by: none, a drawn test part, a validation part that is there, one to test on."""
    taken = set(entry.keys) - {"source", "path"}
    listed = declared(entry.settings["source"], "sources")["listing"]
    for folder in [{}, *({"images": _as_in_config(one)} for one in image_folders(entry.root) if listed == "rows")]:
        for rows in ({}, {"unlabelled": "skip"}) if listed != "folder" else ({},):
            for parts in (
                _parts(entry)
                if listed == "folder"
                else ({}, DRAWN, {"validation": "given"}, DRAWN | {"validation": "given"})
            ):
                more = folder | rows | parts
                if not taken & set(more):
                    yield more


def _parts(entry: Entry) -> list[dict]:
    """The same of a folder, where a second part that is called a validation part may be all there is to test on."""
    tries = [{}, DRAWN, {"validation": "given"}]
    found = walk(entry.root, entry.settings["include"], entry.settings["exclude"])
    roles = roles_of(sorted(Tree(found).folders[""]))
    if "train" in roles and "validation" in roles and "test" not in roles:
        tries.append({"parts": {"train": roles["train"][0], "test": roles["validation"][0]}})
    return tries
