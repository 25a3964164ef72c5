"""Lease GPUs on a workstation: each job gets devices of its own, by a file lock per device.

Snakemake counts `resources: gpu`, but says no job which device is its own. A job that asks for n GPUs waits until it holds
the locks of n devices and shows torch only those, by CUDA_VISIBLE_DEVICES, before torch is imported. The kernel drops the
locks of a process that ends, however it ends. A batch scheduler assigns devices itself, so there nothing is leased.
FTBENCH_SLOTS_PER_GPU in the environment lets that many jobs share a device: small networks leave most of a large GPU idle.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ftbench.base.errors import InputError

FOLDER = Path(tempfile.gettempdir()) / "ftbench-gpus"  # one for the machine: studies of all users share its devices
SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "KUBERNETES_SERVICE_HOST")
POLL_SECONDS = 1.0
SLOTS = "FTBENCH_SLOTS_PER_GPU"


def devices(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The devices that this process may use: those of CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists."""
    if "CUDA_VISIBLE_DEVICES" in environment:
        return [name for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name.strip()]
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


@contextlib.contextmanager
def leased(count: int, environment: Mapping[str, str] = os.environ, folder: Path = FOLDER) -> Iterator[list[str]]:
    """Hold `count` devices for the block and yield their names; an empty list where there is nothing to lease.

    Nothing is leased for a count of 0, under a batch scheduler, and on a machine with fewer than `count` devices (torch then
    says what it finds). Either all `count` are held or none, so that two jobs cannot wait for each other.
    """
    available = [] if any(name in environment for name in SCHEDULERS) else devices(environment) if count else []
    if not count or len(available) < count:
        yield []
        return
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):  # another user made it, and did the same
        folder.chmod(0o777)  # mkdir's mode would be cut by the umask
    # Emptier devices first: every device's first slot, then every second one.
    places = [(name, slot) for slot in range(slots_per_gpu(environment)) for name in available]
    waiting = False
    while True:
        held: dict[str, int] = {}
        for name, slot in places:
            if name in held:  # n GPUs are n devices
                continue
            # Reading is enough for a lock, and all that another user's file allows.
            file = f"{name.replace('/', '-')}{f'.{slot}' * bool(slot)}.lock"
            handle = os.open(folder / file, os.O_RDONLY | os.O_CREAT, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            held[name] = handle
            if len(held) == count:
                break
        if len(held) == count:
            break
        for handle in held.values():
            os.close(handle)
        if not waiting:
            print(f"waiting for {count} of the GPUs {', '.join(available)}: other jobs hold them")
            waiting = True
        time.sleep(POLL_SECONDS)
    try:
        yield list(held)
    finally:
        for handle in held.values():
            os.close(handle)
