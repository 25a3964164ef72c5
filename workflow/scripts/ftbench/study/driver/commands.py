"""The commands that made a study: one line per start of Snakemake, in results/<study>/logs/commands.jsonl; one at a time."""

import fcntl
import json
import os
import platform
import shlex
import sys
import time
from pathlib import Path

from ftbench.base.errors import InputError

FILE = "logs/commands.jsonl"


LOCK = "logs/driver.lock"


def hold(folder: str | Path) -> int:
    """Take a study's folder for this process, until it ends; returns the handle that holds the lock.

    Snakemake locks the folder that it is started in. Two clones that share one folder of results would each delete what the other
    has just made. Raises InputError if another process holds the folder.
    """
    path = _writable(Path(folder) / LOCK)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise InputError(
            f"Another Snakemake works in {folder}, perhaps from another clone that shares it; wait until it ends, or give this study "
            "another name."
        ) from error
    return handle


def _writable(path: Path) -> Path:
    """The path of a file that can be written, made with its folder if it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); give a folder of results that is yours to write."
        ) from error
    return path


def note_command(folder: str | Path) -> None:
    """Append this process's command line, with the time (UTC) and the machine's name, to the study's folder.

    Undeclared as an output on purpose: it grows with every start, and no result depends on it.
    """
    path = _writable(Path(folder) / FILE)
    program = Path(sys.argv[0])
    name = "snakemake" if program.name == "__main__.py" else program.name
    line = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": shlex.join([name, *sys.argv[1:]]),
        "machine": platform.node(),
    }
    # One write of one line: starts that overlap cannot mix theirs.
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, (json.dumps(line) + "\n").encode())
    finally:
        os.close(handle)


def read_commands(folder: str | Path) -> list[dict]:
    """Every noted start, oldest first; [] if none was noted."""
    path = Path(folder) / FILE
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
