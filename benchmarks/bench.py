"""`make bench`: speed against the reference loop, memory and overhead, each as a number with its target.

Writes results/bench.json, a list of {name, value, unit, target}, and beside it what it ran on. Ratios and shares come from one
interleaved run; targets are "at least" for ratios and "at most" for the rest.
"""

import statistics
import subprocess
import sys
import time

from _common import ROOT, out_of, parser  # isort: skip
import memory
import overhead
import probe
import steps
import torch

from ftbench.base.files import write_json
from ftbench.machine import devices


def peak(name: str, images: int, precision: str, target: float, quick: bool) -> dict:
    command = [sys.executable, str(ROOT / "benchmarks" / "memory.py"), str(images), precision, *["--quick"] * quick]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    value = float(done.stdout.split()[-1])
    print(f"{name}: {value:.0f} MB")
    return {"name": name, "value": value, "unit": "MB", "target": target}


def matmul_teraflops(dtype: torch.dtype, side: int, repeats: int = 7) -> float:
    """What the processor reaches in a large matrix product, the bound of every convolution: 10^12 operations per second."""
    one = torch.randn(side, side).to(dtype)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        one @ one
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / statistics.median(seconds) / 1e12  # 2 operations per multiply-add


def met(result: dict) -> str:
    if result["value"] is None:  # a faster probe that is less accurate
        return "missed"
    if result["unit"] == "ratio":
        return "met" if result["value"] >= result["target"] else "missed"
    return "met" if result["value"] <= result["target"] else "missed"


def main() -> None:
    others = ["linear_probe_total", "peak_rss_cifar10_mb", "peak_rss_20gb_mb", "job_overhead_s"]
    options = parser(__doc__, out="bench.json")
    options.add_argument("--steps", type=int, default=5, help="timed steps of a block")
    options.add_argument("--blocks", type=int, default=3, help="blocks of each loop, in turns")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--precision", choices=("float32", "bfloat16"), default=steps.fast_precision())
    options.add_argument("--only", choices=[*steps.CASES, *others], nargs="*", default=[*steps.CASES, *others])
    arguments = options.parse_args()
    out, quick = out_of(arguments), arguments.quick
    folder = out.parent / "bench"
    folder.mkdir(exist_ok=True)
    precision, threads = arguments.precision, arguments.threads
    results = []
    for name in arguments.only:
        if name in steps.CASES:
            if quick and name != steps.QUICK:
                continue  # one case shows that all run
            repeats = (1, 1) if quick else (arguments.steps, arguments.blocks)
            results += steps.compare(name, precision, threads, *repeats, folder, quick)
        elif name == "linear_probe_total":
            results.append(probe.compare(precision, threads, folder, quick))
        elif name == "peak_rss_cifar10_mb":
            results.append(peak(name, memory.CIFAR10, precision, 1500, quick))
        elif name == "peak_rss_20gb_mb":
            results.append(peak(name, memory.TWENTY_GB, precision, 3000, quick))
        else:
            results.append(overhead.measure(folder, quick=quick))
    write_json(out, results)
    machine = {
        "device_name": devices.device_name(torch.device("cpu")),
        "precision": precision,
        "threads": threads,
        "versions": devices.versions(),
    }
    torch.set_num_threads(threads)
    side = 64 if quick else 2048
    peaks = {
        str(dtype).removeprefix("torch."): matmul_teraflops(dtype, side) for dtype in (torch.float32, torch.bfloat16)
    }
    write_json(out.with_name("bench_machine.json"), machine | {"matmul_teraflops": peaks})
    print("matrix product: " + ", ".join(f"{name} {peak:.2f} TFLOP/s" for name, peak in peaks.items()))
    for result in results:
        value = "none" if result["value"] is None else f"{result['value']:.4g}"
        print(
            f"{result['name']:36} {value:>10} {result['unit']:6} target {result['target']:g}: {'-' if quick else met(result)}"
        )
    print(f"written to {out}")


if __name__ == "__main__":
    main()
