"""What serve.py sends: a photo, images as large as are allowed, and what means harm."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

LARGEST = (8000, 6250)  # 50 million pixels, the most that a server takes


def photo(size: tuple[int, int] = (640, 480), kind: str = "JPEG", **options) -> bytes:
    """A picture of 64 x 48 random colours, enlarged to `size` pixels."""
    small = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    stream = io.BytesIO()
    small.resize(size, Image.Resampling.NEAREST if kind == "PNG" else None).save(
        stream, kind, **({"quality": 85} if kind == "JPEG" else options)
    )
    return stream.getvalue()


def huge(quick: bool) -> list[bytes]:
    """JPEG and PNG of 50 million pixels; quick: of 0.2 million."""
    size = (500, 400) if quick else LARGEST
    return [photo(size), photo(size, "PNG", compress_level=1)]


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it has width x height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def form(*files: bytes) -> bytes:
    """A form with boundary x."""
    head = b'--x\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\n'
    return b"".join(head + data + b"\r\n" for data in files) + b"--x--\r\n"


def harmful() -> list[bytes]:
    """Requests that are refused: bombs, too many bytes, no images, torn images and forms, bytes that nearly end a form again and again."""
    whole = photo()
    return [
        bomb(60_000, 60_000),
        bomb(7000, 7000),  # within the limit, and torn
        bytes(21_000_000),
        bytes(range(256)) * 70_000,
        whole[: len(whole) // 2],
        b"--x\r\nno form",
        form(*[whole] * 33),
        form(b"\r\n--" * 4_000_000),
        form(*[bomb(60_000, 60_000)] * 32),
    ]
