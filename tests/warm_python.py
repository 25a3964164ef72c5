"""Python for tests: forked from a process that has imported the large libraries already. Their imports take longer than most that tests do.

    python -m snakemake ...       and    run(["-m", "snakemake", ...], folder, environment)
    python benchmarks/x.py ...    and    run(["benchmarks/x.py", ...], folder, environment)
    python -c "..." ...           and    run(["-c", "...", ...], folder, environment)

do the same: the fork has the folder, the environment, the path of modules and the arguments that a new Python would have, and nothing of
this repository or of an earlier start. A fork iterates over sets in the order of its server, so two servers take turns: what depends on that
order is another at the next start, as with new processes. What has to be killed, or to have a session, starts as a process of its own.
"""

import atexit
import contextlib
import functools
import importlib
import importlib.util
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
SNAKEMAKE = ("snakemake.cli", "snakemake_executor_plugin_slurm", "snakemake.report.html_reporter")
SNAKEMAKE += ("smart_open", "jsonschema", "yte")
# What others import of these they find imported; the rest is theirs.
SCRIPTS = ("torch", "torchvision", "scipy.stats", "pandas", "jsonschema")
TORCH = ("torch",)
# pyarrow, which pandas imports, has an allocator with a thread of its own, which no fork would have.
ALONE = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


def run(
    arguments: list[str],
    folder: Path,
    environment: dict[str, str],
    timeout: float = 1200,
    apart: bool = False,
    imported: tuple[str, ...] = SCRIPTS,
) -> subprocess.CompletedProcess:
    """What `python` with these arguments gives: returncode and stdout, the errors in it or `apart` as stderr.

    What takes longer than `timeout` seconds is killed. `imported` are the modules that it finds imported; of Snakemake always SNAKEMAKE.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            request = {"arguments": arguments, "folder": str(folder), "environment": environment}
            imported = SNAKEMAKE if arguments[:2] == ["-m", "snakemake"] else imported
            server = next(_servers(os.getpid(), imported))
            socket.send_fds(server, [b"p"], [stream.fileno() for stream in (theirs, out, errors if apart else out)])
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
        for stream in (out, errors):
            stream.seek(0)
        return subprocess.CompletedProcess(arguments, status, out.read(), errors.read())


@functools.cache
def _servers(_pid: int, modules: tuple[str, ...]) -> Iterator[socket.socket]:
    """The ends of the sockets that reach this process's own servers, in turn; they end when this process does."""
    return itertools.cycle([_server(modules), _server(modules)] if modules == SNAKEMAKE else [_server(modules)])


def _server(modules: tuple[str, ...]) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHASHSEED")}
    with theirs:
        command = [sys.executable, __file__, str(theirs.fileno()), *modules]
        server = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=clean | ALONE | {"OMP_NUM_THREADS": "1"})
    atexit.register(lambda: (ours.close(), server.wait()))
    return ours


# --- the server's side -----------------------------------------------------------------------------------------------


def serve(control: socket.socket) -> dict | None:
    """Fork for every request. Returns in each fork, and None at the end.

    Between the server and the fork stands a process that waits for it, and tells its process id and, later, its exit status.
    """
    while True:
        word, given, *_ = socket.recv_fds(control, 1, 3)
        _reap(os.WNOHANG)
        if not word:
            _reap(0)
            return None
        if not os.fork():
            control.close()
            return _watched(socket.socket(fileno=given[0]), given[1:])
        for descriptor in given:
            os.close(descriptor)


def _reap(options: int) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _watched(asker: socket.socket, streams: list[int]) -> dict:
    """The request, in a fork of this process with these streams as its output; this process ends with it."""
    pid = os.fork()
    if not pid:
        request = json.loads(asker.makefile().readline())
        for number, descriptor in enumerate(streams, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        asker.close()
        return request
    with contextlib.suppress(OSError):  # nobody waits for it any more
        asker.sendall(f"{pid}\n".encode())
        asker.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
    os._exit(0)


def become(request: dict) -> None:
    """What `python` with the asked arguments does, in this process."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    tempfile.tempdir = None  # asked anew, in this environment
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    script, *arguments = request["arguments"]
    if script == "-m":
        sys.path[:1] = [str(Path.cwd()), *given]
        sys.argv = arguments
        if "snakemake.workflow" in sys.modules:
            sys.modules["snakemake.workflow"].Workflow._rundir = str(Path.cwd())  # it asks when it is imported
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    elif script == "-c":
        sys.path[:1] = ["", *given]
        sys.argv = ["-c", *arguments[1:]]
        exec(compile(arguments[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.path[:1] = [str(Path(script).parent), *given]
        sys.argv = request["arguments"]
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    for name in sys.argv[2:]:
        if name == "torchvision":  # without torch's compiler, as in jobs
            own = Path(__file__).parents[1] / "workflow/scripts/ftbench/machine/spared_compiler.py"
            spec = importlib.util.spec_from_file_location("_without_compiler", own)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            module.spare_compiler()
        importlib.import_module(name)
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked:
        become(asked)
