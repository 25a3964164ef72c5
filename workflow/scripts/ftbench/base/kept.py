"""What a job made before, kept while Snakemake makes it again, and put back if the job turns out to be the same.

Snakemake deletes the outputs of a job before the job begins, and again if it fails. A small input that was emptied, say, makes
it start every run that reads it: each run is refused in its first second, and its trained network is gone. So when a start of
Snakemake begins, before it deletes anything, the outputs that are about to be made again get a second name (a hard link, which
takes no space) beside the run's resume state. A job whose inputs, settings and code are those of the kept outputs puts them back
instead of training; a job that finishes removes them.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ftbench.base import verified
from ftbench.base.files import flush, read_json

KEPT = "kept"  # the folder in that of the resume state
# Errors of a file system without hard links, or of one that has too many of a file.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK, errno.ENOSYS)


def keep(outputs: Sequence[str | Path], folder: str | Path) -> bool:
    """Give all `outputs` a second name in the resume `folder`; False, and nothing done, if one of them is missing."""
    outputs, folder = [Path(output) for output in outputs], Path(folder)
    if not all(output.is_file() for output in outputs):
        return False
    new = folder / f"{KEPT}.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for output in outputs:
        _link(output, new / output.name)
    shutil.rmtree(folder / KEPT, ignore_errors=True)
    new.rename(folder / KEPT)
    flush(folder)
    return True


def put_back(outputs: Sequence[Path], folder: Path, identity: str) -> bool:
    """Bring kept outputs back if they are those of a job of this `identity`; False if they are not, or if there are none.

    The last of `outputs` is the record, a JSON that holds the identity, and comes back last. A kept file that is not what was
    noted when it was written stays away.
    """
    kept = [folder / KEPT / output.name for output in outputs]
    if not all(path.is_file() for path in kept):
        return False
    for path, output in zip(kept, outputs):
        written = verified.notes(output.parent).get(output.name)
        if not written or verified.difference(path, written, whole=True):
            print(f"{path} is not what was written: it is not put back")
            return False
    if read_json(kept[-1]).get("identity") != identity:
        return False
    for path, output in zip(kept, outputs):
        with contextlib.suppress(FileNotFoundError):
            output.unlink()
        _link(path, output)
        flush(output.parent)
    return True


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copy2(source, target)
        flush(target)
