"""`make bench-gpu`: matrix products and training steps on a device: TFLOP/s achieved and of the peak, images per second, memory.

The peak is what the device's data sheet says of dense products, where the table below has it, and what a large matrix product reaches
here. A step is the product's own: bytes on the device, augmentation there, one optimizer step. Its operations are counted, not estimated.
Needs torch, torchvision, timm, numpy, what their wheels bring, and psutil. With --device cpu it measures the processor.
"""

import statistics
import tempfile
import time
from pathlib import Path

from _common import out_of, parser  # isort: skip
import numpy as np
import torch

from ftbench.base.files import write_json, write_npy
from ftbench.data.images import Data, Images
from ftbench.machine import devices
from ftbench.measure.operations import operation_counter
from ftbench.model import backbones, freezing
from ftbench.train import strategies
from ftbench.train.step import Step

# 10^12 operations per second, dense, from NVIDIA's data sheets: bfloat16 and float16 with float32 sums, TF32, float32 without.
DATA_SHEETS = {
    "H200": {"bfloat16": 989, "float16": 989, "tf32": 495, "float32": 67},
    "H100 PCIe": {"bfloat16": 756, "float16": 756, "tf32": 378, "float32": 51},
    "H100": {"bfloat16": 989, "float16": 989, "tf32": 495, "float32": 67},
    "A100": {"bfloat16": 312, "float16": 312, "tf32": 156, "float32": 19.5},
    "L40S": {"bfloat16": 362, "float16": 362, "tf32": 183, "float32": 91.6},
    "L4": {"bfloat16": 121, "float16": 121, "tf32": 60, "float32": 30.3},
    "A10": {"bfloat16": 125, "float16": 125, "tf32": 62.5, "float32": 31.2},
    "V100": {"float16": 125, "float32": 15.7},
    "T4": {"float16": 65, "float32": 8.1},
}
CASES = {  # name: (source, model, network's size, stored size, batch)
    "resnet18_32": ("torchvision", "resnet18", 32, 32, 256),
    "resnet50_224": ("torchvision", "resnet50", 224, 224, 128),
    "efficientnet_lite0_64": ("timm", "tf_efficientnet_lite0", 64, 64, 256),
    "vit_small_224": ("timm", "vit_small_patch16_224", 224, 224, 128),
}
QUICK, QUICK_BATCH = "resnet18_32", 2
CLASSES, STEPS_PER_EPOCH, WARM_UP = 10, 25, 5
STATISTICS = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
RECIPE = {
    "batch_size": 1, "optimizer": "adamw", "momentum": 0.9, "nesterov": True, "weight_decay": 0.05, "schedule": "constant",
    "warmup_steps": 0, "norm_momentum": 0.1, "label_smoothing": 0.0, "augmentation": "crop_flip", "examples": None, "epochs": 10**6,
    "patience": None, "accumulate": 1, "clip_norm": None, "class_weights": "none", "mixup": 0.0, "cutmix": 0.0, "ema_decay": 0.0, "image_sizes": None,
    "learning_rate": 1e-4,
}  # fmt: skip


def peaks_of(name: str) -> dict:
    """The data sheet's peaks of a device, by the first name in the table that its name has; {} if it is in none."""
    words = name.replace("-", " ").split()
    return next((peaks for key, peaks in DATA_SHEETS.items() if set(key.split()) <= set(words)), {})


def settings_of(device: torch.device, precision: str, threads: int, compiled: bool) -> dict:
    return {
        "device": device.type, "precision": precision, "channels_last": True, "crop_kernels": True, "compile": compiled,
        "deterministic": False, "threads": threads, "kind": "finetune", "seed": 0, "gpus_per_run": 1,
    }  # fmt: skip


def seconds_of(work, device: torch.device, repeats: int) -> float:
    """Median seconds of `work()`, each with a clock that waits for the device."""
    times = []
    for number in range(repeats + 1):
        devices.synchronise(device)
        start = time.perf_counter()
        work()
        devices.synchronise(device)
        if number:  # the first one warms up
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def matmul_teraflops(device: torch.device, name: str, side: int, repeats: int) -> float:
    """What a product of two matrices (side, side) reaches; name is a precision or "tf32"."""
    torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
    dtype = devices.LOW.get(name, torch.float32)
    one, two = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / seconds_of(lambda: one @ two, device, repeats) / 1e12  # 2 operations per multiply-add


def step_of(case: str, device: torch.device, run: dict, batch: int, folder: Path) -> Step:
    """The training steps of a case, on images of noise."""
    source, model, size, stored, _ = CASES[case]
    rng = np.random.default_rng(0)
    count = STEPS_PER_EPOCH * batch
    write_npy(folder / "images.npy", rng.integers(0, 256, (count, stored, stored, 3), dtype=np.uint8))
    labels = rng.integers(0, CLASSES, count)
    entry = {"source": source, "model": model, "activation": None, "image_size": size, "mean": None, "std": None}
    backbone = backbones.build(entry, CLASSES, 0, None, STATISTICS)
    backbones.prepare(backbone, run, device)
    freezing.freeze(backbone, strategies.load("finetune").trainable(backbone))
    if run["compile"]:
        backbone.network.compile()
    data = Data(Images(folder / "images.npy", device), labels, np.arange(count), np.arange(8), CLASSES)
    step = Step(backbone, data, run, RECIPE | {"batch_size": batch}, device)
    step.seed(0)
    step.open_epoch(0)
    return step


