"""Starts jobs from processes that have the heavy libraries imported already (server.py), for Snakemake's main process."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from ftbench.base.warm.server import WORTH

ROOM = 600  # bytes, for the command that ps shows
SERVER = Path(__file__).with_name("server.py")
OFF = "FTBENCH_WARM_START"  # 0 in the environment: every job is a new process
THREADS = ("OMP", "GOTO", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")  # as snakemake.shell sets them
TEMPORARY = ("TMPDIR", "TMP", "TEMPDIR", "TEMP")


def wanted() -> bool:
    """Whether jobs start warm here: a system that forks, and nobody who turned it off."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds") and os.environ.get(OFF) != "0"


def environment(threads: int, temporary: str | None) -> dict[str, str]:
    """What Snakemake gives to a script: this environment, the number of threads, the folder of temporary files."""
    given = dict(os.environ)
    given.update({f"{name}{'' if '_' in name else '_NUM'}_THREADS": str(threads) for name in THREADS})
    given.update(dict.fromkeys(TEMPORARY, temporary) if temporary else {})
    return given


def worth_importing(imports: Iterable[str]) -> set[str]:
    """Of modules that a job imports, and the packages that they are in, those that a server imports for it."""
    parts = (name.split(".") for name in imports)
    return {".".join(one[:count]) for one in parts for count in range(1, len(one) + 1)} & set(WORTH)


class Servers:
    """One server per number of threads: a library looks at that number when it is imported."""

    def __init__(self) -> None:
        self._control: dict[int, socket.socket] = {}
        self._processes: list[subprocess.Popen] = []
        self._lock = threading.Lock()  # Snakemake starts jobs from many threads

    def start(
        self, script: str, name: str, threads: int, temporary: str | None = None, imports: Iterable[str] = ()
    ) -> "Job":
        """Start `python script` in this folder, shown as `name` by ps. Raises OSError if no server can be reached.

        `imports` are modules that it imports for certain; the server imports those that take long, once for all jobs.
        """
        given = environment(threads, temporary)
        request = {"script": script, "name": name, "folder": str(Path.cwd()), "environment": given}
        ours, theirs = socket.socketpair()
        try:
            with theirs:  # the server alone keeps it: if it ends before the job has started, that is seen
                self._ask(threads, given, theirs, imports)
                ours.sendall(json.dumps(request).encode() + b"\n")
            return Job(ours)
        except OSError:
            ours.close()
            raise

    def _ask(self, threads: int, given: dict, asker: socket.socket, imports: Iterable[str]) -> None:
        with self._lock:
            if threads not in self._control:
                self._control[threads] = self._new_server(given)
            try:
                word = " ".join(sorted({"job", *worth_importing(imports)}))
                socket.send_fds(self._control[threads], [word.encode()], [asker.fileno()])
            except OSError:
                self._control.pop(threads).close()  # it has ended; the next job gets another
                raise

    def _new_server(self, given: dict) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, SERVER, str(theirs.fileno()), "." * ROOM]
        with theirs:
            self._processes.append(subprocess.Popen(command, pass_fds=[theirs.fileno()], env=given))
        return ours

    def close(self) -> None:
        """End the servers. Jobs that run go on."""
        with self._lock:
            while self._control:
                self._control.popitem()[1].close()
            while self._processes:
                self._processes.pop().wait()


class Job:
    """A job that a server has started."""

    def __init__(self, server: socket.socket) -> None:
        self._told = server.makefile()
        server.close()  # the file keeps it open
        line = self._told.readline()
        if not line:
            self._told.close()
            raise ConnectionError("the process that starts jobs has ended")
        self.pid = int(line)

    def wait(self) -> int:
        """The exit status of the job, or minus the signal that ended it. A job whose server was killed is killed as well."""
        with self._told:
            line = self._told.readline()
        if line:
            return int(line)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return -signal.SIGKILL
