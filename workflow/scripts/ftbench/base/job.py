"""Enter and leave a workflow job: its GPU, where its output goes, and how it tells the user what went wrong.

`log:` redirects nothing by itself, so file descriptors 1 and 2 are put onto the job's log, C libraries included.
Snakemake deletes the log of a failed job; a copy stays beside it as `<log>.failed`, and the reason is also written to
the terminal, where the user looks first. The reason comes before the copy: on a full disk there is none.
"""

import atexit
import contextlib
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from ftbench.base import verified
from ftbench.base.errors import InputError
from ftbench.base.files import disk_is_full
from ftbench.base.kept import KEPT
from ftbench.base.lease import leased
from ftbench.base.out_of_memory import out_of_memory

INTERRUPTED = 130  # a shell's exit status of a program that Ctrl-C ended


@contextlib.contextmanager
def job(snakemake):
    """Run the block with its output on the job's log. An InputError ends the job with its sentence alone."""
    log = Path(snakemake.log[0])
    name = " ".join([snakemake.rule, *map(str, dict(snakemake.wildcards).values())])
    terminal = os.dup(2)
    start = time.monotonic()
    interrupt = _Interrupt()
    try:
        _redirect(log)
        interrupt.listen()
        print(f"{name}: started {time.strftime('%Y-%m-%d %H:%M:%S')}, {snakemake.threads} threads")
        unknown = verified.check(snakemake.input)
        if unknown:
            print(
                f"{unknown[0]}{f' and {len(unknown) - 1} more' * (len(unknown) > 1)}: not noted when written, read as found"
            )
        with leased(int(snakemake.resources.get("gpu", 0))) as gpus:
            if gpus:
                # The numbers are nvidia-smi's, and CUDA has another order of its own.
                if "CUDA_VISIBLE_DEVICES" not in os.environ:
                    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
                os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
                print(f"GPU {', '.join(gpus)} leased")
            yield
        print(f"{name}: done in {time.monotonic() - start:.1f} s")
    except InputError as error:
        _tell(terminal, f"{name}: {error}{_earlier(snakemake.params)}", str(error), log)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        interrupt.leave()
    except Exception as error:
        if interrupt.came:  # and a library made another error of it
            interrupt.leave()
        # The log lies on a disk as well: each line that is said may be the first that does not fit.
        if disk_is_full(error):
            sentence = f"No space left on the disk ({_named(error) or log}): free some space and start again."
            _tell(terminal, f"{name}: {sentence}", sentence, log)
        elif sentence := out_of_memory(error):
            _tell(terminal, f"{name}: {sentence}", traceback.format_exc(), log)
        else:
            _tell(terminal, f"{name} failed:\n{traceback.format_exc()}", traceback.format_exc(), log)
        raise SystemExit(1) from None
    log.with_name(log.name + ".failed").unlink(missing_ok=True)


def leave() -> None:
    """End this process, whose work is done, but for taking its modules apart one by one: with torch that takes a second."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class _Interrupt:
    """Ctrl-C in a job: remembered, so that it is known whatever a library makes of the exception."""

    came = False

    def listen(self) -> None:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored
            signal.signal(signal.SIGINT, self)

    def __call__(self, number: int, frame) -> None:
        self.came = True
        raise KeyboardInterrupt

    def leave(self) -> None:
        """To the log alone: the terminal has the study's one line, and of a job that alone was interrupted the end of its log."""
        with contextlib.suppress(OSError):  # a full disk
            print("interrupted; the next start goes on from here.", flush=True)
        raise SystemExit(INTERRUPTED) from None


def _earlier(params) -> str:
    """A sentence on what the job had made before, if it was kept."""
    folder = Path(params.get("resume") or "", KEPT)
    return f" Its earlier outputs are kept in {folder}, and come back with the inputs that made them." * folder.is_dir()


def _redirect(log: Path) -> None:
    """Put this process's output, and that of its children, onto the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)


def _named(error: BaseException | None) -> str | None:
    """The file that an error, or one that it followed, names."""
    while error is not None:
        if getattr(error, "filename", None):
            return str(error.filename)
        error = error.__context__
    return None


def _tell(terminal: int, message: str, logged: str, log: Path) -> None:
    """Say the message on the terminal, then write it to the log and keep a copy of that, as far as there is room."""
    os.write(terminal, f"\n{message}\n".encode(errors="backslashreplace"))
    kept = log.with_name(log.name + ".failed")
    try:
        print(logged, flush=True)
        sys.stderr.flush()
        shutil.copyfile(log, kept)
        note = f"the log is kept in {kept}"
    except OSError as error:
        with contextlib.suppress(OSError):  # what goes wrong here has been said in the line before
            kept.unlink(missing_ok=True)  # half a log
        note = f"the log could not be kept: {error.strerror}"
        _discard_output()
    os.write(terminal, f"({note})\n".encode(errors="backslashreplace"))


def _discard_output() -> None:
    """Let the interpreter end without a second complaint about lines that it could not write."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
