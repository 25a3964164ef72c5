"""Ratios of the training loop to the reference loop, from one interleaved run: `make bench` writes results/bench.json.

Machines and hours differ, so nothing here is an absolute time: both loops run in this process on the same random images
and the same network, in turns, and the ratio of the median step times is printed. Images of noise cost what photographs
cost once they are decoded.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from reference_loop import reference_steps  # noqa: E402

from ftbench import backbones, checkpoint, devices, loop, strategies  # noqa: E402
from ftbench.arrays import Images  # noqa: E402
from ftbench.files import write_json, write_npy  # noqa: E402
from ftbench.kinds import declared  # noqa: E402

CASES = {  # name: (source, model, network's size, stored size, batch, target ratio)
    "train_step_resnet18_128": ("torchvision", "resnet18", 128, 128, 128, 3.5),
    "train_step_resnet18_32": ("torchvision", "resnet18", 32, 32, 128, 1.5),
    "train_step_efficientnet_lite0_64": ("timm", "tf_efficientnet_lite0", 64, 64, 128, 2.5),
}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CLASSES = 10
RECIPE = declared("tutorial")["recipe"] | {"norm_momentum": 0.1, "epochs": 10**6}  # what the reference loop does


class Timer:
    """Steps of the training loop itself, timed one by one through its own `train_step`."""

    def __init__(self, backbone, data, run, batch, folder: Path):
        self.loop = loop.TrainingLoop(
            backbone, data, run, RECIPE | {"batch_size": batch}, torch.device("cpu"), folder, "bench"
        )
        strategies.train_mode(backbone.network)
        self.order = np.random.default_rng(0).permutation(data.train)
        self.batch = batch

    def ids(self, number: int) -> np.ndarray:
        first = number * self.batch % (len(self.order) - self.batch + 1)
        return self.order[first : first + self.batch]

    def step(self, number: int) -> float:
        ids = self.ids(number)
        start = time.perf_counter()
        self.loop.train_step(ids)
        return time.perf_counter() - start

    def data_seconds(self, number: int) -> float:
        ids = self.ids(number)
        start = time.perf_counter()
        images = self.loop.augment(self.loop.data.images.batch(ids), self.loop.generator)
        self.loop.backbone.to_input(images)
        return time.perf_counter() - start


def ratio(name: str, precision: str, threads: int, steps: int, folder: Path) -> dict:
    source, model, size, stored, batch, target = CASES[name]
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (max(4 * batch, 512), stored, stored, 3), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, len(images))
    write_npy(folder / f"{name}.npy", images)
    device = torch.device("cpu")
    run = {
        "seed": 0,
        "precision": precision,
        "channels_last": True,
        "crop_kernels": True,
        "selection_metric": "accuracy",
    }
    entry = {"source": source, "model": model, "image_size": size, "mean": MEAN, "std": STD}
    ours = backbones.build(entry, CLASSES, 0, None, {})
    backbones.prepare(ours, run, device)
    store = Images(folder / f"{name}.npy", device)
    timer = Timer(
        ours, loop.Data(store, labels, np.arange(len(images)), np.arange(8), CLASSES), run, batch, folder / name
    )
    theirs = reference_steps(
        backbones.build(entry, CLASSES, 0, None, {}).network, images, labels, size, batch, MEAN, STD
    )
    times: dict[str, list[float]] = {"ours": [], "theirs": [], "data": []}
    for number in range(steps + 1):
        start = time.perf_counter()
        next(theirs)
        elapsed = time.perf_counter() - start
        mine, data = timer.step(number), timer.data_seconds(number)
        if number:  # the first step of each warms up
            for key, value in (("theirs", elapsed), ("ours", mine), ("data", data)):
                times[key].append(value)
    medians = {key: statistics.median(values) for key, values in times.items()}
    checkpoint.clear(folder / name)
    print(
        f"{name}: reference {medians['theirs']:.3f} s, this loop {medians['ours']:.3f} s per step of {batch}, "
        f"ratio {medians['theirs'] / medians['ours']:.2f} (target {target}); data and augmentation {medians['data'] / medians['ours']:.3f} of it"
    )
    return {"name": name, "value": medians["theirs"] / medians["ours"], "unit": "ratio", "target": target} | {
        "data_share": medians["data"] / medians["ours"],
        "precision": precision,
        "threads": threads,
        "device_name": devices.device_name(device),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--only", choices=CASES, nargs="*", default=list(CASES))
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench.json")
    arguments = parser.parse_args()
    folder = arguments.out.parent / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    results = [ratio(name, arguments.precision, arguments.threads, arguments.steps, folder) for name in arguments.only]
    write_json(arguments.out, results)
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
