"""images.npy, or another array with a row per image, on the disk, row by row: what is asked for is read, and nothing else takes memory.

A memory map would do the same with less code. But a shuffled epoch over one fills the resident set with the whole file, and
under a limit on addresses (`ulimit -v`) a file larger than the limit cannot be mapped at all.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ftbench.base.digests import damaged

BLOCK = 256  # rows read at a time by iteration: 39 MB at 224 px
LARGEST_READ = 2**30  # bytes: Linux reads 2 GB at once at most


def write_header(stream, count: int, shape: tuple[int, ...]) -> int:
    """Begin a .npy file of `count` images of one shape, to be followed by their pixels; returns where those begin."""
    return write_array_header(stream, np.dtype(np.uint8), (count, *shape))


def write_array_header(stream, dtype: np.dtype, shape: tuple[int, ...]) -> int:
    """Begin a .npy file of an array, to be followed by its values row by row; returns where those begin."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.tell()


class Rows:
    """An (N, ...) array in a .npy file; `rows[key]` reads a copy of the rows of an int, a slice or an (M,) int array.

    Raises InputError where the file is cut short or is no .npy file, ValueError where its rows do not follow each other.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115, kept open for the life of the object
        try:
            version = np.lib.format.read_magic(self._file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            self.shape, fortran, self.dtype = read(self._file)
        except (ValueError, EOFError, KeyError) as error:
            raise damaged(path, f"it is cut short or no .npy file ({error})") from error
        self._check(fortran)
        self._offset, self._row_bytes = self._file.tell(), int(np.prod(self.shape[1:])) * self.dtype.itemsize
        size = os.fstat(self._file.fileno()).st_size
        if size < self._offset + self.nbytes:
            raise damaged(path, f"it is cut short: {size:,} bytes for an array of {self._offset + self.nbytes:,}")

    def _check(self, fortran: bool) -> None:
        if fortran or not self.shape:
            raise ValueError(f"{self.path} is {self.dtype} {self.shape}, not a contiguous array of rows")

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        return len(self) * self._row_bytes

    def __getitem__(self, key) -> np.ndarray:
        if isinstance(key, slice):
            first, end, step = key.indices(len(self))
            return self._part(first, max(0, end - first)) if step == 1 else self[np.arange(first, end, step)]
        if np.ndim(key) == 0:
            return self._part(range(len(self))[int(key)], 1)[0]
        ids = np.asarray(key)
        rows = np.empty((len(ids), *self.shape[1:]), self.dtype)
        for row, number in zip(rows, ids.tolist()):
            self._read(row, number)
        return rows

    def __iter__(self) -> Iterator[np.ndarray]:
        for first in range(0, len(self), BLOCK):
            yield from self[first : first + BLOCK]

    def _part(self, first: int, count: int) -> np.ndarray:
        rows = np.empty((count, *self.shape[1:]), self.dtype)
        step = max(1, LARGEST_READ // max(1, self._row_bytes))
        for start in range(0, count, step):
            self._read(rows[start : start + step], first + start)
        return rows

    def _read(self, into: np.ndarray, row: int) -> None:
        if os.preadv(self._file.fileno(), [into], self._offset + row * self._row_bytes) != into.nbytes:
            raise OSError(f"{self.path} ends inside row {row}")


class PixelRows(Rows):
    """The same of an (N, H, W, 3) uint8 array. Raises ValueError where the file holds another kind of array as well."""

    def _check(self, fortran: bool) -> None:
        if self.dtype != np.uint8 or len(self.shape) != 4 or self.shape[3] != 3 or fortran:
            raise ValueError(f"{self.path} is {self.dtype} {self.shape}, not a contiguous (N, H, W, 3) uint8 array")


class ChosenRows:
    """The rows `numbers` (M,) of `rows`, read as they are asked for: by slices and by iteration."""

    def __init__(self, rows: PixelRows, numbers: np.ndarray):
        self._rows, self._numbers = rows, np.asarray(numbers)
        self.shape = (len(self._numbers), *rows.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice) -> np.ndarray:
        return self._rows[self._numbers[key]]

    def __iter__(self) -> Iterator[np.ndarray]:
        for first in range(0, len(self), BLOCK):
            yield from self[first : first + BLOCK]
