"""Where images come from: one file per kind of source, all with the same functions.

    archives(settings)                  the files to download, a list of {"file", "urls", "md5"}, [] if there are none
    about(settings)                     {"homepage", "licence"} as far as known, for the record beside a download
    read(settings, root, part)          (classes, items) of part "train" or "test", or with `validation: given` of the source's own
                                        "validation" part; items yields (name, label, load)
    group_keys(settings, root, names)   per name a key that related images share, None where nothing is known
    remarks(settings, root)             {"notes": sentences, "left_out": {reason: count}} on what was guessed and what is not used

A source whose archives may lie unpacked where the download would lie has also

    unpacked(settings, root)            the folder to read from, None if there is none

one whose files are brought by a client of their own has also

    fetch(settings, root, most, report) brings them into the folder `root`, none of more than `most` bytes; files as for the record of
                                        a download

one that declares a `listing`

    counts(settings, root)              ({part: images}, classes) without a test part that is yet to be drawn, for the plan

and one whose images have further columns

    metadata(settings, root, names)     {column: a text for each of names}, for comparisons of parts of the images

`load()` returns one image, as `ftbench.data.decode.open_image.Opened`, a PIL image or an (H, W) or (H, W, 3) uint8 array, and raises if that
image is corrupt. Labels are row numbers of `classes`. Nothing is decoded before `load()` is called, so reading the train part
opens no test image.

Adding a source is adding a file here, with its facts in `DECLARES` (see `ftbench.study.kinds`).
"""

import importlib
from types import ModuleType

from ftbench.base.errors import InputError, choices
from ftbench.study import kinds


def load(kind: str) -> ModuleType:
    """The module of a kind of source. Raises InputError for an unknown kind."""
    if kind not in kinds.names("sources"):
        raise InputError(f"source: {kind!r} is unknown; valid are {choices(kinds.names('sources'))}.")
    return importlib.import_module(kinds.module("sources", kind))


def require_part(part: str, own_validation: bool = False) -> None:
    if part not in ("train", "test", *["validation"] * own_validation):
        raise InputError(f"part: {part!r} is unknown; valid are test, train.")


# Keys that speak of the user's own files, as they are if nothing is said; a source that has no such files refuses all others.
OF_FOLDERS = {
    "groups": None,
    "test_fraction": None,
    "test_folds": None,
    "validation": None,
    "parts": None,
    "include": [],
    "exclude": [],
    "range": None,
}


def refuse_folder_settings(settings: dict) -> None:
    """For the sources that have a test part of their own and no file names that a table could list."""
    for key, nothing in OF_FOLDERS.items():
        if settings.get(key, nothing) != nothing:
            takers = [kind for kind in kinds.names("sources") if key in kinds.declared(kind, "sources")["options"]]
            raise InputError(
                f"{key}: {settings[key]} is given for source {settings['source']}; it works with source "
                f"{choices(takers)} only, so set it to {'[]' if nothing == [] else 'null'}."
            )
