"""Requests that wait at the same time go through the network together."""

import asyncio
from collections.abc import Callable

import numpy as np

LARGEST = 32  # images of one pass
WAITING = 256  # images that may wait; more are told to come again


class Busy(Exception):
    """More images wait than may."""


class Batcher:
    """`await answer(pixels)` gives one image's answer; whatever waits while the network works goes through it next, as one batch.

    `classify` takes stored pixels (N, H, W, 3) and gives a list of N answers. It runs in a thread, one batch at a time.
    """

    def __init__(self, classify: Callable[[np.ndarray], list]):
        self.classify = classify
        self.queue: asyncio.Queue = asyncio.Queue(WAITING)
        self.sizes: dict[int, int] = {}  # images of a batch: how many batches had so many
        self.worker: asyncio.Task | None = None

    async def __aenter__(self):
        self.worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_):
        self.worker.cancel()

    async def answer(self, pixels: np.ndarray):
        """Raises Busy if too many wait, and what `classify` raises."""
        future = asyncio.get_running_loop().create_future()
        try:
            self.queue.put_nowait((pixels, future))
        except asyncio.QueueFull:
            raise Busy from None
        return await future

    async def _work(self) -> None:
        while True:
            waiting = [await self.queue.get()]
            while len(waiting) < LARGEST and not self.queue.empty():
                waiting.append(self.queue.get_nowait())
            self.sizes[len(waiting)] = self.sizes.get(len(waiting), 0) + 1
            try:
                answers = await asyncio.to_thread(self.classify, np.stack([pixels for pixels, _ in waiting]))
            except Exception as error:  # each of those who wait is told
                for _, future in waiting:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(waiting, answers):
                if not future.done():  # its client may have gone
                    future.set_result(answer)
