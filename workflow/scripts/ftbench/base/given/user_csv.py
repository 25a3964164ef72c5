"""CSV tables that the user writes, and which image each of their rows means: groups, test images to leave out, labels.

A table may write a path as it likes: relative to the images, to the table or to where Snakemake runs, absolute, with ../ or ./ or
backslashes, in either Unicode form, as a bare name or without its ending. Both sides are brought to one key; a row that means no
image, or several, is said.
"""

import csv
import io
import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ftbench.base.errors import InputError


def user_table(path: Path, key: str) -> csv.DictReader:
    """The rows of a user's CSV, in UTF-8 as spreadsheets write it too, with a byte order mark in front.

    Columns are divided by commas, semicolons or tabs, whichever the header has most of; blanks around the header's names do not
    count. `key` is the config key that the message names. Raises InputError on another encoding, which spreadsheets have as well.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{key}: {path} is not in UTF-8; save it again as CSV in UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, delimiter=delimiter_of(text))
    reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
    return reader


def delimiter_of(text: str) -> str:
    """What divides the columns of a CSV: whatever its header has most of; of equally many, none at all included, the comma."""
    return max(",;\t", key=text.partition("\n")[0].count)


class FileNames:
    """The images that a table's rows may name. `find` gives the name that a row means.

    names: as the study knows them, relative to `root` with / between folders, or any other identifier, such as "train/00012".
    folders: those below the root that a row may leave out, such as train. beside: further folders that a relative path may start
    from, such as the table's own.
    """

    def __init__(
        self,
        names: Iterable[str],
        root: str | Path | None,
        folders: Iterable[str] = (),
        beside: Iterable[str | Path] = (),
    ):
        self.names = list(names)
        self.root = None if root is None else os.path.normpath(Path(root).absolute())
        self._real_root = None if root is None else os.path.realpath(self.root)
        self._real_folders: dict[str, str] = {}
        self._exact = set(self.names)
        self._starts = [folder.strip("/") for folder in ("", *folders)]
        self._beside = [os.path.normpath(Path(folder).absolute()) for folder in beside]
        self._by_key = self._index(_key)
        self._further = None
        self.shortened = (
            0  # rows without one of `folders` that would fit in several of them, and were taken for the first
        )

    def find(self, written: str) -> str | None:
        """The image that a row means, None if there is none. Raises ValueError, with a reason, if it could mean several."""
        if written in self._exact:
            return written
        path = at_home(written.strip().replace("\\", "/"))
        below = [self._one(written, self._by_key[key]) for key in self._below(path, _key) if key in self._by_key]
        if below:
            self.shortened += len(below) > 1
            return below[0]
        for candidate in self._from_elsewhere(path):
            if candidate in self._by_key:
                return self._one(written, self._by_key[candidate])
        return self._by_a_part(written, path)

    def _below(self, path: str, form) -> list[str]:
        """Keys that a path below the root may stand for, with and without the folders that a row may leave out."""
        return list(dict.fromkeys(form(f"{start}/{path}") for start in self._starts))

    def _from_elsewhere(self, path: str) -> Iterable[str]:
        """Keys, below the root, that an absolute path or one that starts beside the images may stand for."""
        if self.root is None:
            return
        absolute = [path] if path.startswith("/") else [f"{folder}/{path}" for folder in self._beside]
        for one in absolute:
            for root, full in ((self.root, os.path.normpath(one)), (self._real_root, self._real(one))):
                if full.startswith(f"{root}/"):
                    yield _key(full[len(root) + 1 :])

    def _real(self, path: str) -> str:
        """`os.path.realpath`, which asks the system for every folder of a path, with the folders remembered."""
        folder, _, name = path.rpartition("/")
        if os.path.islink(path) or name in ("", ".", ".."):  # noqa: PTH114, for 200,000 rows
            return os.path.realpath(path)
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder or "/")
        return f"{self._real_folders[folder].rstrip('/')}/{name}"

    def _by_a_part(self, written: str, path: str) -> str | None:
        """By capitals alone, by a path of another machine that ends in the image's, by a bare name, and each without its ending."""
        if self._further is None:
            self._further = [self._index(form) for form in (_folded, _bare, _stem, _bare_stem)]
        folded, bare, stem, bare_stem = self._further
        parts = _folded(path).split("/")
        ways = [
            (folded, "/".join(parts[first:])) for first in range(max(1, len(parts) - 1))
        ]  # of C:/data/cat/1.jpg the longest end
        ways += [(stem, path)] if len(parts) > 1 else [(bare, path), (bare_stem, path)]
        for index, end in ways:
            found = [name for key in self._below(end, _folded) for name in index.get(key, ())]
            if found:
                return self._one(written, found)
        return None

    def _index(self, form) -> dict[str, list[str]]:
        found = defaultdict(list)
        for name in self.names:
            found[form(name)].append(name)
        return found

    @staticmethod
    def _one(written: str, names: list[str]) -> str:
        if len(names) > 1:
            raise ValueError(f"{written} may be {names[0]} or {names[1]}")
        return names[0]


def shared_folder(names: Iterable[str]) -> list[str]:
    """The folder that all names lie in, which a row may leave out, such as that of the test part; [] if there is none."""
    folders = [posixpath.dirname(name) for name in names]
    shared = posixpath.commonpath(folders) if folders else ""
    return [shared] if shared else []


def at_home(path: str) -> str:
    """A path with the home folder for a ~ in front, as in a shell; as it is if there is no such home."""
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        return path


def _key(name: str) -> str:
    """One spelling of a path: without ./ and ../, in Unicode's composed form (NFC)."""
    return posixpath.normpath(unicodedata.normalize("NFC", name).lstrip("/"))


def _folded(name: str) -> str:
    return _key(name).casefold()


def _bare(name: str) -> str:
    return _folded(name).rpartition("/")[2]


def _stem(name: str) -> str:
    return posixpath.splitext(_folded(name))[0]


def _bare_stem(name: str) -> str:
    return posixpath.splitext(_bare(name))[0]
