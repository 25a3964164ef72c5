"""What stands beside the pixels of a file. Orientation alone is read; faults of the rest must not cost an image."""

import struct
from collections.abc import Iterator

from PIL import Image

ORIENTATION = 0x0112  # the tag of EXIF
# As ImageOps.exif_transpose turns; 1 is upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What the pixels of a PNG depend on; the rest is text, profiles, times and dimensions of prints.
PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
PNG_START = b"\x89PNG\r\n\x1a\n"


def upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """A loaded image turned as its orientation says, and whether its metadata could be read."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
        sound = type(orientation) is int
    except Exception:  # Pillow's parser raises many types on malformed metadata, which says nothing about the pixels
        return image, False
    turn = TURNS.get(orientation) if sound else None
    return (image if turn is None else image.transpose(turn)), sound


def without_metadata(data: bytes) -> Iterator[bytes]:
    """The bytes of a PNG or JPEG without metadata, first with the orientation that EXIF gives, then without; none of other formats."""
    for exif in (True, False):
        if data.startswith(PNG_START):
            yield _png(data, exif)
        elif data.startswith(b"\xff\xd8"):
            yield _jpeg(data, exif)


def _png(data: bytes, exif: bool) -> bytes:
    kept, place = [PNG_START], len(PNG_START)
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind = data[place + 4 : place + 8]
        if kind in PNG_PIXELS or exif and kind == b"eXIf":
            kept.append(data[place : place + 12 + length])
        place += 12 + length
    return b"".join(kept)


def _jpeg(data: bytes, exif: bool) -> bytes:
    """Without comments and the segments of applications, except JFIF's (APP0) and Adobe's (APP14), which says how colours are coded."""
    kept, place = [data[:2]], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        orientation = exif and marker == 0xE1 and data[place + 4 : place + 10] == b"Exif\0\0"
        if orientation or marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[place : place + 2 + length])
        place += 2 + length
    return b"".join([*kept, data[place:]])
