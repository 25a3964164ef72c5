"""Write one part's images into images.npy, one by one as they are decoded, and collect what is to be said of them."""

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.pixel_rows import write_header
from ftbench.data.decode import fit, grey_range
from ftbench.data.decode.open_image import Opened
from ftbench.machine.peak_memory import peak_resident_mb

AHEAD = 16  # images per thread that are decoded or wait to be written: keeps the threads busy and the memory small
SHOWN = 5  # names in a message
REPORT_SECONDS = 30.0
Item = tuple[str, int, Callable]  # name, label, load


class NeedsRange(Exception):
    """An image has more than 8 bits, and no range says which values are black and white."""


class Part:
    """What is collected, image by image, while the pixels are written."""

    def __init__(self):
        self.files: list[str] = []
        self.labels: list[int] = []
        self.pixel_digests: list[bytes] = []  # of what is stored
        self.contents: list[str] = []  # of what was decoded, in hex: the same at every size that a study stores
        self.sizes: list[tuple[int, int]] = []  # width and height of what was decoded
        self.corrupt: list[tuple[str, str]] = []  # (file, reason)
        self.remarks: Counter = Counter()  # what was left out of an image: how many images
        self.deep = 0  # images of more than 8 bits
        self.outside: Counter = Counter()  # images and values outside of the range
        self.brightest = 0
        self.shape: tuple[int, ...] | None = None
        self.sha256 = hashlib.sha256()


def write_part(
    settings: dict, path: Path, classes: list[str], items: list[Item], threads: int, low_high: tuple | None
) -> Part:
    """Stream the images into `path` in the .npy format and return the rest.

    Values of more than 8 bits are scaled from `low_high`. Raises NeedsRange if there are such and it is None, and InputError on
    corrupt images with `on_corrupt: fail`, on sizes that differ without an `image_size`, and on a class without images.
    """
    part = Part()
    progress = _Progress(len(items), threads)
    with path.open("wb") as stream:
        start = 0
        for name, label, got in _decoded(settings, items, threads, low_high):
            progress.one_more()
            if isinstance(got, NeedsRange):
                raise got
            if isinstance(got, Exception):
                part.corrupt.append((name, str(got) or type(got).__name__))
                continue
            array = got[0]
            if part.shape is None:
                part.shape = array.shape
                start = write_header(stream, 0, part.shape)
            elif array.shape != part.shape:
                raise InputError(
                    f"image_size: null, but {part.files[0]} has {_size(part.shape)} pixels and {name} has "
                    f"{_size(array.shape)}; give the size that all images are stored with."
                )
            _append(part, stream, name, label, *got)
        progress.end()
        check_corrupt(settings, part)
        _check_classes(part, classes)
        stream.seek(0)
        # NumPy leaves room for a growing first dimension, so the header with the final count is as long as the first.
        if write_header(stream, len(part.files), part.shape) != start:
            raise RuntimeError("NumPy's .npy header changed its length with the number of rows")
    return part


def _append(
    part: Part, stream, name: str, label: int, array: np.ndarray, content: str, size, remarks, deep: bool, outside: int
) -> None:
    """Write one image and note what is to be said of it."""
    pixels = array.tobytes()
    stream.write(pixels)
    part.sha256.update(pixels)
    part.pixel_digests.append(hashlib.blake2b(pixels, digest_size=16).digest())
    part.contents.append(content)
    part.sizes.append(size)
    part.files.append(name)
    part.labels.append(label)
    part.remarks.update(remarks)
    part.deep += deep
    part.outside.update({"images": outside > 0, "values": outside})
    part.brightest = max(part.brightest, int(array.max()))


class _Progress:
    """Says, of what takes long, how far it is, how fast, and how long it will take; at its end also the memory."""

    def __init__(self, total: int, threads: int):
        self.total, self.threads, self.done = total, threads, 0
        self.begun = self.said = time.monotonic()

    def one_more(self) -> None:
        self.done += 1
        if (now := time.monotonic()) - self.said > REPORT_SECONDS:
            self.said = now
            speed = self.done / (now - self.begun)
            left = (self.total - self.done) / speed / 60
            print(f"{self.done:,} of {self.total:,} images, {speed:,.0f} images/s, about {left:.1f} min left")

    def end(self) -> None:
        seconds = time.monotonic() - self.begun
        if seconds > REPORT_SECONDS:
            print(
                f"{self.done:,} images in {seconds:,.0f} s by {self.threads} threads, {self.done / seconds:,.0f} images/s; the process took "
                f"{peak_resident_mb():,.0f} MB at most"
            )


