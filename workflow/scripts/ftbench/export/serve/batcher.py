"""Requests that wait at the same time go through the network together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

LARGEST = 32  # images of one pass
WAITING = 256  # images that may wait; more are told to come again


class Busy(Exception):
    """More images wait than may, in a sentence."""


class Batcher:
    """`await answer(pixels)` gives one image's answer; whatever waits while the network works goes through it next, as one batch.

    `classify` takes stored pixels (N, H, W, 3), N at most `largest`, and gives a list of N answers. It runs in a thread of its own, one
    batch at a time. No more than `most` images wait for `what`.
    """

    def __init__(
        self,
        classify: Callable[[np.ndarray], list],
        what: str = "an answer",
        largest: int = LARGEST,
        most: int = WAITING,
    ):
        self.classify, self.what, self.largest = classify, what, largest
        self.queue: asyncio.Queue = asyncio.Queue(most)
        self.sizes: dict[int, int] = {}  # images of a batch: how many batches had so many
        self.worker: asyncio.Task | None = None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=what.replace(" ", "-"))

    async def __aenter__(self):
        self.worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_):
        self.worker.cancel()
        self.thread.shutdown(wait=False, cancel_futures=True)

    async def answer(self, pixels: np.ndarray):
        """Raises Busy if too many wait, and what `classify` raises."""
        future = asyncio.get_running_loop().create_future()
        try:
            self.queue.put_nowait((pixels, future))
        except asyncio.QueueFull:
            raise Busy(f"too many images wait for {self.what}; send it again later") from None
        return await future

    async def _work(self) -> None:
        while True:
            waiting = [await self.queue.get()]
            while len(waiting) < self.largest and not self.queue.empty():
                waiting.append(self.queue.get_nowait())
            self.sizes[len(waiting)] = self.sizes.get(len(waiting), 0) + 1
            try:
                pixels = np.stack([one for one, _ in waiting])
                answers = await asyncio.get_running_loop().run_in_executor(self.thread, self.classify, pixels)
            except Exception as error:  # each of those who wait is told
                for _, future in waiting:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(waiting, answers):
                if not future.done():  # its client may have gone
                    future.set_result(answer)
