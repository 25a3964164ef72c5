"""Snakemake for tests: forked from a process that has imported it already. Its imports alone take longer than most plans of a tiny study.

    python -m snakemake ...    and    run([...], folder, environment)

do the same: the fork has the folder, the environment, the path of modules and the arguments that a new Python would have, and nothing of
this repository or of an earlier start. A fork iterates over sets in the order of its server, so two servers take turns: what depends on that
order is another at the next start, as with new processes. What has to be killed, or to have a session, starts as a process of its own.
"""

import atexit
import contextlib
import functools
import itertools
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# What every start of Snakemake imports, its plugins among it, and what those import: pandas, requests, docutils, ...
MODULES = (
    "snakemake.cli",
    "snakemake_executor_plugin_slurm",
    "snakemake.report.html_reporter",
    "smart_open",
    "jsonschema",
    "yte",
)
# pyarrow, which pandas imports, has an allocator with a thread of its own, which no fork would have.
ALONE = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


def run(arguments: list[str], folder: Path, environment: dict[str, str], timeout: float) -> tuple[int, str]:
    """(exit status, or minus the signal that ended it; all that it printed) of `python -m snakemake` with these arguments."""
    with tempfile.TemporaryFile("w+") as printed:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            request = {"arguments": arguments, "folder": str(folder), "environment": environment}
            socket.send_fds(next(_servers(os.getpid())), [b"s"], [theirs.fileno(), printed.fileno()])
            theirs.close()
            ours.sendall(json.dumps(request).encode() + b"\n")
            ours.settimeout(timeout)
            with ours.makefile() as told:
                pid = int(told.readline())
                try:
                    status = int(told.readline())
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    status = -signal.SIGKILL
        printed.seek(0)
        text = printed.read()
    return status, text


@functools.cache
def _servers(_pid: int) -> Iterator[socket.socket]:
    """The ends of the sockets that reach this process's own servers, in turn; they end when this process does."""
    return itertools.cycle([_server(), _server()])


def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHASHSEED")}
    with theirs:
        command = [sys.executable, __file__, str(theirs.fileno())]
        server = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=clean | ALONE | {"OMP_NUM_THREADS": "1"})
    atexit.register(lambda: (ours.close(), server.wait()))
    return ours


# --- the server's side -----------------------------------------------------------------------------------------------


def serve(control: socket.socket) -> dict | None:
    """Fork for every request, and tell the process id and, later, the exit status. Returns in each fork, and None at the end."""
    while True:
        word, sockets, *_ = socket.recv_fds(control, 1, 2)
        if not word:
            return None
        asker, printed = socket.socket(fileno=sockets[0]), sockets[1]
        pid = os.fork()
        if not pid:
            request = json.loads(asker.makefile().readline())
            for descriptor in (1, 2):
                os.dup2(printed, descriptor)
            os.close(printed)
            asker.close()
            control.close()
            return request
        os.close(printed)
        asker.sendall(f"{pid}\n".encode())
        with contextlib.suppress(OSError):  # nobody waits for it any more
            asker.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
        asker.close()


def become_snakemake(request: dict) -> None:
    """What `python -m snakemake` does, in this process."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    tempfile.tempdir = None  # asked anew, in this environment
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:1] = [str(Path.cwd()), *given]
    sys.argv = ["snakemake", *request["arguments"]]
    sys.modules["snakemake.workflow"].Workflow._rundir = str(Path.cwd())  # it asks when it is imported
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import importlib

    for name in MODULES:
        importlib.import_module(name)
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked:
        become_snakemake(asked)
