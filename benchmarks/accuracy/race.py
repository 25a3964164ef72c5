"""One contender in a process of its own: `python -m accuracy FOLDER NAME EPOCHS`, from the folder benchmarks.

FOLDER has race.json, images.npy (N, H, W, 3) uint8, labels.npy (N,) and weights.safetensors; NAME is a module of this folder. It offers
RECIPE (words), EPOCHS (as documented) and `prepare(race)`, which reads and builds all that it needs and returns the function that trains. After
every epoch that function gives its logits of the validation images to `race.validated`, and ends when the answer is true.
The clock runs from the start of training; imports, reading and building come before. Writes FOLDER/<NAME>.json.
"""

import contextlib
import importlib
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

WORKERS = 2  # processes that prepare images, of those that have such


class Over(Exception):
    """The target is reached, or the time is up: for loops that cannot be left otherwise."""


@dataclass
class Race:
    """What all contenders share. `train` and `validation` are rows of `images`; `size` is the network's side in pixels."""

    images: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    model: str  # timm's name of the network
    weights: Path  # safetensors with timm's names of tensors, the head of another number of classes among them
    head: str  # the name of the head in it
    size: int
    mean: list[float]
    std: list[float]
    classes: int
    epochs: int
    batch: int | None  # images of a step in the place of the recipe's, of a run that measures nothing
    threads: int
    seed: int
    target: float
    limit: float  # CPU seconds, then the race is over
    folder: Path
    scores: list[dict] = field(default_factory=list)
    _wall: float = 0.0
    _cpu: float = 0.0

    def go(self) -> None:
        self._wall, self._cpu = time.perf_counter(), cpu_seconds()

    def validated(self, logits: np.ndarray) -> bool:
        """Note the accuracy of logits (N, C) of the validation images, in their order; returns whether training shall end."""
        wall, cpu = time.perf_counter() - self._wall, cpu_seconds() - self._cpu
        correct = np.asarray(logits).argmax(1) == self.labels[self.validation]
        assert len(correct) == len(self.validation)
        self.scores.append({"accuracy": float(correct.mean()), "seconds": wall, "cpu_seconds": cpu})
        print(f"epoch {len(self.scores)}: {correct.mean():.3f} after {wall:.1f} s, CPU {cpu:.1f} s", flush=True)
        return self.reached or cpu > self.limit

    @property
    def reached(self) -> bool:
        return bool(self.scores) and self.scores[-1]["accuracy"] >= self.target

    def network(self) -> torch.nn.Module:
        """timm's network with the pretrained weights and a head of timm's own initialisation, as its create_model gives it."""
        import timm

        torch.manual_seed(self.seed)
        network = timm.create_model(self.model, num_classes=self.classes)
        self.load(network)
        return network

    def load(self, network: torch.nn.Module) -> None:
        """Load all pretrained tensors but the head's; every other one has to fit."""
        from safetensors.torch import load_file

        state = {name: tensor for name, tensor in load_file(self.weights).items() if not name.startswith(self.head)}
        missing, unknown = network.load_state_dict(state, strict=False)
        left = [name for name in missing if not name.startswith(self.head) and "num_batches_tracked" not in name]
        assert not left and not unknown, (left, unknown)


def cpu_seconds() -> float:
    """Seconds of the processor that this process took, with its children, also those that still run."""
    times, ticks = os.times(), 0
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            fields = Path("/proc", child, "stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # utime, stime, and those of its own children
    return sum(times[:4]) + ticks / os.sysconf("SC_CLK_TCK")


def read_race(folder: Path, name: str, epochs: int) -> Race:
    given = json.loads((folder / "race.json").read_text())
    given |= {key: np.array(given[key]) for key in ("train", "validation")}
    arrays = {key: np.load(folder / f"{key}.npy") for key in ("images", "labels")}
    return Race(**arrays, **given, epochs=epochs, weights=folder / "weights.safetensors", folder=folder / name)


def main() -> None:
    folder, name = Path(sys.argv[1]), sys.argv[2]
    race = read_race(folder, name, int(sys.argv[3]))
    race.folder.mkdir(exist_ok=True)
    torch.set_num_threads(race.threads)
    torch.manual_seed(race.seed)
    np.random.seed(race.seed)
    train = importlib.import_module(f"accuracy.{name}").prepare(race)
    importlib.import_module("torch._dynamo")  # by the first step of an optimizer, and imports are not counted

    race.go()
    with contextlib.suppress(Over):
        train()
    result = {"epochs": race.epochs, "reached": race.reached, "scores": race.scores, "load": os.getloadavg()[0]}
    (folder / f"{name}.json").write_text(json.dumps(result))
