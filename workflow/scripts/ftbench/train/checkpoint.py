"""The state of an unfinished training run, kept where a kill at any moment leaves a usable one.

Snakemake deletes the outputs of a failed job, so the state lives in a folder that no rule declares, a sibling of the
model (`<model>.resume/`). It is written to a temporary file and renamed, and carries the identity of the run, its data
and its code: a state of another identity is ignored, and said so.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from ftbench.base.files import atomic_write

STATE = "state.pt"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock; yield whether it had to be waited for.

    A killed Snakemake leaves its training process alive, and the next start would train the same run beside it. The
    kernel drops the lock when its holder ends, however it ends, so that a stale lock cannot exist.
    """
    waited = False
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not waited:
                print(f"another process trains this run and holds {folder / 'lock'}; waiting until it ends")
            waited = True
            os.close(handle)
            time.sleep(1)
            continue
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(handle).st_ino == (folder / "lock").stat().st_ino:
                break
        os.close(handle)  # the holder finished and removed the folder between our open and our lock
    try:
        yield waited
    finally:
        os.close(handle)


def save(folder: Path, identity: str, state: dict) -> None:
    with atomic_write(folder / STATE, noted=False) as temporary, temporary.open("wb") as stream:
        torch.save({"identity": identity, **state}, stream)


def load(folder: Path, identity: str) -> dict | None:
    """The saved state, or None where there is none of this `identity`."""
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged disk block, say; training afresh is right and loses nothing but time
        print(f"the resume state {path} cannot be read ({type(error).__name__}: {error}); training starts afresh")
        return None
    if state["identity"] != identity:
        print(f"the resume state {path} is of another recipe, data, code or device; training starts afresh")
        return None
    return state


def clear(folder: Path) -> None:
    """Remove the folder of a finished run."""
    shutil.rmtree(folder, ignore_errors=True)


class Interrupted(Exception):
    """A signal came during validation."""


class StopSignal:
    """Turns SIGTERM and SIGINT into a flag that the training loop looks at after every step."""

    def __init__(self):
        self.number: int | None = None

    def __enter__(self) -> "StopSignal":
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame) -> None:
        self.number = number
