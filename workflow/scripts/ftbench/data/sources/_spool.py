"""Encoded images of a compressed container, copied once into a temporary file, so that they can be read one by one in any order.

The file lies in the folder for temporary files (`TMPDIR`, which Snakemake sets by its resource tmpdir), takes as much room as the encoded
images of one part, has no name there, and is gone with the process.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Hashable, Iterator

from ftbench.base.errors import InputError
from ftbench.base.files import disk_is_full

REPORT_SECONDS = 30.0


class Spool:
    """Bytes by their key. `fill()` gives (key, bytes), in the container's order, when the first of them is asked for."""

    def __init__(self, fill: Callable[[], Iterator[tuple[Hashable, bytes]]], what: str):
        self._fill, self._what = fill, what
        self._places: dict[Hashable, tuple[int, int]] | None = None
        self._lock = threading.Lock()

    def read(self, key: Hashable) -> bytes:
        """The bytes of one image; several threads may ask. Raises ValueError if the container has none of this key."""
        with self._lock:
            if self._places is None:
                self._places = self._copied()
        if key not in self._places:
            raise ValueError("the shard holds no bytes of it")
        start, size = self._places[key]
        return os.pread(self._file.fileno(), size, start)

    def _copied(self) -> dict[Hashable, tuple[int, int]]:
        self._file = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115, open for the life of the object
        places, end, said = {}, 0, time.monotonic()
        try:
            for key, data in self._fill():
                places[key] = (end, len(data))
                end += len(data)
                self._file.write(data)
                if time.monotonic() - said > REPORT_SECONDS:
                    said = time.monotonic()
                    print(f"{self._what}: {len(places):,} encoded images copied, {end / 1e9:.1f} GB")
            self._file.flush()
        except OSError as error:
            if disk_is_full(error):
                raise InputError(
                    f"No space left in {tempfile.gettempdir()} for the encoded images of {self._what}: free some space, or name another "
                    "folder by TMPDIR (of a Snakemake job, by the resource tmpdir)."
                ) from error
            raise
        return places
