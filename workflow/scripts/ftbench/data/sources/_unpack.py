"""Unpack a downloaded archive: its checksum is compared now, and each member is written to a name that is made here.

An archive lies on the disk for as long as the user likes, so what was verified after the download says nothing of what is opened
today. And an archive's own way of extracting itself follows links, which can lead out of the folder (CVE-2025-4517): here no
link is ever made, and a member is read as a stream of bytes.
"""

import gzip
import hashlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ftbench.base.errors import InputError
from ftbench.base.files import disk_is_full

BLOCK = 1 << 20  # bytes copied at a time
LONGEST = 255  # bytes of one name of a file
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)


def unpack(path: Path, url: str, md5: str, folder: Path) -> None:
    """Write the members of the archive `path`, or what a compressed file holds, below `folder`; any other file is copied.

    What is unpacked is what was compared with `md5`: the file is opened once. Raises InputError if the archive is missing, is
    another one, cannot be unpacked, or holds a link or a name that leads out of the folder, and if the disk is full.
    """
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise InputError(
            f"{path} is missing; let the workflow download it, or put the file from {url} there."
        ) from error
    with stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != md5:
            raise InputError(
                f"{path} has md5 {found} instead of {md5}; delete it and start again to download it anew, or give its checksum in "
                "`md5` if the file was repacked on purpose."
            )
        stream.seek(0)
        try:
            for name, member in _members(path, stream):
                _write(member, folder / _place(path, name))
        except BROKEN as error:
            raise _broken(path, error) from error
        except OSError as error:
            if disk_is_full(error):
                raise InputError(
                    f"No space left on the disk while unpacking {path} into {folder}: free some space and start again."
                ) from error
            raise _broken(path, error) from error


def _members(path: Path, stream: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """(name, content) of every file in an archive, one after another."""
    if path.name.endswith((".tar.gz", ".tgz")):
        with tarfile.open(fileobj=stream) as tar:
            for member in tar:
                if member.isreg():
                    yield member.name, tar.extractfile(member)
                elif not member.isdir():
                    raise InputError(
                        f"{path} holds {member.name!r}, which is a link or a device; an archive of images holds files and folders."
                    )
    elif path.suffix == ".zip":
        with zipfile.ZipFile(stream) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    with archive.open(entry) as content:
                        yield entry.filename, content
    elif path.suffix == ".gz":
        with gzip.open(stream) as content:
            yield path.stem, content
    else:
        yield path.name, stream


def _place(path: Path, name: str) -> PurePosixPath:
    """Where a member goes, relative to the folder. Raises InputError for a name that could lead elsewhere."""
    parts = [part for part in PurePosixPath(name).parts if part != "."]
    usable = all(
        part.isprintable() and "\\" not in part and len(part.encode(errors="replace")) <= LONGEST for part in parts
    )
    if not parts or ".." in parts or name.startswith("/") or not usable:
        raise InputError(
            f"{path} holds {name[:LONGEST]!r}, a name that could lead out of its folder; it is not unpacked."
        )
    return PurePosixPath(*parts)


def _write(member: BinaryIO, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as written:
        shutil.copyfileobj(member, written, BLOCK)


def _broken(path: Path, error: Exception) -> InputError:
    reason = str(error) or ("it ends too early" if isinstance(error, EOFError) else type(error).__name__)
    return InputError(f"{path} cannot be unpacked ({reason}); delete it and start again to download it anew.")
