"""The web application around one model: the page at /, answers at /predict, the model's description at /model.

It is for the machine that it runs on: it binds to 127.0.0.1 alone and answers to that name alone, so that no page of the web can reach it by a
name of its own. Nothing that is uploaded is written to a disk or kept.
"""

import asyncio
import contextlib
import functools
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ftbench.base.errors import printable
from ftbench.export.models import Model
from ftbench.export.predict_files import Answer, answers_of, classified
from ftbench.export.serve.batcher import Batcher, Busy
from ftbench.export.serve.evidence import Evidence
from ftbench.export.serve.page import PAGE

HOST = "127.0.0.1"
HOSTS = (HOST, "localhost")
MEGABYTES = 20  # of one request
FILES = 32  # of one request
MAX_PIXELS = 50_000_000  # of one image: 150 MB as RGB
# Formats that are decoded: what cameras, phones and browsers write. Others need code that is seldom used and so seldom hardened.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "HEIF", "AVIF")
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src blob: data:; connect-src 'self'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class Refused(Exception):
    """An image that is not answered: its status and a sentence."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def application(model: Model, top: int = 5, readers: int = 2) -> Starlette:
    """The application; `readers` threads decode images while another runs the network."""
    pool = ThreadPoolExecutor(readers, thread_name_prefix="read")
    evidence = functools.cache(lambda: Evidence(model))  # its network is built when the first asks for it

    def plain(pixels: np.ndarray) -> list[tuple[Answer, dict]]:
        return [(answer, {}) for answer in classified(model, pixels)]

    def explained(pixels: np.ndarray) -> list[tuple[Answer, dict]]:
        given = model.answer(pixels)
        return list(zip(answers_of(model, *given), evidence()(pixels, *given)))

    batcher, reasons = Batcher(plain), Batcher(explained)

    @contextlib.asynccontextmanager
    async def lifespan(_app):
        async with batcher, reasons:
            yield
        pool.shutdown(cancel_futures=True)

    async def predict(request: Request) -> Response:
        uploads = await received(request)
        one = reasons if request.query_params.get("explain") == "1" else batcher
        results = await asyncio.gather(*(answered(name, data, model, one, pool, top) for name, data in uploads))
        statuses = {result.pop("status", 200) for result in results}
        status = statuses.pop() if len(statuses) == 1 else 207  # some were answered: each says so itself
        return JSONResponse({"results": results}, status, HEADERS)

    async def page(_request: Request) -> Response:
        return HTMLResponse(PAGE, headers=HEADERS)

    async def about(_request: Request) -> Response:
        return JSONResponse(
            described(model) | {"batches": batcher.sizes, "waiting": batcher.queue.qsize()}, headers=HEADERS
        )

    async def refused(_request: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": error.detail}, error.status_code, HEADERS)

    routes = [
        Route("/", page),
        Route("/predict", predict, methods=["POST"]),
        Route("/model", about),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)
    return Starlette(routes=routes, middleware=[hosts], exception_handlers={HTTPException: refused}, lifespan=lifespan)


async def answered(name: str, data: bytes, model: Model, batcher: Batcher, pool: ThreadPoolExecutor, top: int) -> dict:
    """One upload's answer as JSON; an error has its status. The batcher gives an answer, and what is told of what stands behind it."""
    try:
        pixels = await asyncio.get_running_loop().run_in_executor(pool, decoded, data, model)
        found, behind = await batcher.answer(pixels)
        return {"file": name, **told(found, model, top), **behind}
    except Refused as error:
        return {"file": name, "error": str(error), "status": error.status}
    except Busy:
        return {"file": name, "error": "too many images wait; send it again later", "status": 503}


async def received(request: Request) -> list[tuple[str, bytes]]:
    """(name, bytes) of every file of a form, or of the body itself. Raises HTTPException if there is too much of it, or nothing."""
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
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        if not body:
            raise HTTPException(400, "the request is empty; send an image as its body, or a form with files")
        return [("image", bytes(body))]

    async def again():
        yield bytes(body)

    try:
        form = await MultiPartParser(request.headers, again(), max_files=FILES, max_fields=FILES).parse()
    except (MultiPartException, KeyError) as error:  # KeyError: a form without a boundary
        why = error.message if isinstance(error, MultiPartException) else "it names no boundary"
        raise HTTPException(400, f"the form cannot be read: {why}") from error
    uploads = [(value.filename or "image", await value.read()) for _, value in form.multi_items() if not isinstance(value, str)]  # fmt: skip
    await form.close()
    if not uploads:
        raise HTTPException(400, "the form has no file")
    return uploads


async def _drain(request: Request, most: int) -> None:
    """Read and forget what is still sent: a browser hears no answer while it sends. Beyond `most` bytes the connection is just closed."""
    async for chunk in request.stream():
        most -= len(chunk)
        if most < 0:
            return


def decoded(data: bytes, model: Model) -> np.ndarray:
    """The stored pixels of an uploaded image. Its header is read first: what is too large is refused before it is unpacked."""
    try:
        with Image.open(io.BytesIO(data), formats=allowed()) as image:
            width, height = image.size
    except Exception as error:
        raise Refused(415, f"no image that can be read; valid are {', '.join(FORMATS)}") from error
    if width * height > MAX_PIXELS:
        raise Refused(413, f"{width} x {height} pixels are more than {MAX_PIXELS:,}")
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


def told(answer: Answer, model: Model, top: int) -> dict:
    """An answer as JSON: the top classes with their probabilities, the set, and whether the image is unlike the training images."""
    order = np.argsort(-answer.probabilities, kind="stable")
    result = {
        "top": [{"class": model.classes[k], "probability": float(answer.probabilities[k])} for k in order[:top]],
        "set": [model.classes[k] for k in order if answer.members[k]],
        "set_holds_the_truth_with": 1 - model.confidence["set"]["alpha"],
        "unlike": None,
    }
    if answer.distance is not None:
        result |= {"distance": answer.distance, "unlike": answer.distance > model.confidence["unlike"]["threshold"]}
    return result


def described(model: Model) -> dict:
    return {
        "name": model.name,
        "classes": model.classes,
        "formats": allowed(),
        "megabytes": MEGABYTES,
        "files": FILES,
        "promises": [{key: entry[key] for key in ("precision", "threshold")} for entry in model.confidence["promises"]],
    }
