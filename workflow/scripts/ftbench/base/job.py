"""Enter and leave a workflow job: its GPU, where its output goes, and how it tells the user what went wrong.

`log:` redirects nothing by itself, so file descriptors 1 and 2 are put onto the job's log, C libraries included.
Snakemake deletes the log of a failed job; a copy stays beside it as `<log>.failed`, and the reason is also written to
the terminal, where the user looks first.
"""

import contextlib
import os
import shutil
import sys
import time
import traceback
from pathlib import Path

from ftbench.base import verified
from ftbench.base.errors import InputError
from ftbench.base.lease import leased


@contextlib.contextmanager
def job(snakemake):
    """Run the block with its output on the job's log. An InputError ends the job with its sentence alone."""
    log = Path(snakemake.log[0])
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = os.dup(2)
    with log.open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)
    name = " ".join([snakemake.rule, *map(str, dict(snakemake.wildcards).values())])
    start = time.monotonic()
    print(f"{name}: started {time.strftime('%Y-%m-%d %H:%M:%S')}, {snakemake.threads} threads")
    try:
        unknown = verified.check(snakemake.input)
        if unknown:
            print(
                f"{unknown[0]}{f' and {len(unknown) - 1} more' * (len(unknown) > 1)}: not noted when written, read as found"
            )
        with leased(int(snakemake.resources.get("gpu", 0))) as gpus:
            if gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
                print(f"GPU {', '.join(gpus)} leased")
            yield
    except InputError as error:
        print(error)
        _tell(terminal, f"{name}: {error}", log)
        raise SystemExit(1) from None
    except Exception:
        traceback.print_exc()
        _tell(terminal, f"{name} failed:\n{traceback.format_exc()}", log)
        raise SystemExit(1) from None
    print(f"{name}: done in {time.monotonic() - start:.1f} s")
    log.with_name(log.name + ".failed").unlink(missing_ok=True)


def _tell(terminal: int, message: str, log: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    kept = log.with_name(log.name + ".failed")
    shutil.copyfile(log, kept)
    os.write(terminal, f"\n{message}\n(the log is kept in {kept})\n".encode())