def measure_range(items: list[Item], threads: int) -> tuple[tuple[int, int] | None, tuple[float, float] | None]:
    """The lowest and highest value of all images of more than 8 bits, and a narrower range if few outliers stretch that one.

    Images that cannot be decoded, and floating point ones, are passed over: who writes them says so.
    """

    def values(item: Item) -> np.ndarray | None:
        got = _load(*item[::2])
        return None if isinstance(got, Exception) or got.pixels.dtype.kind == "f" else got.pixels

    return grey_range.measured(pixels for pixels in _in_order(values, items, threads) if pixels is not None)


def check_corrupt(settings: dict, part: Part) -> None:
    """Raise InputError on corrupt images unless they are to be skipped; say which were."""
    if settings["on_corrupt"] not in ("fail", "skip"):
        raise InputError(f"on_corrupt: {settings['on_corrupt']!r} is unknown; valid are fail, skip.")
    if not part.corrupt:
        return
    shown = "; ".join(f"{file} ({reason})" for file, reason in part.corrupt[:SHOWN])
    more = f" and {len(part.corrupt) - SHOWN} more" if len(part.corrupt) > SHOWN else ""
    count = len(part.corrupt)
    if settings["on_corrupt"] == "fail":
        raise InputError(
            f"{count} of {count + len(part.files)} images cannot be decoded: {shown}{more}; remove or repair them, or "
            f"set on_corrupt to skip."
        )
    print(f"Skipped {count} images that cannot be decoded: {shown}{more}.")


def _check_classes(part: Part, classes: list[str]) -> None:
    present = set(part.labels)
    missing = [name for number, name in enumerate(classes) if number not in present]
    if missing:
        without = f" ({len(part.corrupt)} corrupt ones were skipped)" if part.corrupt else ""
        raise InputError(
            f"The class {', '.join(missing[:SHOWN])} has no images{without}; every class needs some in "
            f"the train and in the test part."
        )


def _decoded(
    settings: dict, items: list[Item], threads: int, low_high: tuple | None
) -> Iterator[tuple[str, int, tuple | Exception]]:
    """(name, label, what `_prepared` gives) in the order of `items`."""

    def decode(item: Item) -> tuple[str, int, tuple | Exception]:
        name, label, load = item
        return name, label, _prepared(name, load, settings, low_high)

    return _in_order(decode, items, threads)


def _in_order(function: Callable, items: Iterable, threads: int) -> Iterator:
    """`function` of each item, by threads (Pillow releases the GIL) that run a little ahead of who takes the results."""
    if threads <= 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        waiting: deque[Future] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepared(name: str, load: Callable, settings: dict, low_high: tuple | None) -> tuple | Exception:
    """(pixels as they are stored, digest of what was decoded, its width and height, remarks, whether it had more than 8 bits, values
    outside of the range), or why there are none.
    """
    opened = _load(name, load)
    if isinstance(opened, Exception):
        return opened
    pixels, outside = opened.pixels, 0
    content, size = _content(pixels), (pixels.shape[1], pixels.shape[0])
    deep = pixels.dtype != np.uint8
    try:
        if pixels.dtype.kind == "f" and settings["range"] is None:
            raise ValueError(
                "floating point pixels have no known range; give it by the key range, or save them as 8 or 16 bit"
            )
        if deep and low_high is None:
            return NeedsRange(name)
        if deep:
            pixels, outside = grey_range.scaled(pixels, low_high)
        fitted = fit.fitted(pixels, settings["image_size"], settings["fit"])
        return fitted, content, size, opened.remarks, deep, outside
    except ValueError as error:
        return error


def _content(pixels: np.ndarray) -> str:
    digest = hashlib.blake2b(f"{pixels.shape} {pixels.dtype.str}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels))
    return digest.hexdigest()


def _load(name: str, load: Callable) -> Opened | Exception:
    try:
        got = load()
        return (
            got
            if isinstance(got, Opened)
            else Opened(got if isinstance(got, np.ndarray) else np.asarray(got.convert("RGB")))
        )
    except MemoryError:
        raise
    except OSError as error:
        if error.errno is not None:  # the file system, not the image: skipping it would hide a broken disk
            raise InputError(f"{name} cannot be read: {error.strerror}; make it readable and start again.") from error
        return error
    except Exception as error:  # Pillow's plug-ins raise many types on a corrupt file; the reason is reported
        return error


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
