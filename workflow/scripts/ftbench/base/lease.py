"""Lease GPUs on a workstation: each job gets devices of its own, by a file lock per device.

Snakemake counts `resources: gpu`, but says no job which device is its own. A job that asks for n GPUs waits until it holds
the locks of n devices and shows torch only those, by CUDA_VISIBLE_DEVICES, before torch is imported. The kernel drops the
locks of a process that ends, however it ends. A batch scheduler assigns devices itself, so there nothing is leased.
FTBENCH_SLOTS_PER_GPU in the environment lets that many jobs share a device: small networks leave most of a large GPU idle.

The locks of one user lie in a folder that nobody else can write to. If several users share a machine, its administrator makes
a folder that all of them can write to, best with the sticky bit, and names it to all in FTBENCH_LEASES.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ftbench.base.errors import InputError

SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "KUBERNETES_SERVICE_HOST")
POLL_SECONDS = 1.0
SLOTS = "FTBENCH_SLOTS_PER_GPU"
SHARED = "FTBENCH_LEASES"
NAME = "ftbench-gpus"


def devices(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The devices that this process may use: those of CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists."""
    if "CUDA_VISIBLE_DEVICES" in environment:
        named = [name.strip() for name in environment["CUDA_VISIBLE_DEVICES"].split(",")]
        return [name for name in dict.fromkeys(named) if name]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout.splitlines()
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed))]


def slots_per_gpu(environment: Mapping[str, str] = os.environ) -> int:
    """How many jobs may hold a device at a time."""
    value = environment.get(SLOTS, "1")
    if not value.isdecimal() or int(value) < 1:
        raise InputError(f"{SLOTS} is {value!r}; it must be a whole number of 1 or more: jobs that share a GPU.")
    return int(value)


def lock_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the locks: the one that FTBENCH_LEASES names, else this user's own, made where it is missing.

    The own one lies in XDG_RUNTIME_DIR, or in /run/user/<user> where a job has lost that variable, else in the temporary folder.
    Raises InputError if the folder is a link, another user's, or one that others can write to: a stranger could then take
    locks away.
    """
    if environment.get(SHARED):
        folder = Path(environment[SHARED])
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise InputError(
                f"{SHARED} is {str(folder)!r}; it must be a folder that this user can read and write: the machine's administrator "
                "makes it, for all who share the GPUs."
            )
        return folder
    user = os.geteuid()
    runtime = Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{user}")
    own = runtime.is_absolute() and _private(runtime) is None
    folder = runtime / NAME if own else Path(tempfile.gettempdir()) / f"{NAME}-{user}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    fault = _private(folder)
    if fault:
        raise InputError(
            f"The folder of GPU locks {folder} {fault}; remove it, or name another folder in {SHARED}, so that no other user can "
            "take the locks away."
        )
    return folder


def _private(folder: Path) -> str | None:
    """What keeps a folder from being this user's alone; None if nothing does."""
    try:
        found = folder.lstat()
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    if not stat.S_ISDIR(found.st_mode):
        return "is a link" if stat.S_ISLNK(found.st_mode) else "is no folder"
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    return "can be written to by others" if found.st_mode & 0o022 else None


def _lock(path: Path) -> int | None:
    """A handle that holds the lock of `path`, or None if another job does.

    No link is followed and nothing is waited for. A file that was removed between opening and locking it is no lock: another
    job would make a new one.
    """
    while True:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            # Reading is enough for a lock, and all that another user's file allows. To open it with O_CREAT would be refused
            # in a folder with the sticky bit (fs.protected_regular).
            handle = os.open(path, flags)
        except FileNotFoundError:
            try:
                handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
                os.fchmod(handle, 0o644)  # the umask may have hidden it from those who share the folder
            except FileExistsError:
                continue
            except OSError as error:
                raise _no_lock(path, error.strerror) from error
        except OSError as error:
            raise _no_lock(path, error.strerror) from error
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _no_lock(path, "it is no regular file")
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(path, handle):
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _no_lock(path: Path, why: str) -> InputError:
    return InputError(f"The GPU lock {path} cannot be opened ({why}); remove it, or name another folder in {SHARED}.")


def _is_there(path: Path, handle: int) -> bool:
    """Whether the file that `handle` has open is still the one of that name."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _file(name: str, slot: int) -> str:
    """The lock's file of a slot of a device; a name that is no plain word stands there by its digest."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        name = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:32]
    return f"{name}{f'.{slot}' * bool(slot)}.lock"


@contextlib.contextmanager
def leased(count: int, environment: Mapping[str, str] = os.environ, folder: Path | None = None) -> Iterator[list[str]]:
    """Hold `count` devices for the block and yield their names; an empty list where there is nothing to lease.

    Nothing is leased for a count of 0, under a batch scheduler, and on a machine with fewer than `count` devices (torch then
    says what it finds). Either all `count` are held or none, so that two jobs cannot wait for each other. `folder` is the one of
    `lock_folder` if it is not given. A lock that was removed while it was held is said at the end: another job may have had the
    device as well.
    """
    available = [] if any(name in environment for name in SCHEDULERS) else devices(environment) if count else []
    if not count or len(available) < count:
        yield []
        return
    folder = folder or lock_folder(environment)
    # Emptier devices first: every device's first slot, then every second one.
    places = [(name, slot) for slot in range(slots_per_gpu(environment)) for name in available]
    held = _take(places, count, folder)
    try:
        yield list(held)
    finally:
        for path, handle in held.values():
            if not _is_there(path, handle):
                print(
                    f"The GPU lock {path} was removed while this job held it: another job may have used the same device, "
                    "and the seconds measured here may be those of a shared one."
                )
            os.close(handle)


def _take(places: list[tuple[str, int]], count: int, folder: Path) -> dict[str, tuple[Path, int]]:
    """Wait for `count` devices; {name: (its lock, handle)}."""
    waiting = False
    while True:
        held: dict[str, tuple[Path, int]] = {}
        try:
            for name, slot in places:
                if len(held) == count:
                    break
                path = folder / _file(name, slot)
                # n GPUs are n devices
                if name not in held and (handle := _lock(path)) is not None:
                    held[name] = (path, handle)
            if len(held) == count:
                return held
        except BaseException:
            _drop(held)
            raise
        _drop(held)
        if not waiting:
            names = ", ".join(dict.fromkeys(name for name, _ in places))
            print(f"waiting for {count} of the GPUs {names}: other jobs hold them")
            waiting = True
        time.sleep(POLL_SECONDS)


def _drop(held: dict[str, tuple[Path, int]]) -> None:
    for _, handle in held.values():
        os.close(handle)
