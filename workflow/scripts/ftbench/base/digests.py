"""Digests of files, values, arrays and folders: equal content has an equal digest."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ftbench.base.errors import InputError


def sha256_of_file(path: str | os.PathLike) -> str:
    """Hex sha256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def refuse_damaged(path: str | os.PathLike, written: str, found: str | None = None) -> None:
    """Raise InputError unless a file's sha256, or that of its content if `found` is given, is the one that was written."""
    if found is None and not Path(path).is_file():
        raise InputError(
            f"{path} is missing, though the record beside it names it; start the study that makes it again."
        )
    found = found or sha256_of_file(path)
    if found != written:
        raise damaged(path, f"its sha256 is {found[:12]}..., {written[:12]}... was written")


def damaged(path: str | os.PathLike, why: str) -> InputError:
    """What to say of a file that is not what was written; one from a cache of Snakemake's is a link to the entry there."""
    path = Path(path)
    entry = f" and its entry in the cache, {path.resolve()}," if path.is_symlink() else ""
    return InputError(f"{path} is damaged: {why}; delete it{entry} and start again.")


def digests_of_images(pixels, labels: np.ndarray, classes: list[str], shape: tuple[int, ...]) -> tuple[str, str]:
    """(sha256 of the pixels, digest of pixels, labels and classes) of a part, as its train.json or test.json names them.

    `pixels` is the hashlib sha256 that all pixels went through, and is used up; labels (N,) int64; shape is that of one image.
    """
    alone = pixels.hexdigest()
    pixels.update(labels.tobytes())
    pixels.update(json.dumps([classes, shape]).encode())
    return alone, pixels.hexdigest()


def md5_of_file(path: str | os.PathLike) -> str:
    """Hex md5 of a file's bytes: data set publishers give md5, so that is what is compared."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def digest(value) -> str:
    """Hex sha256 of a JSON-able value; the order of a dict's keys does not matter, the pairing of key and value does."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()


def content_of(path: str | Path | None) -> str | None:
    """Sixteen hex digits over a user's file, a parameter of the jobs that read it; "missing" where there is none."""
    if path is None:
        return None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] if Path(path).is_file() else "missing"


def digest_of_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Hex sha256 over names, shapes, types and bytes of numpy arrays, in the order of their names."""
    described = ((name, np.ascontiguousarray(arrays[name])) for name in sorted(arrays))
    return digest_of_parts((f"{name} {array.shape} {array.dtype}", array) for name, array in described)


def digest_of_parts(parts: Iterable[tuple[str, np.ndarray]]) -> str:
    """Hex sha256 over pairs of a text and the bytes of a contiguous array."""
    total = hashlib.sha256()
    for text, array in parts:
        total.update(text.encode())
        total.update(memoryview(array.reshape(-1)).cast("B"))
    return total.hexdigest()
