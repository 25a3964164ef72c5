"""What parsing a source file gave, remembered beside the compiled files: parsing them all takes a second of every start."""

import atexit
import contextlib
import json
import os
import sys
from pathlib import Path


class Parsed:
    """{digest of a file's content: what parsing it gave}, of this version of Python, in a file of `folder`.

    Other content has another key, so it is never out of date. Written when the process ends, with what this process asked for;
    not at all where `folder` is missing or may not be written to, as Python does with compiled files.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"parsed.{sys.implementation.cache_tag}.json"
        self._asked: dict[str, list] = {}
        self._found: dict[str, list] = {}
        self._new = False
        with contextlib.suppress(OSError, ValueError):  # none yet, or half a file: parsed anew
            self._found = json.loads(self.path.read_text())
        atexit.register(self.save)

    def get(self, key: str) -> list | None:
        """What was added under `key`, or None."""
        if key in self._found:
            self._asked[key] = self._found[key]
        return self._asked.get(key)

    def add(self, key: str, value: tuple) -> tuple:
        """Remember `value`, which JSON can hold; returns it."""
        self._asked[key], self._new = value, True
        return value

    def save(self) -> None:
        """Write what was asked for, if some of it is new."""
        if not self._new:
            return
        mine = self.path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            mine.write_text(json.dumps(self._asked))
            mine.replace(self.path)
        self._new = False
