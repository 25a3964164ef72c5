"""Atomic and durable writes: no reader ever sees half a file, and what was written once outlives a power cut.

Every output of this package is written to a temporary sibling (same folder, so same file system) and renamed onto its
path as the last step. `os.replace` is atomic on POSIX, so a killed job leaves the old file or the new one. A rename alone may
reach the disk before the bytes do: after a power cut the new name would stand for an empty file. So the bytes are flushed to
the disk before the rename, and the folder, which holds the name, after it.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ftbench.base import verified
from ftbench.base.digests import damaged
from ftbench.base.errors import InputError

# Machines that share a folder share no numbers of processes.
HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, noted: bool = True, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it onto `path` when the block succeeds, remove it when it fails.

    What the file holds is noted, so that its readers can tell (`ftbench.base.verified`), unless it is one that changes all the time.
    With `durable`, file and name are on the disk when the block is left. The sibling keeps the suffix of `path` (`np.savez` and
    matplotlib choose formats by it). Raises InputError if the disk is full, of bytes or of files, naming the file.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{HOST}.tmp{path.suffix}")
    try:
        make_folder(path.parent)
        _sweep(path)
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # safetensors leaves its files to their owner alone
        if durable:
            flush(temporary)
        if noted:
            verified.note(temporary, path)
        temporary.replace(path)
        if durable:
            flush(path.parent)
    except Exception as error:
        if disk_is_full(error):
            raise InputError(
                f"No space left on the disk while writing {path}: free some space and start again."
            ) from error
        raise
    finally:
        with contextlib.suppress(NotADirectoryError):  # then the block has failed for that reason
            temporary.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what killed processes of this machine left of `path`: its temporary siblings whose writers are no more."""
    own = re.compile(rf"{re.escape(f'.{path.stem}.')}(\d+)-{HOST}{re.escape(f'.tmp{path.suffix}')}")
    for sibling in path.parent.iterdir():
        found = own.fullmatch(sibling.name)
        if found and not _runs(int(found[1])):
            sibling.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def flush(path: str | os.PathLike) -> None:
    """Wait until a file's bytes, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot flush folders, or not at all
            raise
    finally:
        os.close(handle)


def make_folder(folder: str | os.PathLike) -> None:
    """Make a folder with all above it, each durable in the folder that holds it."""
    folder = Path(folder)
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        flush(place.parent)


def _umask() -> int:
    """The process's mask of permissions; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error says so: an OSError by its number, safetensors' own error class in its text alone.

    Errors that it followed count: closing a file that is cut short fails in torch's own words.
    """
    full = (errno.ENOSPC, errno.EDQUOT)
    while error is not None:
        if getattr(error, "errno", None) in full or any(f"(os error {number})" in str(error) for number in full):
            return True
        error = error.__context__
    return False


def write_text(path: str | os.PathLike, text: str, lasting: bool = True) -> None:
    """A text in UTF-8. One that is not `lasting`, a sign of life, is neither noted nor flushed to the disk."""
    with atomic_write(path, noted=lasting, durable=lasting) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value, lasting: bool = True) -> None:
    """Indented JSON with sorted keys, so that equal content gives equal bytes. NaN is refused: write None."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", lasting)


def read_json(path: str | os.PathLike):
    """The value in a JSON file. Raises InputError if it is empty, cut short or no JSON at all."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON, and of bytes that are no text
        raise damaged(path, f"it is no JSON ({error})") from None


def write_npz(path: str | os.PathLike, **arrays: np.ndarray) -> None:
    with atomic_write(path) as temporary:
        np.savez(temporary, **arrays)


def write_npy(path: str | os.PathLike, array: np.ndarray) -> None:
    with atomic_write(path) as temporary:
        np.save(temporary, array)
