"""What images are like once they are opened: sizes, colours, faults, and which of them are the same picture.

They are opened by the source's own functions, so what is counted here is what preparation will store. Of very many images a random
part is opened, the same every time.
"""

import hashlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from ftbench.base.errors import InputError
from ftbench.data.contradictions import contradictory
from ftbench.data.decode.open_image import Opened

WINDOW = 16  # images opened ahead per thread
SAY_SECONDS = 10.0  # between two lines on how far it is
GREY, COLOUR, DEEP, FLOAT = "grey", "colour", "more than 8 bits", "floating point"


@dataclass
class Seen:
    """Of all images the names and labels of each part; of those that were opened the rest."""

    classes: list[str]
    labels: dict[str, np.ndarray] = field(default_factory=dict)  # part: (N,) int64
    names: dict[str, list[str]] = field(default_factory=dict)
    sizes: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), int))  # (opened, 2) width and height
    modes: Counter = field(default_factory=Counter)
    remarks: Counter = field(default_factory=Counter)
    corrupt: list[tuple[str, str]] = field(default_factory=list)  # name, why
    range: tuple[float, float] | None = None  # lowest and highest of what has more than 8 bits
    digests: dict[str, bytes] = field(default_factory=dict)  # name: of its pixels

    @property
    def total(self) -> int:
        return sum(len(names) for names in self.names.values())

    @property
    def opened(self) -> int:
        return len(self.digests) + len(self.corrupt)

    def divide(self, parts: dict[str, list]) -> None:
        """Take the division into parts from `parts`, {part: (name, label, load) each}."""
        self.labels = {part: np.array([label for _, label, _ in items], np.int64) for part, items in parts.items()}
        self.names = {part: [name for name, _, _ in items] for part, items in parts.items()}

    def counts(self, part: str) -> np.ndarray:
        """Images of each class."""
        return np.bincount(self.labels[part], minlength=len(self.classes))

    def across(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        """{(part, other part): [(image, the same picture in the other)]}, of the images that were opened."""
        first = {part: {} for part in self.names}
        for part, names in self.names.items():
            for name in names:
                if name in self.digests:
                    first[part].setdefault(self.digests[name], name)
        parts = list(first)
        pairs = {
            (one, other): [(first[one][key], first[other][key]) for key in first[one] if key in first[other]]
            for number, one in enumerate(parts)
            for other in parts[number + 1 :]
        }
        return {parts: found for parts, found in pairs.items() if found}

    def copies(self) -> int:
        """How many opened images are a further copy of another one."""
        return len(self.digests) - len(set(self.digests.values()))

    def contradictory(self) -> dict:
        """As `ftbench.data.contradictions.contradictory` says it, over all parts."""
        rows = [
            (self.digests[name], label, name)
            for part, names in self.names.items()
            for name, label in zip(names, self.labels[part].tolist())
            if name in self.digests
        ]
        digests, labels, names = zip(*rows) if rows else ((), (), ())
        return contradictory(digests, labels, names, self.classes)


def look(classes: list[str], parts: dict[str, list], most: int | None, threads: int) -> Seen:
    """Open the images of every part, (name, label, load) each, or `most` of them. Raises InputError if the file system fails."""
    seen = Seen(classes)
    seen.divide(parts)
    every = [(name, load) for items in parts.values() for name, _, load in items]
    if most is not None and most < len(every):
        every = [every[row] for row in sorted(np.random.default_rng(0).permutation(len(every))[:most])]
    sizes, lows, highs = [], [], []
    for name, got in _told(_opened(every, threads), len(every)):
        if isinstance(got, str):
            seen.corrupt.append((name, got))
            continue
        sizes.append(got["size"])
        seen.modes[got["mode"]] += 1
        seen.remarks.update(got["remarks"])
        seen.digests[name] = got["digest"]
        lows += got["range"][:1]
        highs += got["range"][1:]
    seen.sizes = np.array(sizes, int).reshape(-1, 2)
    seen.range = (min(lows), max(highs)) if lows else None
    if not sizes:
        name, why = seen.corrupt[0]
        raise InputError(
            f"path: none of {len(every):,} images can be decoded, such as {name} ({why}); repair them, or give others."
        )
    return seen


def _opened(items: list, threads: int) -> Iterator[tuple[str, dict | str]]:
    """(name, what is to be known of the image or why it cannot be decoded), in order."""
    waiting = iter(items)
    with ThreadPoolExecutor(threads) as pool:  # Pillow releases the GIL
        while window := list(islice(waiting, WINDOW * threads)):
            yield from pool.map(_facts, window)


def _facts(item: tuple[str, Callable]) -> tuple[str, dict | str]:
    name, load = item
    try:
        got = load()
    except MemoryError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise InputError(f"{name} cannot be read: {error.strerror}; make it readable and start again.") from error
        return name, str(error)
    except Exception as error:  # Pillow's plug-ins raise many types on a corrupt file
        return name, str(error) or type(error).__name__
    opened = got if isinstance(got, Opened) else Opened(np.asarray(got))
    return name, {"remarks": opened.remarks, **_of_pixels(opened.pixels)}


def _of_pixels(pixels: np.ndarray) -> dict:
    key = f"{pixels.dtype} {pixels.shape} ".encode() + pixels.tobytes()
    if pixels.dtype != np.uint8:
        mode = FLOAT if pixels.dtype.kind == "f" else DEEP
    else:
        mode = GREY if pixels.ndim == 2 or _is_grey(pixels) else COLOUR
    return {
        "size": (pixels.shape[1], pixels.shape[0]),
        "mode": mode,
        "digest": hashlib.blake2b(key, digest_size=16).digest(),
        "range": [] if pixels.dtype == np.uint8 else [float(np.nanmin(pixels)), float(np.nanmax(pixels))],
    }


def _is_grey(pixels: np.ndarray) -> bool:
    """Whether all three channels of (H, W, 3) are the same."""
    return bool((pixels[..., :1] == pixels[..., 1:]).all())


def _told(results: Iterable, total: int) -> Iterator:
    """The results themselves, with a line now and then on how far it is."""
    begun = told = time.monotonic()
    for number, result in enumerate(results):
        now = time.monotonic()
        if now - told > SAY_SECONDS and number:
            told = now
            print(
                f"{number:,} of {total:,} images opened, about {(now - begun) / number * (total - number):.0f} s left",
                file=sys.stderr,
            )
        yield result
