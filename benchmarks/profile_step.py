"""Where the time of a training step goes, by kind of operation: `python benchmarks/profile_step.py`; docs/speed.md has what it printed.

torch's profiler over steps of the training loop itself, first with every switch that makes it fast turned off, then on: the own time
of every operator in milliseconds per step.
"""

import tempfile
from pathlib import Path

from _common import parser  # isort: skip
import numpy as np
import torch
from steps import CASES, QUICK, QUICK_BATCH, fast_precision, timer_of
from torch.profiler import ProfilerActivity, profile

from ftbench.machine import memory

KINDS = {  # the first whose part stands in the operator's name
    "convolution, backward": ("convolution_backward",),
    "convolution, forward": ("conv",),
    "batch norm": ("batch_norm",),
    "activation and pooling": ("relu", "threshold", "hardtanh", "silu", "pool", "clamp"),
    "matrix products, loss": ("addmm", "mm", "softmax", "nll", "log"),
    "optimizer": ("_fused_", "optimizer"),
    "copies and layouts": ("copy", "to_", "contiguous", "empty", "zero", "fill", "clone", "reorder"),
    "augmentation and indexing": ("index", "grid", "gather", "roll", "flip", "where", "pad", "upsample", "rand", "stack", "cat"),
}  # fmt: skip


def kind_of(operator: str) -> str:
    return next((kind for kind, parts in KINDS.items() if any(part in operator for part in parts)), "other")


PLAIN = {"precision": "float32", "channels_last": False, "crop_kernels": False}  # and freed memory given back


def spent(name: str, settings: dict, steps: int, batch: int, folder: Path) -> dict[str, float]:
    """Milliseconds per step of a case of steps.py: {"step": all of it, "data": of which data and augmentation, kind: own time}."""
    timer, *_ = timer_of(name, settings, batch, folder)
    for number in range(2):
        timer.step_seconds(number)
    seconds = np.median([timer.step_seconds(number) for number in range(2, 2 + steps)])
    on_data = np.median([timer.data_seconds(number) for number in range(steps)])
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        for number in range(2, 2 + steps):
            timer.step_seconds(number)
    own: dict[str, float] = dict.fromkeys([*KINDS, "other"], 0.0)
    for row in recorded.key_averages():
        own[kind_of(row.key.lower())] += row.self_cpu_time_total / 1000 / steps
    return {"step": 1000 * seconds, "data": 1000 * on_data} | own


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--steps", type=int, default=5)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--precision", choices=("float32", "bfloat16"), default=fast_precision())
    arguments = options.parse_args()
    torch.set_num_threads(arguments.threads)
    steps = 1 if arguments.quick else arguments.steps
    batches = {QUICK: QUICK_BATCH} if arguments.quick else {name: case[4] for name, case in CASES.items()}
    after = {"precision": arguments.precision}
    with tempfile.TemporaryDirectory() as folder:
        before = {name: spent(name, PLAIN, steps, batch, Path(folder)) for name, batch in batches.items()}
        memory.keep_freed_memory()
        after = {name: spent(name, after, steps, batch, Path(folder)) for name, batch in batches.items()}
    for name, batch in batches.items():
        print(f"\n{name.removeprefix('train_step_')}, {arguments.precision}, a step of {batch} images")
        print(f"  {'milliseconds':28}{'before':>8}{'after':>8}")
        for kind, milliseconds in before[name].items():
            print(f"  {kind:28}{milliseconds:8.1f}{after[name][kind]:8.1f}")


if __name__ == "__main__":
    main()
