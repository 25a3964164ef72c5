"""The shards of a data set: files of one kind below a folder, or by a pattern, each with the part that its name speaks of."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ftbench.base.errors import InputError
from ftbench.base.given.walk import LEFT_BEHIND, shown
from ftbench.study.folders.split_names import role_of

HUB = "hf:"  # begins a path that names a data set of the Hugging Face hub
HUB_NAME = re.compile(
    r"hf:(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+))?(?P<below>(?:/[\w.*-]+)+)?"
)
COUNTED = re.compile(
    r"[-_.]?(?:\d+-of-\d+|part-?\d+|\d+)(?:-[0-9a-f]{8,})?$", re.IGNORECASE
)  # train-00000-of-00004, train_03


@dataclass(frozen=True)
class Shard:
    name: str  # below the data set's folder
    path: Path
    part: str  # what its name or its folder says: "train" of data/train-00000-of-00004.parquet, "" if nothing


def is_hub(path: str) -> bool:
    return path.startswith(HUB)


def shards_of(path: str | Path, suffixes: Sequence[str], key: str = "path") -> list[Shard] | None:
    """The shards that `path`, a file, a folder or a pattern with *, means, sorted; None for a data set of the hub.

    `suffixes` are the endings of the kind. Hidden files and those of no other kind are passed over. Raises InputError if there
    is no shard, or a folder cannot be listed.
    """
    text = str(path)
    if is_hub(text):
        return None
    if Path(text).is_file():
        root, files = Path(text).parent, [Path(text)]
    elif Path(text).is_dir():
        root, files = Path(text), _below(Path(text), key)
    elif any(sign in text for sign in "*?["):
        root = Path(*_before_pattern(text))
        files = [file for file in root.glob(str(Path(text).relative_to(root))) if file.is_file()]
    else:
        raise InputError(
            f"{key}: {shown(text)} does not exist; give a file, a folder or a pattern such as data/train-*{suffixes[0]}."
        )
    wanted = sorted(file for file in files if file.name.lower().endswith(tuple(suffixes)))
    if not wanted:
        raise InputError(f"{key}: {shown(text)} holds no file that ends in {' or '.join(suffixes)}.")
    return [_shard(file, root) for file in wanted]


def _below(root: Path, key: str) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(f"{key}: {shown(error.filename)} cannot be read ({error.strerror}).") from error

    files = []
    for place, folders, names in os.walk(root, onerror=refuse, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name.casefold() not in LEFT_BEHIND)
        files += [Path(place, name) for name in names if not name.startswith(".") and Path(place, name).is_file()]
    return files


def _before_pattern(text: str) -> list[str]:
    parts = []
    for part in Path(text).parts:
        if any(sign in part for sign in "*?["):
            break
        parts.append(part)
    return parts


def _shard(file: Path, root: Path) -> Shard:
    name = PurePosixPath(file.relative_to(root))
    said = COUNTED.sub("", name.name[: -len("".join(name.suffixes))] if name.suffixes else name.name)
    folder = next((part for part in reversed(name.parent.parts) if role_of(part)[0]), "")
    return Shard(str(name), file, folder if folder and not role_of(said)[0] else said)
