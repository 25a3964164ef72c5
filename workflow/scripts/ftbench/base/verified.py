"""What a job of ours wrote is what the next job reads, or the next job says so.

Whoever writes a file notes its size and digest in the record of its folder, `.written.jsonl`: one line per file that was
written, the last ones at the end. Before a job does any work, it compares its inputs with these notes (`ftbench.base.job`), and
`ftbench verify` compares a whole study. A file that is empty, cut short or changed is refused in one sentence.

Files up to WHOLE bytes are read whole. Of a larger file the size and SAMPLES blocks are compared: what loads such a file whole
compares its sha256 as well. A file without a note, from an older study or a copy that left the records behind, is read as it is.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ftbench.base.digests import damaged, sha256_of_file

RECORD = ".written.jsonl"
WHOLE = 256_000_000  # bytes, read in 0.2 to 0.6 s
SAMPLES, BLOCK = 256, 4096  # blocks of so many bytes, evenly spaced from the first to the last


class Note(NamedTuple):
    size: int
    sha256: str
    sample: str  # "" for a file that is always compared whole


def note(written: Path, path: Path) -> None:
    """Note what `written` holds, a finished file that is about to be renamed to `path`."""
    line = {"file": path.name, **note_of(written)._asdict()}
    with open(path.with_name(RECORD), "a+b") as record:
        fcntl.flock(record, fcntl.LOCK_EX)  # jobs that share a folder write their lines one after another
        size = record.seek(0, os.SEEK_END)
        torn = size and record.seek(size - 1) is not None and record.read(1) != b"\n"
        record.write(b"\n" * torn + json.dumps(line).encode() + b"\n")
        record.flush()
        os.fsync(record.fileno())


def note_of(path: Path) -> Note:
    """Size in bytes, hex sha256 of the whole, and of the sample if the file is large."""
    size = path.stat().st_size
    return Note(size, sha256_of_file(path), sample_of(path, size) if size > WHOLE else "")


def sample_of(path: Path, size: int) -> str:
    """Hex sha256 of SAMPLES blocks of a file of `size` bytes."""
    total = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        for number in range(SAMPLES):
            stream.seek((size - BLOCK) * number // (SAMPLES - 1))
            total.update(stream.read(BLOCK))
    return total.hexdigest()


def notes(folder: Path) -> dict[str, list[Note]]:
    """What was noted of each file of a folder, the oldest first. A line that was cut short by a crash is passed over."""
    found: dict[str, list[Note]] = {}
    try:
        lines = (folder / RECORD).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            entry = json.loads(line)
            found.setdefault(entry.pop("file"), []).append(Note(**entry))
        except (ValueError, KeyError, TypeError, AttributeError):
            print(f"{folder / RECORD}: a line is damaged, and the file that it tells of is read as it is")
    return found


def check(paths: Iterable[str | Path]) -> list[Path]:
    """Raise InputError for the first file that differs from all that was noted of it; return those without a note."""
    unknown = []
    for path, written in noted(map(Path, paths)):
        if not written:
            unknown.append(path)
        elif why := difference(path, written):
            raise damaged(path, why)
    return unknown


def difference(path: Path, written: list[Note], whole: bool = False) -> str | None:
    """In words, how a file differs from all that was noted of it; None if it is one of these. `whole` takes no samples.

    Older notes count: a file that a restored backup or Snakemake itself put back is one that a job wrote.
    """
    size = path.stat().st_size
    alike = [each for each in written if each.size == size]
    if not alike:
        return f"it has {size:,} bytes, {written[-1].size:,} were written"
    if size > WHOLE and not whole and all(each.sample for each in alike):
        same = sample_of(path, size) in {each.sample for each in alike}
        return None if same else f"samples of its {size:,} bytes are not those that were written"
    found = sha256_of_file(path)
    if found in {each.sha256 for each in alike}:
        return None
    return f"its sha256 is {found[:12]}..., {alike[-1].sha256[:12]}... was written"


def noted(paths: Iterable[Path]) -> Iterator[tuple[Path, list[Note]]]:
    """Every path that is a file, with what was noted of it; each record is read once."""
    records: dict[Path, dict[str, list[Note]]] = {}
    for path in paths:
        if path.parent not in records:
            records[path.parent] = notes(path.parent)
        if path.is_file():
            yield path, records[path.parent].get(path.name, [])
