"""Where the time of a training step goes, by kind of operation: `python benchmarks/profile_step.py`; docs/speed.md has what it printed.

torch's profiler over steps of the training loop itself; the own time of every operator, in percent of all of them.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch  # noqa: E402
from steps import CASES, fast_precision, timer_of  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from ftbench import allocator  # noqa: E402

KINDS = {  # the first whose part stands in the operator's name
    "convolution, backward": ("convolution_backward",),
    "convolution, forward": ("conv",),
    "batch norm": ("batch_norm",),
    "activation and pooling": ("relu", "threshold", "hardtanh", "silu", "pool", "clamp"),
    "head and loss": ("addmm", "mm", "softmax", "nll", "log"),
    "optimizer": ("_fused_", "optimizer"),
    "copies and layouts": ("copy", "to_", "contiguous", "empty", "zero", "fill", "clone", "reorder"),
    "augmentation and indexing": ("index", "grid", "gather", "roll", "flip", "where", "pad", "upsample", "rand", "stack", "cat"),
}  # fmt: skip


def kind_of(operator: str) -> str:
    return next((kind for kind, parts in KINDS.items() if any(part in operator for part in parts)), "other")


def shares(name: str, precision: str, steps: int, folder: Path) -> tuple[float, dict[str, float], float]:
    """(seconds per step, {kind: share of the operators' own time}, share of a step spent on data) of a case of steps.py."""
    timer, *_ = timer_of(name, precision, folder)
    timer.step(0)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        seconds = np.median([timer.step(number) for number in range(1, steps + 1)])
    spent: dict[str, float] = dict.fromkeys([*KINDS, "other"], 0.0)
    for row in recorded.key_averages():
        spent[kind_of(row.key.lower())] += row.self_cpu_time_total
    total = sum(spent.values())
    on_data = np.median([timer.data_seconds(number) for number in range(steps)]) / seconds
    return float(seconds), {kind: time / total for kind, time in spent.items()}, float(on_data)


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the time of a training step goes.")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default=fast_precision())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    allocator.keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            seconds, parts, data = shares(name, arguments.precision, arguments.steps, Path(folder))
            print(
                f"\n{name.removeprefix('train_step_')}, {arguments.precision}: {seconds:.3f} s per step of {CASES[name][4]}"
            )
            for kind, share in sorted(parts.items(), key=lambda item: -item[1]):
                print(f"  {kind:28}{share:6.1%}")
            print(f"  of a step, on data and augmentation: {data:.1%}")


if __name__ == "__main__":
    main()
