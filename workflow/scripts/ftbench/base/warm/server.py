"""A process that forks jobs. What one job has imported of the heavy libraries is there for the next one: torch alone takes seconds.

    python server.py SOCKET ROOM    the number of an open socket, at whose other end is ftbench.base.warm.start; and a long
                                    text, in whose place ps shall show what a job runs

It imports nothing of the package: every job reads the files of its checkout as they are when it starts. A library is imported
here when the job that is asked for imports it for certain, or another one has needed it: a single job costs no more than it did.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
from pathlib import Path

# Those that take long to import and start no threads, which a fork would leave behind.
WORTH = (
    *("numpy", "torch", "torchvision", "timm", "scipy.stats", "pandas", "sklearn.linear_model"),
    *("matplotlib.figure", "matplotlib.backends.backend_svg", "matplotlib.pyplot"),
)
# pyarrow, which pandas imports and with it scikit-learn, has an allocator that gives memory back in a thread; not if it is told so.
NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
ASKING_FOR_COMPILER = ("torchvision", "timm")  # which imports it
WITHOUT_COMPILER = Path(__file__).parents[2] / "machine" / "spared_compiler.py"
# What a terminal, a shutdown or a scheduler sends to all processes of a group.
FOR_JOBS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130  # a shell's exit status of a program that Ctrl-C ended
SET_NAME = 15  # PR_SET_NAME of linux/prctl.h


def serve(control: socket.socket) -> tuple[dict, int] | None:
    """Fork a job for every socket that comes through `control`, and write to it the job's process id and, later, how it ended.

    With the socket come the names of what the job imports for certain. Ctrl-C and the signals that end a program are for the jobs, which may
    have something to save: one that is asked for, and for which libraries are still imported, ends before it has begun.
    Returns in each job, with what was asked for and the end of a pipe to teach by; and None here, once the other end has gone.
    """
    came: list[int] = []
    actions = _leave_to_jobs(came)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, wake = os.pipe()
    learned, teach = os.pipe()
    for end in (woken, wake, learned):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    askers: dict[int, socket.socket] = {}
    tried: set[str] = set()
    while True:
        ready = select.select([control, woken], [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            _tell_ended(askers)
        if control not in ready:
            continue
        word, sockets, *_ = socket.recv_fds(control, 65536, 1)
        if not word:
            return None
        asker = socket.socket(fileno=sockets[0])
        came.clear()
        _import({*word.decode().split(), *_names(learned)}, tried)
        gc.freeze()  # a job's collector leaves alone what is here, and so the memory stays shared
        pid = os.fork()
        if pid:
            askers[pid] = asker
            _write(asker, pid)
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, action in actions.items():
            signal.signal(number, action)
        if came:
            _end_by(came[0])
        request = json.loads(asker.makefile().readline())
        for open_one in (control, asker, *askers.values()):
            open_one.close()  # only the server's own ends tell the other side that it is there
        for end in (woken, wake, learned):
            os.close(end)
        return request, teach


def _leave_to_jobs(came: list[int]) -> dict:
    """Only note the signals that are meant for jobs, in `came`; returns {number: what was done at it before}."""
    actions = {number: signal.getsignal(number) for number in FOR_JOBS}
    for number, action in actions.items():
        if action is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: came.append(number))
    return actions


def _end_by(number: int) -> None:
    """End this process as the signal would end a new one."""
    if number == signal.SIGINT:
        os._exit(INTERRUPTED)
    os.kill(os.getpid(), number)


def _tell_ended(askers: dict[int, socket.socket]) -> None:
    """Write to the asker of each job that has ended its exit status, or minus the signal that ended it."""
    while askers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        asker = askers.pop(pid)
        _write(asker, os.waitstatus_to_exitcode(status))
        asker.close()


def _write(asker: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody waits for this job any more
        asker.sendall(f"{number}\n".encode())


def _names(learned: int) -> set[str]:
    try:
        return set(os.read(learned, 65536).decode().split())
    except BlockingIOError:
        return set()


def _import(names: set[str], tried: set[str]) -> None:
    """Import those of WORTH that `names` has, once: what cannot be imported, for any reason, is left to the job, which says what is wrong."""
    os.environ.update(NO_THREAD)  # a job has an environment of its own
    for name in WORTH:
        if name in names and name not in tried:
            tried.add(name)
            if name in ASKING_FOR_COMPILER:
                _spare_compiler()
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _spare_compiler() -> None:
    """torchvision without torch's compiler, as in the jobs themselves; the file is run under no name that a job would import."""
    spec = importlib.util.spec_from_file_location("_warm_without_compiler", WITHOUT_COMPILER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.spare_compiler()


def run(request: dict, teach: int) -> None:
    """Run the asked script in this process as `python script` would: its folder first on the path, its environment, its exit status."""
    script = request["script"]
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # asked anew, in this environment
    sys.argv, sys.path[0] = [script], str(Path(script).parent)
    if sys.platform == "linux":
        _show(f"{sys.executable} {script}")
        ctypes.CDLL(None).prctl(SET_NAME, request["name"].encode()[:15])  # for top
    atexit.register(lambda: os.write(teach, "".join(f"{name}\n" for name in WORTH if name in sys.modules).encode()))
    runpy.run_path(script, run_name="__main__")


def _show(command: str) -> None:
    """Let ps show `command`: it is written over this process's arguments, as the setproctitle of other systems does.

    Linux takes them as one text if their last byte is not zero (proc(5), /proc/pid/cmdline).
    """
    start, end = _arguments(Path("/proc/self/stat"))
    if end - start < 3:
        return  # a system that does not say where they are; ps shows the server then
    text = command.encode()[: end - start - 2]
    ctypes.memmove(start, text.ljust(end - start - 1, b"\0") + b".", end - start)


def _arguments(stat: Path) -> tuple[int, int]:
    """Where this process's arguments begin and end in its memory: arg_start and arg_end of proc(5); zeros where nobody says."""
    try:
        start, end = map(int, stat.read_text().rpartition(")")[2].split()[45:47])
    except (OSError, ValueError):
        return 0, 0
    return (start, end) if start else (0, 0)


if __name__ == "__main__":
    if sys.platform == "linux":
        _show(f"{sys.executable} {__file__}")
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked:
        run(*asked)
