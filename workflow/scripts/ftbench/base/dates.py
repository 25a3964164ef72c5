"""Files of a study that are dated in the future, as a clock that was ahead leaves them.

Snakemake repeats what reads a file that is younger than what was made from it, at every start until that day comes. A file of
ours cannot be younger than now, so it is given this moment: what was made from it before is made once more, and then all is quiet.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path

AHEAD = 60  # seconds: clocks of machines that keep time differ by less


def bring_back(folders: Iterable[str | Path]) -> list[Path]:
    """Date every file below `folders` that is dated in the future now, links aside; returns these files, the latest first."""
    now = time.time()
    found = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            for path in (Path(place, name) for name in names):
                try:
                    date = path.lstat().st_mtime
                    if date > now + AHEAD and not path.is_symlink():
                        os.utime(path, (now, now))
                        found.append((date, path))
                except OSError:  # gone meanwhile, or not ours to date: Snakemake says what follows from it
                    continue
    return [path for _, path in sorted(found, reverse=True)]
