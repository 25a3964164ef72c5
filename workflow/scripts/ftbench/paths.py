"""Names of files that several rules agree on; the path grammar itself is written out in the rules."""

import hashlib
import os
from pathlib import Path


def weights_tag(weights: str) -> str:
    """The `<tag>` of resources/weights/<source>/<model>.<tag>.safetensors for a config's `weights` value.

    A library's tag stands for itself; pip:<package> becomes pip-<package>; file:<path> becomes the file's stem and eight
    hex digits of its path, so that two files of one name do not share a copy; run:<a>/<b> becomes run-<a>.<b>, since names may
    have a - of their own but no dot.
    """
    scheme, _, rest = weights.partition(":")
    if scheme == "file":
        return f"file-{Path(rest).stem}-{hashlib.sha256(rest.encode()).hexdigest()[:8]}"
    return weights.replace(":", "-").replace("/", "." if scheme == "run" else "-")


def resume_folder(output: str | Path) -> str:
    """The folder of the unfinished state of the job that makes `output`, its first file: a sibling that no rule declares."""
    return f"{output}.resume"


def folder_listing(folder: str | Path, *others: str | Path | None) -> str:
    """Sixteen hex digits over the names and sizes of all files below `folder` and of `others`.

    A parameter of the jobs that read a user's image folder: an image added, removed or resized reruns them. Times are
    left out, since copying a folder must not retrain a study; an image replaced by one of equal size goes unnoticed.
    """
    total = hashlib.sha256()
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(root, name)
            total.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
    for other in filter(None, others):
        total.update(Path(other).read_bytes() if Path(other).exists() else b"missing")
    return total.hexdigest()[:16]


def content_of(path: str | Path | None) -> str | None:
    """Sixteen hex digits over a user's file, a parameter of the jobs that read it; "missing" where there is none."""
    if path is None:
        return None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] if Path(path).is_file() else "missing"
