"""The web application around one model: the page at /, answers at /predict, the model's description at /model.

It is for the machine that it runs on: it binds to 127.0.0.1 alone and answers to that name alone, so that no page of the web can reach it by a
name of its own. Nothing that is uploaded is written to a disk or kept.
"""

import asyncio
import contextlib
import functools

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ftbench.export.models import Model
from ftbench.export.predict_files import Answer, answers_of, classified
from ftbench.export.serve.batcher import Batcher, Busy
from ftbench.export.serve.evidence import AT_ONCE, Evidence
from ftbench.export.serve.page import PAGE
from ftbench.export.serve.uploads import FILES, MEGABYTES, Readers, Refused, allowed, received

HOST = "127.0.0.1"
HOSTS = (HOST, "localhost")
EXPLAINED_WAITING = 64  # images that may wait for an explanation, each of which takes as long as several answers
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src blob: data:; connect-src 'self'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def application(model: Model, top: int = 5, readers: int = 2) -> Starlette:
    """The application; `readers` threads decode images while another runs the network; explanations have a line of their own."""
    reading = Readers(model, readers)
    evidence = functools.cache(lambda: Evidence(model))  # its network is built when the first asks for it

    def plain(pixels: np.ndarray) -> list[tuple[Answer, dict]]:
        return [(answer, {}) for answer in classified(model, pixels)]

    def explained(pixels: np.ndarray) -> list[tuple[Answer, dict]]:
        given = model.answer(pixels)
        return list(zip(answers_of(model, *given), evidence()(pixels, *given)))

    batcher = Batcher(plain, "an answer")
    reasons = Batcher(explained, "an explanation", AT_ONCE, EXPLAINED_WAITING)

    @contextlib.asynccontextmanager
    async def lifespan(_app):
        async with batcher, reasons:
            yield
        reading.close()

    async def predict(request: Request) -> Response:
        uploads = await received(request)
        one = reasons if request.query_params.get("explain") == "1" else batcher
        results = await asyncio.gather(*(answered(name, data, model, one, reading, top) for name, data in uploads))
        statuses = {result.pop("status", 200) for result in results}
        status = statuses.pop() if len(statuses) == 1 else 207  # some were answered: each says so itself
        return JSONResponse({"results": results}, status, HEADERS)

    async def page(_request: Request) -> Response:
        return HTMLResponse(PAGE, headers=HEADERS)

    async def about(_request: Request) -> Response:
        waiting = {"waiting": batcher.queue.qsize(), "waiting_for_explanation": reasons.queue.qsize(), "waiting_large": reading.waiting}  # fmt: skip
        return JSONResponse(described(model) | {"batches": batcher.sizes} | waiting, headers=HEADERS)

    async def refused(_request: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": error.detail}, error.status_code, HEADERS)

    routes = [
        Route("/", page),
        Route("/predict", predict, methods=["POST"]),
        Route("/model", about),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)
    return Starlette(routes=routes, middleware=[hosts], exception_handlers={HTTPException: refused}, lifespan=lifespan)


async def answered(name: str, data: bytes, model: Model, batcher: Batcher, reading: Readers, top: int) -> dict:
    """One upload's answer as JSON; an error has its status. The batcher gives an answer, and what is told of what stands behind it."""
    try:
        found, behind = await batcher.answer(await reading.pixels(data))
        return {"file": name, **told(found, model, top), **behind}
    except Refused as error:
        return {"file": name, "error": str(error), "status": error.status}
    except Busy as error:
        return {"file": name, "error": str(error), "status": 503}


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
