"""Atomic writes and content digests: no reader ever sees half a file, and equal content has an equal name.

Every output of this package is written to a temporary sibling (same folder, so same file system) and renamed onto its
path as the last step. `os.replace` is atomic on POSIX, so a killed job leaves the old file or the new one.
"""

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ftbench.base import verified
from ftbench.base.digests import damaged
from ftbench.base.errors import InputError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, noted: bool = True) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it onto `path` when the block succeeds, remove it when it fails.

    What the file holds is noted, so that its readers can tell (`ftbench.base.verified`), unless it is one that changes all the time.
    The sibling keeps the suffix of `path` (`np.savez` and matplotlib choose formats by it). Raises InputError where the
    disk is full, naming the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # safetensors leaves its files to their owner alone
        if noted:
            verified.note(temporary, path)
        temporary.replace(path)
    except Exception as error:
        if _disk_is_full(error):
            raise InputError(
                f"No space left on the disk while writing {path}: free some space and start again."
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask of permissions; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _disk_is_full(error: BaseException | None) -> bool:
    """Whether an error says so: an OSError by its number, safetensors' own error class in its text alone.

    Errors that it followed count: closing a file that is cut short fails in torch's own words.
    """
    full = (errno.ENOSPC, errno.EDQUOT)
    while error is not None:
        if getattr(error, "errno", None) in full or any(f"(os error {number})" in str(error) for number in full):
            return True
        error = error.__context__
    return False


def write_text(path: str | os.PathLike, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value) -> None:
    """Indented JSON with sorted keys, so that equal content gives equal bytes. NaN is refused: write None."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


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
