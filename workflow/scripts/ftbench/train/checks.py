"""After which steps a run looks at its losses and, if it has several processes, asks them for a signal.

On a GPU each look waits for the device, so not every step can have one. But a signal must be seen well before the grace time between it and
a kill is over. So the distance between two looks is bounded in seconds: its steps are counted from how long the last ones took in the
slowest process, and are the same in all of them, who wait for each other there. Nothing of it changes a result.
"""

import time

import torch

from ftbench.machine.processes import Ranks

SECONDS = 2.0  # between two looks, about; the shortest grace time in common use is docker's, 10 s
STEPS = 25  # at most between two looks; more would save nothing that can be measured


class Checks:
    """`due` after every step; `begin` where steps may take another time than before: those of an epoch, of images of another size."""

    def __init__(self, ranks: Ranks, device: torch.device):
        self.ranks, self.device = ranks, device
        self.begin()

    def begin(self) -> None:
        """Look after the next step, whatever the last ones took."""
        self.distance, self.taken, self.since = 1, 0, time.perf_counter()

    def due(self) -> bool:
        """Whether to look after the step that was just taken."""
        self.taken += 1
        return self.device.type == "cpu" or self.taken >= self.distance

    def done(self) -> None:
        """The look is over, and the device has done its steps: settle with the other processes when the next one is."""
        if self.device.type == "cpu":
            return
        now = time.perf_counter()
        seconds = self.ranks.largest((now - self.since) / self.taken, self.device)
        self.distance = max(1, min(STEPS, int(SECONDS / max(seconds, 1e-9))))
        self.taken, self.since = 0, now
