"""CIFAR's batches, which are Python pickles, read without running what a pickle can say.

A pickle is a program: torchvision's own reader runs it. The batches hold a dict with a numpy array, and lists of numbers and of
text; whoever puts anything else into one gets a sentence.
"""

import pickle
from pathlib import Path

import numpy as np

from ftbench.base.errors import InputError

SIZE = 32  # pixels of an edge
FINE = ("labels", "fine_labels")  # of CIFAR-10, of CIFAR-100
# What rebuilds a numpy array, under the names of NumPy 1 and 2.
_NUMPY = {
    (f"numpy.{core}.{module}", name): getattr(getattr(np._core, module), name)
    for core in ("core", "_core")
    for module, name in (("multiarray", "_reconstruct"), ("numeric", "_frombuffer"))
}
_ALLOWED = _NUMPY | {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}


def _bytes(text: str, encoding: str) -> bytes:
    """Bytes as the second version of the format writes them: text of one byte per sign."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


class PlainUnpickler(pickle.Unpickler):
    """Knows numpy arrays, bytes, text, numbers, lists and dicts, and nothing else."""

    def find_class(self, module, name):
        if (module, name) == ("_codecs", "encode"):
            return _bytes
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _ALLOWED[module, name]


def load_plain(path: Path) -> dict:
    """The dict that a batch holds. Raises InputError for anything that is not plain data."""
    try:
        with path.open("rb") as stream:
            value = PlainUnpickler(stream, encoding="latin1").load()
    except OSError:
        raise
    except Exception as error:  # a pickle that is no program of ours can fail in any way
        raise InputError(
            f"{path.name} of the archive is no plain table of arrays ({error or type(error).__name__}); nothing of it was run. "
            "Give a mirror of the original archive."
        ) from error
    if not isinstance(value, dict):
        raise InputError(f"{path.name} of the archive holds a {type(value).__name__} instead of a table of arrays.")
    return value


class Cifar:
    """A part of CIFAR-10 or CIFAR-100: `data` (N, 32, 32, 3) uint8, `targets` and `classes`, as torchvision's class has them.

    `labels` are the entries of a batch that may hold the labels, `names` the entry of `meta` with the names of the classes.
    """

    def __init__(self, folder: Path, batches: list[str], meta: str, names: str, labels: tuple[str, ...] = FINE):
        parts = [self._batch(folder / batch, labels) for batch in batches]
        pixels = np.concatenate([pixels for pixels, _ in parts])
        self.data = pixels.reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1)
        self.targets = [label for _, labels in parts for label in labels]
        self.classes = load_plain(folder / meta).get(names)
        listed = isinstance(self.classes, list) and all(isinstance(name, str) for name in self.classes)
        if not listed or not all(0 <= label < len(self.classes) for label in self.targets):
            raise InputError(f"{meta} of the archive does not name the class of every label.")

    @staticmethod
    def _batch(path: Path, names: tuple[str, ...]) -> tuple[np.ndarray, list[int]]:
        entry = load_plain(path)
        pixels, labels = entry.get("data"), next((entry[name] for name in names if name in entry), None)
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3 * SIZE * SIZE,):
            raise InputError(f"{path.name} of the archive holds no array (N, {3 * SIZE * SIZE}) uint8 named data.")
        if (
            not isinstance(labels, list)
            or len(labels) != len(pixels)
            or not all(type(label) is int for label in labels)
        ):
            raise InputError(f"{path.name} of the archive holds no list of one label per image.")
        return pixels, labels

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.data[index], self.targets[index]
