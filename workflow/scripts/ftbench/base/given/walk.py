"""The one walk through a user's folder: what is listed, to see changes, and what is read are the same files.

Links are followed, also those to folders; one that leads back to a folder above is not. Hidden files, what operating systems and
network drives leave behind, and what is no image are passed over and counted by reason. Whatever cannot be listed is a fault, kept
with its place: whoever reads that place says it (`refuse_faults`), and what is never read may be broken.
"""

import errno
import functools
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ftbench.base.errors import InputError
from ftbench.base.given.image_names import HEADER_BYTES, is_image_header, is_image_name, suffix

# Folders of network drives, archives of macOS, editors and recycle bins: thumbnails and deleted images lie in them.
LEFT_BEHIND = frozenset(
    (
        "@eadir",
        "#recycle",
        "@recycle",
        "@recently-snapshot",
        "#snapshot",
        "$recycle.bin",
        "recycler",
        "__macosx",
        "__pycache__",
    )
    + ("lost+found", "system volume information", "temporary items", "network trash folder")
)
HIDDEN, SYSTEM, EXCLUDED, NOT_INCLUDED = "hidden", "left by the system", "excluded", "not among include"
NO_FILE, LOOP = "no file (a device, pipe or socket)", "link back to a folder above"


@dataclass
class Found:
    """What lies below `root`; all names are relative to it, with / between folders, sorted."""

    root: Path
    files: list[tuple[str, int]] = field(default_factory=list)  # images: name, bytes
    folders: list[str] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)  # name, why it cannot be listed
    passed: Counter = field(default_factory=Counter)  # (folder, reason): files and folders in it that are passed over
    unmatched: list[str] = field(default_factory=list)  # patterns of include and exclude that match nothing

    def refuse_faults(self, below: Iterable[str], key: str = "path") -> None:
        """Raise InputError for the first fault in one of the folders `below`; "" is the root."""
        for name, why in self.faults:
            if any(place in ("", name) or name.startswith(f"{place}/") for place in below):
                raise InputError(f"{key}: {shown(self.root / name)} {why}.")


def walk(root: str | Path, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Found:
    """Every image below the folder `root`. Raises InputError if the folder itself cannot be listed.

    `include` and `exclude` are patterns as in .gitignore: `*_mask.png` is a name at any depth, `masks` also a folder of that name
    with all below it, and a pattern with a / is a path from `root`, in which ** stands for any number of folders.
    """
    found = Found(Path(root))
    kept, left_out = ({pattern: _expression(pattern) for pattern in patterns} for patterns in (include, exclude))
    seen: set[str] = set()
    _visit(found, "", (_identity(root),), (kept, left_out, seen))
    if any(name == "" for name, _ in found.faults):
        raise InputError(f"path: {shown(root)} {found.faults[0][1]}.")
    for names in (found.files, found.folders, found.faults):
        names.sort()
    found.unmatched = [pattern for pattern in (*kept, *left_out) if pattern not in seen]
    return found


def shown(path: str | Path) -> str:
    """A path for a message, which may hold bytes that are no UTF-8: these stand as \\xe9."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _visit(found: Found, place: str, above: tuple, patterns: tuple) -> None:
    """Add what lies in the folder `place`; `above` identifies it and every folder over it."""
    for entry in _entries(found, place):
        name = f"{place}/{entry.name}" if place else entry.name
        reason = _passed_over(entry.name, name, patterns)
        if reason is None:
            reason = _take(found, entry, name, above, patterns)
        if reason is not None:
            found.passed[place, reason] += 1


def _take(found: Found, entry: os.DirEntry, name: str, above: tuple, patterns: tuple) -> str | None:
    """Add an entry to what was found, with all below it if it is a folder; else return why it is passed over."""
    try:
        status = entry.stat()
    except OSError as error:
        if is_image_name(name) is not False:
            found.faults.append((name, _why(error, entry)))
        return None
    if stat.S_ISDIR(status.st_mode):
        own = (status.st_dev, status.st_ino)
        if own in above:
            return LOOP
        found.folders.append(name)
        _visit(found, name, (*above, own), patterns)
        return None
    reason = _not_an_image(found, name, status, patterns)
    if reason is None and not is_utf8(name):
        found.faults.append((name, "has a name that is not UTF-8; rename it"))
    elif reason is None:
        found.files.append((name, status.st_size))
    return reason


def is_utf8(name: str) -> bool:
    """Whether a name that the system gave can be written into a file."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _entries(found: Found, place: str) -> Iterator[os.DirEntry]:
    try:
        with os.scandir(found.root / place) as entries:
            yield from entries
    except OSError as error:
        found.faults.append((place, _why(error)))


def _passed_over(base: str, name: str, patterns: tuple) -> str | None:
    """Why an entry is not looked at, None if it is."""
    _, left_out, seen = patterns
    if base.startswith("."):
        return HIDDEN
    if base.casefold() in LEFT_BEHIND:
        return SYSTEM
    matching = [pattern for pattern, expression in left_out.items() if expression.fullmatch(name)]
    seen.update(matching)
    return EXCLUDED if matching else None


def no_image(name: str) -> str:
    """The reason of a file that is passed over since it is no image."""
    return f"no image ({suffix(name) or 'no ending'})"


def _not_an_image(found: Found, name: str, status: os.stat_result, patterns: tuple) -> str | None:
    """Why a file is not listed, None if it is."""
    kept, _, seen = patterns
    if not stat.S_ISREG(status.st_mode):
        return NO_FILE
    image = is_image_name(name)
    if image is None:
        try:
            with open(found.root / name, "rb") as stream:
                image = is_image_header(stream.read(HEADER_BYTES))
        except OSError as error:
            found.faults.append((name, _why(error)))
            return NO_FILE
    if not image:
        return no_image(name)
    if not kept:
        return None
    parts = name.split("/")
    paths = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]  # the file and every folder that it lies in
    matching = [pattern for pattern, expression in kept.items() if any(map(expression.fullmatch, paths))]
    seen.update(matching)
    return None if matching else NOT_INCLUDED


def _why(error: OSError, entry: os.DirEntry | None = None) -> str:
    if entry is not None and entry.is_symlink() and error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"is a link to {shown(Path(entry.path).readlink())}, which does not exist; mend the link or remove it"
    if error.errno == errno.ELOOP:
        return "is a link to itself; remove it"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "may not be read (permission denied); give the user who runs the study the right to read it"
    return f"cannot be read ({error.strerror}); mend it and start again"


def _identity(root: str | Path) -> tuple[int, int]:
    try:
        status = Path(root).stat()
    except OSError as error:
        raise InputError(f"path: {shown(root)} {_why(error)}.") from error
    return status.st_dev, status.st_ino


@functools.cache
def _expression(pattern: str) -> re.Pattern:
    """A regular expression for a whole path below the root."""
    anchored = "/" in pattern.strip("/") or pattern.startswith("/")
    text = "" if anchored else "(?:.*/)?"
    for part in re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", pattern.removeprefix("./").strip("/")):
        match part:
            case "**/":
                text += "(?:.*/)?"
            case "**":
                text += ".*"
            case "*":
                text += "[^/]*"
            case "?":
                text += "[^/]"
            case _ if part.startswith("[") and part.endswith("]") and len(part) > 2:
                text += f"[{'^' if part[1] in '!^' else ''}{re.escape(part[2 if part[1] in '!^' else 1 : -1]).replace(chr(92) + '-', '-')}]"
            case _:
                text += re.escape(part)
    return re.compile(text, re.DOTALL)
