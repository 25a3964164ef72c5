"""Where images come from: one file per kind of source, all with the same functions.

    archives(settings)                  the files to download, a list of {"file", "urls", "md5"}, [] if there are none
    about(settings)                     {"homepage", "licence"} as far as known, for the record beside a download
    read(settings, root, part)          (classes, items) of part "train" or "test"; items yields (name, label, load)
    group_keys(settings, root, names)   per name a key that related images share, None where nothing is known

`load()` returns one image, a PIL image or an (H, W) or (H, W, 3) uint8 array, and raises where that image is corrupt.
Labels are row numbers of `classes`. Nothing is decoded before `load()` is called, so reading the train part opens no
test image.

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


def require_part(part: str) -> None:
    if part not in ("train", "test"):
        raise InputError(f"part: {part!r} is unknown; valid are test, train.")


def refuse_folder_settings(settings: dict) -> None:
    """For the sources that have a test part of their own and no file names that a table could list."""
    for key in ("groups", "test_fraction"):
        if settings[key] is not None:
            takers = [kind for kind in kinds.names("sources") if key in kinds.declared(kind, "sources")["options"]]
            raise InputError(
                f"{key}: {settings[key]} is given for source {settings['source']}; it works with source "
                f"{choices(takers)} only, so set it to null."
            )
