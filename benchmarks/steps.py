"""Training steps of this loop against the reference loop's, in turns; and the share spent on data.

Both loops run on the same random images and the same network, and the ratio of the median step times is what counts:
machines and hours differ. The reference has a process of its own, without this loop's settings, and rests while this loop takes
its block of steps. Images of noise cost what photographs cost once they are decoded.
"""

import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

from _common import parser  # isort: skip
import numpy as np
import torch
from reference_loop import serve

from ftbench.base.files import write_npy
from ftbench.data.images import Data, Images
from ftbench.machine import memory
from ftbench.model import backbones
from ftbench.study import config, grid
from ftbench.study import settings as study_settings
from ftbench.study.kinds import declared
from ftbench.train.step import NORM_STEPS, Step

CASES = {  # name: (source, model, network's size, stored size, batch, target ratio)
    "train_step_resnet18_128": ("torchvision", "resnet18", 128, 128, 128, 3.5),
    "train_step_resnet18_32": ("torchvision", "resnet18", 32, 32, 128, 1.5),
    "train_step_efficientnet_lite0_64": ("timm", "tf_efficientnet_lite0", 64, 64, 128, 2.5),
}
QUICK, QUICK_BATCH = "train_step_resnet18_32", 4  # the case of --quick
BATCHES = NORM_STEPS  # in an epoch of the benchmark: the gradient's norm is measured once in so many steps
SHARES = {"train_step_resnet18_128": ("data_share_128", 0.03), "train_step_resnet18_32": ("data_share_32", 0.05)}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CLASSES = 10
STUDY = config.resolve(
    {
        "study": "bench",
        "seeds": [0],
        "device": "cpu",
        "datasets": {"noise": {"source": "digits"}},
        "backbones": {"network": {"weights": "none", "model": "resnet18"}},
        "strategies": {"finetune": {"kind": "finetune"}, "scratch": {"kind": "scratch"}},
    }
)
RUN = study_settings.run(STUDY, grid.Cell("noise", "network", "finetune"), 0)
OFF = {"norm_momentum": 0.1, "epochs": 10**6, "examples": None, "accumulate": 1}
RECIPE = declared("tutorial")["recipe"] | OFF  # what the reference loop does


def fast_precision() -> str:
    """bfloat16 where the processor multiplies it faster than float32: matrix units (AMX) or dot products (AVX512_BF16)."""
    return "bfloat16" if torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported() else "float32"


class Timer:
    """The steps that a training run takes, timed one by one."""

    def __init__(self, backbone, data, run, batch):
        self.step = Step(backbone, data, run, RECIPE | {"batch_size": batch}, torch.device("cpu"))
        self.step.open_epoch(0)
        self.order = np.random.default_rng(0).permutation(data.train)
        self.batch = batch

    def ids(self, number: int) -> np.ndarray:
        first = number * self.batch % (len(self.order) - self.batch + 1)
        return self.order[first : first + self.batch]

    def step_seconds(self, number: int) -> float:
        start = time.perf_counter()
        self.step.take(self.ids(number), 0, number % BATCHES)
        return time.perf_counter() - start

    def data_seconds(self, number: int) -> float:
        start = time.perf_counter()
        images = self.step.augment(self.step.data.images.batch(self.ids(number)), self.step.generator)
        self.step.backbone.to_input(images)
        return time.perf_counter() - start


def timer_of(name: str, settings: dict, batch: int, folder: Path) -> tuple[Timer, np.ndarray, np.ndarray, dict]:
    """The timer of a case under `settings` (precision, and what shall differ from RUN), its images, labels and network's entry."""
    source, model, size, stored, _, _ = CASES[name]
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCHES * batch, stored, stored, 3), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, len(images))
    write_npy(folder / f"{name}.npy", images)
    run = RUN | settings
    entry = {"source": source, "model": model, "activation": None, "image_size": size, "mean": MEAN, "std": STD}
    backbone = backbones.build(entry, CLASSES, 0, None, {})
    backbones.prepare(backbone, run, torch.device("cpu"))
    store = Images(folder / f"{name}.npy", torch.device("cpu"))
    data = Data(store, labels, np.arange(len(images)), np.arange(8), CLASSES)
    return Timer(backbone, data, run, batch), images, labels, entry


def compare(
    name: str, precision: str, threads: int, steps: int, blocks: int, folder: Path, quick: bool = False
) -> list[dict]:
    """The ratio of one case, from `blocks` blocks of `steps` steps of each loop, and its share of data where a target names it."""
    _, _, size, _, batch, target = CASES[name]
    batch = QUICK_BATCH if quick else batch
    torch.set_num_threads(threads)
    memory.keep_freed_memory()
    timer, images, labels, entry = timer_of(name, {"precision": precision}, batch, folder)
    network = backbones.build(entry, CLASSES, 0, None, {}).network
    theirs, other_end = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    arguments = (network, images, labels, size, batch, MEAN, STD)
    spawn.Process(target=serve, args=(other_end, threads, *arguments)).start()
    other_end.close()  # its process has the only one, so that its death is an error here and not a wait
    times: dict[str, list[float]] = {"ours": [], "theirs": [], "data": []}
    for block in range(blocks):
        theirs.send(steps)
        times["theirs"] += theirs.recv()
        for number in range(block * steps, (block + 1) * steps + 1):
            mine, data = timer.step_seconds(number), timer.data_seconds(number)
            if number > block * steps:  # the first step of a block warms up
                times["ours"].append(mine)
                times["data"].append(data)
    theirs.send(0)
    medians = {key: statistics.median(values) for key, values in times.items()}
    (folder / f"{name}.npy").unlink()
    print(f"{name}: reference {medians['theirs']:.3f} s, this loop {medians['ours']:.3f} s per step of {batch}")
    results = [{"name": name, "value": medians["theirs"] / medians["ours"], "unit": "ratio", "target": target}]
    if name in SHARES:
        share, most = SHARES[name]
        results.append({"name": share, "value": medians["data"] / medians["ours"], "unit": "share", "target": most})
    return results


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--steps", type=int, default=5, help="timed steps of a block (default: %(default)s)")
    options.add_argument("--blocks", type=int, default=3, help="blocks of each loop, in turns (default: %(default)s)")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--precision", choices=("float32", "bfloat16"), default=fast_precision())
    arguments = options.parse_args()
    names, repeats = ([QUICK], (1, 1)) if arguments.quick else (CASES, (arguments.steps, arguments.blocks))
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            compare(name, arguments.precision, arguments.threads, *repeats, Path(folder), arguments.quick)


if __name__ == "__main__":
    main()
