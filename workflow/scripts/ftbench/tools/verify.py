"""Compare every file of a study with what its jobs noted when they wrote it: `ftbench verify STUDY`.

`STUDY` is a study's name below results/, or a folder. Nothing is changed. Each damaged file is named with what to delete; the next
start of the study makes it again. Files are read whole: about two seconds for a gigabyte.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ftbench.base import verified
from ftbench.base.errors import InputError

# What no job of ours writes, or what is written anew all the time.
UNNOTED = {"logs", "benchmarks", "report", "report.zip", verified.RECORD, "commands.jsonl", "lock"}


class Finding(NamedTuple):
    path: Path
    state: str  # "right", "damaged", "missing" or "unnoted"
    why: str = ""


def verify(folder: Path) -> Iterator[Finding]:
    """A finding for every file below `folder` that is noted or should be, folder by folder."""
    for record in sorted(folder.rglob(verified.RECORD)):
        for name, written in sorted(verified.notes(record.parent).items()):
            path = record.with_name(name)
            if not path.is_file():
                yield Finding(path, "missing")
            elif why := verified.difference(path, written, whole=True):
                yield Finding(path, "damaged", why)
            else:
                yield Finding(path, "right")
    others = (path for path in sorted(folder.rglob("*")) if not _passed_over(path.relative_to(folder)))
    for path, written in verified.noted(others):
        if not written:
            yield Finding(path, "unnoted")


def report(name: str) -> int:
    """Print what is not as it was written; 1 if a file is damaged, else 0: a missing one is made again. Raises InputError if there is no
    such study.
    """
    folder = Path(name) if Path(name).is_dir() else Path("results", name)
    if not folder.is_dir():
        known = sorted(path.name for path in Path("results").glob("*") if path.is_dir())
        raise InputError(f"No study {name!r} lies in results/; there are: {', '.join(known) or 'none yet'}.")
    found = list(verify(folder))
    by_state = {
        state: [each for each in found if each.state == state] for state in ("right", "damaged", "missing", "unnoted")
    }
    for each in by_state["damaged"]:
        print(f"damaged: {each.path}: {each.why}")
    for each in by_state["missing"]:
        print(f"missing: {each.path}")
    for each in by_state["unnoted"]:
        print(f"unknown: {each.path}: no job noted it")
    print(f"{folder}: " + ", ".join(f"{len(each)} {state}" for state, each in by_state.items()))
    if by_state["damaged"]:
        print(
            "delete the damaged files and start the study again:\n  rm "
            + " ".join(str(each.path) for each in by_state["damaged"])
        )
    return int(bool(by_state["damaged"]))


def _passed_over(path: Path) -> bool:
    return bool(UNNOTED & set(path.parts)) or any(
        part.endswith(".resume") or part.startswith(".snakemake") for part in path.parts
    )
