"""Atomic writes and content digests: no reader ever sees half a file, and equal content has an equal name.

Every output of this package is written to a temporary sibling (same folder, so same file system) and renamed onto its
path as the last step. `os.replace` is atomic on POSIX, so a killed job leaves the old file or the new one.
"""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ftbench.errors import InputError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it onto `path` when the block succeeds, remove it when it fails.

    The sibling keeps the suffix of `path` (`np.savez` and matplotlib choose formats by it). Raises InputError where the
    disk is full, naming the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # safetensors leaves its files to their owner alone
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
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_npz(path: str | os.PathLike, **arrays: np.ndarray) -> None:
    with atomic_write(path) as temporary:
        np.savez(temporary, **arrays)


def write_npy(path: str | os.PathLike, array: np.ndarray) -> None:
    with atomic_write(path) as temporary:
        np.save(temporary, array)


def sha256_of_file(path: str | os.PathLike) -> str:
    """Hex sha256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def refuse_damaged(path: str | os.PathLike, written: str, found: str | None = None) -> None:
    """Raise InputError unless a file's sha256, or that of its content if `found` is given, is the one that was written."""
    found = found or sha256_of_file(path)
    if found != written:
        raise damaged(path, f"its sha256 is {found[:12]}..., {written[:12]}... was written")


def damaged(path: str | os.PathLike, why: str) -> InputError:
    """What to say of a file that is not what was written; one from a cache of Snakemake's is a link to the entry there."""
    path = Path(path)
    entry = f" and its entry in the cache, {path.resolve()}," if path.is_symlink() else ""
    return InputError(f"{path} is damaged: {why}; delete it{entry} and start again.")


def md5_of_file(path: str | os.PathLike) -> str:
    """Hex md5 of a file's bytes: data set publishers give md5, so that is what is compared."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def digest(value) -> str:
    """Hex sha256 of a JSON-able value; the order of a dict's keys does not matter, the pairing of key and value does."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()
