"""What is uploaded: read within limits, kept in memory alone, and decoded so that nobody's large image holds up others."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ftbench.base.errors import printable
from ftbench.export.models import Model

MEGABYTES = 20  # of one request
FILES = 32  # of one request
MAX_PIXELS = 50_000_000  # of one image: 150 MB as RGB
LARGE = 16_000_000  # pixels; a larger image takes half a second and more to decode, and has a thread of its own
MOST_LARGE = 8  # large images that may wait; more are told to come again
PIECE = 1 << 18  # bytes of a form that are parsed before others have their turn
# Formats that are decoded: what cameras, phones and browsers write. Others need code that is seldom used and so seldom hardened.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "HEIF", "AVIF")


class Refused(Exception):
    """An image that is not answered: its status and a sentence."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Parser(MultiPartParser):
    spool_max_size = 2 * MEGABYTES * 1_000_000  # more than any file has: none goes to a temporary file


class Readers:
    """`await pixels(data)`: the stored pixels of an uploaded image, decoded by one of `count` threads, a large one by a thread of their own."""

    def __init__(self, model: Model, count: int):
        self.model, self.waiting = model, 0
        self.most = ThreadPoolExecutor(count, thread_name_prefix="read")
        self.large = ThreadPoolExecutor(1, thread_name_prefix="read-large")

    async def pixels(self, data: bytes) -> np.ndarray:
        """Raises Refused."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self.most, self._at_once, data)
        if found is not None:
            return found
        if self.waiting >= MOST_LARGE:
            raise Refused(503, f"too many images of more than {LARGE:,} pixels wait; send it again later")
        self.waiting += 1
        try:
            return await loop.run_in_executor(self.large, decoded, data, self.model)
        finally:
            self.waiting -= 1

    def _at_once(self, data: bytes) -> np.ndarray | None:
        return decoded(data, self.model) if announced_pixels(data) <= LARGE else None

    def close(self) -> None:
        for pool in (self.most, self.large):
            pool.shutdown(wait=False, cancel_futures=True)


async def received(request: Request) -> list[tuple[str, bytes]]:
    """(name, bytes) of every file of a form, or of the body itself. Raises HTTPException if there is too much of it, or nothing."""
    body = await _body(request)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        if not body:
            raise HTTPException(400, "the request is empty; send an image as its body, or a form with files")
        return [("image", bytes(body))]

    async def pieces():
        for first in range(0, len(body), PIECE):
            yield bytes(body[first : first + PIECE])
            await asyncio.sleep(0)

    try:
        form = await Parser(request.headers, pieces(), max_files=FILES, max_fields=FILES).parse()
    except (MultiPartException, KeyError) as error:  # KeyError: a form without a boundary
        why = error.message if isinstance(error, MultiPartException) else "it names no boundary"
        raise HTTPException(400, f"the form cannot be read: {why}") from error
    uploads = [(value.filename or "image", await value.read()) for _, value in form.multi_items() if not isinstance(value, str)]  # fmt: skip
    await form.close()
    if not uploads:
        raise HTTPException(400, "the form has no file")
    return uploads


async def _body(request: Request) -> bytearray:
    limit = MEGABYTES * 1_000_000
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        await _drain(request, 10 * limit)
        raise HTTPException(413, f"a request may have {MEGABYTES} MB; this one has {int(announced) / 1e6:.1f}")
    body = bytearray()
    async for chunk in request.stream():  # what was announced need not be what is sent
        body += chunk
        if len(body) > limit:
            body.clear()
            await _drain(request, 9 * limit)
            raise HTTPException(413, f"a request may have {MEGABYTES} MB")
    return body


async def _drain(request: Request, most: int) -> None:
    """Read and forget what is still sent: a browser hears no answer while it sends. Beyond `most` bytes the connection is just closed."""
    async for chunk in request.stream():
        most -= len(chunk)
        if most < 0:
            return


def announced_pixels(data: bytes) -> int:
    """The pixels that an image's header announces; nothing is unpacked. Raises Refused if it is no image, or too large."""
    try:
        with Image.open(io.BytesIO(data), formats=allowed()) as image:
            width, height = image.size
    except Exception as error:
        raise Refused(415, f"no image that can be read; valid are {', '.join(FORMATS)}") from error
    if width * height > MAX_PIXELS:
        raise Refused(413, f"{width} x {height} pixels are more than {MAX_PIXELS:,}")
    return width * height


def decoded(data: bytes, model: Model) -> np.ndarray:
    """The stored pixels of an image whose header was read. Raises Refused."""
    try:
        return model.pixels(data)
    except MemoryError as error:
        raise Refused(413, "the image is too large for this machine's memory") from error
    except Exception as error:  # Pillow's plug-ins raise many types on a corrupt file
        raise Refused(415, f"the image cannot be read: {printable(str(error) or type(error).__name__)}") from error


def allowed() -> list[str]:
    """The formats that this Pillow knows."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]
