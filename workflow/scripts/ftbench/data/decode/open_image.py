"""One encoded image, from a file or from bytes, as pixels: the one opener of every source.

What has 8 bits per value becomes RGB at once. Grey values of more bits and real numbers stay as they are until it is known which of
them is black and which is white (`ftbench.data.decode.grey_range`), since files of 16 bits often hold 12.
"""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from ftbench.base.given.image_names import HEADER_BYTES, UNREADABLE, is_heif, suffix
from ftbench.data.decode.grey_range import scaled
from ftbench.data.decode.metadata import upright, without_metadata

MAX_PIXELS = 178_956_970  # of one image: Pillow's own limit, against files that unpack to gigabytes
Image.MAX_IMAGE_PIXELS = None  # `max_pixels` is compared here instead
METADATA, FRAMES, UPPER_BITS, TRANSPARENT = (
    "malformed metadata, ignored",
    "several frames or pages, of which the first is read",
    "more than 8 bits per colour, of which the upper 8 are kept",
    "transparency, put on white",
)


class Opened(NamedTuple):
    """Pixels (H, W, 3) uint8, or of more than 8 bits (H, W) or (H, W, 3), and what was left out: METADATA, FRAMES, UPPER_BITS, TRANSPARENT."""

    pixels: np.ndarray
    remarks: tuple[str, ...] = ()


def open_pixels(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> Opened:
    """The first frame, turned as its EXIF orientation says, transparency on white.

    Raises what Pillow raises on a corrupt file, ValueError on more than `max_pixels` pixels and on a kind of image that nothing here
    can read, and OSError with a number if the file system fails.
    """
    if not isinstance(source, bytes):
        why = UNREADABLE.get(suffix(Path(source).name))
        if why:
            raise ValueError(why)
    try:
        return _opened(source, max_pixels)
    except (MemoryError, TooLarge):
        raise
    except Exception as error:
        if getattr(error, "errno", None) is not None:
            raise
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        for plain in without_metadata(data):
            with contextlib.suppress(Exception):  # the pixels are at fault too: the reason is the whole file's
                opened = _opened(plain, max_pixels)
                return Opened(opened.pixels, tuple(dict.fromkeys((METADATA, *opened.remarks))))
        raise _explained(error, data) from error


def open_rgb(
    source: str | Path | bytes, range: tuple[float, float] | None = None, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """One image as 8-bit RGB. Values of more bits are scaled from `range`, or from the image's own lowest and highest."""
    pixels = open_pixels(source, max_pixels).pixels
    if pixels.dtype != np.uint8:
        if range is None and pixels.dtype.kind == "f":
            raise ValueError("floating point pixels have no known range; give one, or save the image as 8 or 16 bit")
        pixels = scaled(pixels, (pixels.min(), pixels.max()) if range is None else range)[0]
    return Image.fromarray(pixels)


class TooLarge(ValueError):
    """More pixels than `max_pixels`."""


def _opened(source: str | Path | bytes, max_pixels: int) -> Opened:
    if _heif_plugin is None:
        _find_heif()
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        if image.width * image.height > max_pixels:
            raise TooLarge(
                f"its {image.width} x {image.height} pixels are more than max_pixels, {max_pixels}; raise that"
            )
        deep_colour = any(";16" in str(part.args) for part in image.tile) and not image.mode.startswith("I")
        deep_colour |= image.info.get("bit_depth", 8) > 8  # as the package for HEIC says it
        remarks = [FRAMES] * bool(getattr(image, "is_animated", False))
        image.load()
        image, sound = upright(image)
        pixels, transparent = values_of(image)
        remarks += [METADATA] * (not sound) + [UPPER_BITS] * deep_colour + [TRANSPARENT] * transparent
        return Opened(pixels, tuple(remarks))


def values_of(image: Image.Image) -> tuple[np.ndarray, bool]:
    """The pixels of a loaded image, RGB on white as uint8, grey values of more bits as they are; and whether any was transparent."""
    if image.mode == "F" or image.mode.startswith("I"):
        return np.asarray(image), False
    transparent = False
    if image.has_transparency_data:
        image = image.convert("RGBA")
        transparent = image.getextrema()[3][0] < 255
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB")), transparent


def _explained(error: Exception, data: bytes) -> Exception:
    """The error, or one that says more of a file that is no image at all."""
    if not data:
        return ValueError("the file is empty")
    if is_heif(data[:HEADER_BYTES]) and not _heif_plugin:
        return ValueError("a HEIC image, which needs the package pillow-heif: pip install pillow-heif")
    if isinstance(error, UnidentifiedImageError):
        start = data[:HEADER_BYTES].lstrip().lower()
        kind = "a web page" if start.startswith((b"<!doctype html", b"<html")) else None
        kind = kind or ("a pointer of Git LFS, not the image" if start.startswith(b"version https://git-lfs") else None)
        if kind:
            return ValueError(f"it holds {kind}")
    return error


_heif_plugin: bool | None = None  # None: not looked for yet


def _find_heif() -> None:
    """Let Pillow read HEIC if the package for it is installed."""
    global _heif_plugin
    try:
        import pillow_heif
    except ImportError:
        _heif_plugin = False
    else:
        pillow_heif.register_heif_opener()
        _heif_plugin = True
