"""Peak memory of a training process: ResNet-18, 32 px, batch 128, on a data set of a given number of images.

Run as a process of its own, `python benchmarks/memory.py [IMAGES [PRECISION]]`, whose peak it prints in MB. The file of images
is sparse: it has its size and takes no room on the disk.
"""

import tempfile
from pathlib import Path

from _common import parser  # isort: skip
import numpy as np

SIDE, BATCH, STEPS, VALIDATED = 32, 128, 12, 1000
CIFAR10, TWENTY_GB = 50_000, 20_000_000_000 // (SIDE * SIDE * 3)


def sparse_images(path: Path, count: int) -> None:
    """An images.npy of `count` black images, a hole in the file."""
    with path.open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, SIDE, SIDE, 3)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + count * SIDE * SIDE * 3)


def peak_mb(count: int, precision: str, batch: int, steps: int, validated: int) -> float:
    """Peak memory of this process in MB, after `steps` training steps of `batch` images out of `count`, `validated` of which validate."""
    import torch
    from steps import CLASSES, MEAN, RECIPE, RUN, STD

    from ftbench.data.images import Data, Images
    from ftbench.machine import devices, memory
    from ftbench.model import backbones
    from ftbench.train import loop

    torch.set_num_threads(2)
    memory.keep_freed_memory()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        sparse_images(Path(folder) / "images.npy", count)
        entry = {
            "source": "torchvision",
            "model": "resnet18",
            "activation": None,
            "image_size": SIDE,
            "mean": MEAN,
            "std": STD,
        }
        backbone = backbones.build(entry, CLASSES, 0, None, {})
        device = torch.device("cpu")
        run = RUN | {"precision": precision}
        backbones.prepare(backbone, run, device)
        labels = np.random.default_rng(0).integers(0, CLASSES, count)
        train, validation = np.arange(count)[count // 10 :], np.arange(count)[:validated]
        # The large set is read batch by batch however much memory this machine has, as it is where it does not fit.
        store = Images(Path(folder) / "images.npy", device, resident=False if count >= TWENTY_GB else None)
        data = Data(store, labels, train, validation, CLASSES)
        recipe = RECIPE | {"batch_size": batch, "examples": steps * batch, "class_weights": "none"}
        loop.fit(backbone, data, run, recipe, device, Path(folder) / "resume", "bench")
    return devices.peak_memory_mb(device)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("images", type=int, nargs="?", default=CIFAR10, help="(default: %(default)s)")
    options.add_argument("precision", choices=("float32", "bfloat16"), nargs="?", default="float32")
    arguments = options.parse_args()
    sizes = (4, 2, 8) if arguments.quick else (BATCH, STEPS, VALIDATED)
    print(peak_mb(arguments.images, arguments.precision, *sizes))


if __name__ == "__main__":
    main()
