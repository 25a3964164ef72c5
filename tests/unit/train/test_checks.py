"""When a run on GPUs looks for a signal: bounded in seconds, alike in all processes, on a clock of the test's own."""

import pytest
import torch

from ftbench.train import checks
from ftbench.train.checks import SECONDS, STEPS, Checks


class Clock:
    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Slowest:
    """Stands for all processes: `seconds` is how long the steps of the slowest one take, 0 if it is this one."""

    seconds = 0.0

    def largest(self, value, device):
        return max(value, self.seconds)


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(checks, "time", Clock())
    return checks.time


def looks(clock, made: Checks, seconds: float, steps: int) -> list[float]:
    """When it looks, in a run of `steps` steps of so many seconds."""
    found = []
    for _ in range(steps):
        clock.now += seconds
        if made.due():
            made.done()
            found.append(clock.now)
    return found


@pytest.mark.parametrize("seconds", [0.001, 0.05, 0.3, 1.9, 7.0])
def test_two_looks_are_no_further_apart_than_seconds_or_one_step(clock, seconds):
    found = looks(clock, Checks(Slowest(), torch.device("cuda")), seconds, 200)
    apart = [after - before for before, after in zip([0.0, *found], found)]
    assert max(apart) <= max(SECONDS, seconds) + 1e-9 and len(found) >= 200 // STEPS
    if seconds * STEPS < SECONDS:
        assert max(apart) == pytest.approx(STEPS * seconds)  # no oftener than it must


def test_the_slowest_process_sets_the_distance_of_all(clock):
    ranks = Slowest()
    ranks.seconds = 1.0
    assert (
        len(looks(clock, Checks(ranks, torch.device("cuda")), 0.001, 21)) == 11
    )  # after the first, then after every second


def test_steps_that_may_take_longer_are_looked_at_at_once(clock):
    made = Checks(Slowest(), torch.device("cuda"))
    looks(clock, made, 0.01, 30)
    made.begin()
    found = looks(clock, made, 4.0, 3)
    assert len(found) == 3


def test_a_cpu_looks_after_every_step(clock):
    assert len(looks(clock, Checks(Slowest(), torch.device("cpu")), 0.001, 9)) == 9