def measure(case: str, device: torch.device, run: dict, batch: int, steps: int, folder: Path) -> dict:
    """Images per second, TFLOP/s and memory of a case, and the share of a step that its data take."""
    devices.set_up(run)
    step = step_of(case, device, run | {"compile": False}, batch, folder)
    with operation_counter() as counter:
        step.take(step.data.train[:batch], 0, 0)
    if run["compile"]:
        step = step_of(case, device, run, batch, folder)

    def take(first: int, count: int) -> None:
        for number in range(first, first + count):
            begin = number % STEPS_PER_EPOCH * batch
            step.take(step.data.train[begin : begin + batch], 0, number)

    take(0, min(WARM_UP, steps))
    seconds = seconds_of(lambda: take(1, steps), device, 3) / steps
    ids = step.data.train[:batch]
    data = seconds_of(
        lambda: step.backbone.to_input(step.augment(step.data.images.batch(ids), step.generator)), device, steps
    )
    return {
        "case": case, "precision": run["precision"], "compile": run["compile"], "batch": batch, "step_ms": 1000 * seconds,
        "images_per_second": batch / seconds, "teraflops": counter.get_total_flops() / seconds / 1e12, "data_share": data / seconds,
        "peak_memory_mb": devices.peak_memory_mb(device),
    }  # fmt: skip


def told(result: dict, products: dict, sheet: dict) -> str:
    precision = result["precision"]
    shares = [f"{result['teraflops'] / products[precision]:.0%} of the matrix product"]
    if precision in sheet:
        shares.append(f"{result['teraflops'] / sheet[precision]:.0%} of the data sheet")
    return (
        f"{result['case']:22} {precision:9}{' compiled' * result['compile']} batch {result['batch']:4}: "
        f"{result['images_per_second']:.1f} images/s, {result['teraflops']:.3g} TFLOP/s ({', '.join(shares)}), "
        f"data {result['data_share']:.1%} of a step, {result['peak_memory_mb']:.0f} MB"
    )


def main() -> None:
    options = parser(__doc__, out="bench_gpu.json")
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options.add_argument(
        "--precision", choices=("float32", "bfloat16", "float16"), nargs="*", default=["float32", "bfloat16", "float16"]
    )
    options.add_argument("--only", choices=list(CASES), nargs="*", default=list(CASES))
    options.add_argument("--compile", action="store_true", help="also with torch.compile")
    options.add_argument("--steps", type=int, default=20, help="steps between two looks at the clock")
    options.add_argument("--threads", type=int, default=2)
    arguments = options.parse_args()
    out, quick = out_of(arguments), arguments.quick
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("torch finds no CUDA device here, so 0 figures of a GPU; --device cpu measures the processor")
        raise SystemExit(0 if quick else 1)
    device = torch.device(arguments.device)
    devices.set_up(settings_of(device, "float32", arguments.threads, False))
    name = devices.device_name(device)
    sheet = peaks_of(name) if device.type == "cuda" else {}
    side, repeats = (64, 1) if quick else (8192, 10) if device.type == "cuda" else (2048, 3)
    kinds = [
        "float32",
        *["tf32"] * (device.type == "cuda"),
        "bfloat16",
        *["float16"] * (device.type == "cuda" or quick),
    ]
    products = {kind: matmul_teraflops(device, kind, side, repeats) for kind in kinds}
    print(f"{name}, torch {torch.__version__}")
    for kind, reached in products.items():
        print(f"matrix product {kind:9} {reached:.3g} TFLOP/s" + (f" of {sheet[kind]:g}" if kind in sheet else ""))
    if device.type == "cuda" and not sheet:
        print("the table of data sheets does not have this device: shares are of its matrix product")
    results = []
    for case in [QUICK] if quick else arguments.only:
        batch, steps = (QUICK_BATCH, 1) if quick else (CASES[case][-1], arguments.steps)
        precisions = [each for each in arguments.precision if each in products]
        for precision in precisions[:1] if quick else precisions:
            for compiled in (False, True) if arguments.compile else (False,):
                run = settings_of(device, precision, arguments.threads, compiled)
                with tempfile.TemporaryDirectory() as folder:
                    results.append(measure(case, device, run, batch, steps, Path(folder)))
                print(told(results[-1], products, sheet))
    machine = {"device_name": name, "threads": arguments.threads, "versions": devices.versions()}
    write_json(out, {**machine, "data_sheet": sheet, "matrix_product": products, "steps": results})
    print(f"written to {out}")


if __name__ == "__main__":
    main()
