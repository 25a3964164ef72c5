"""The loop that tutorials write, faithfully: float32, NCHW, PIL transforms in a DataLoader with two workers.

It is what `make bench` compares the training loop with. It takes the same images and network and does the same work:
random crop, flip, resize to the network's size, cross-entropy, SGD with momentum.
"""

import copy
import statistics
import sys
import time
from collections.abc import Iterator

from _common import parser  # isort: skip
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import models, transforms

WORKERS = 2
# As everywhere on Linux; in a process that was itself spawned, as `serve` is, workers would be spawned too and import torch again.
CONTEXT = "fork" if sys.platform == "linux" else None
AHEAD = 2 * WORKERS  # batches that a DataLoader prepares in advance: its default prefetch_factor is 2


class PILImages(Dataset):
    """images (N, H, W, 3) uint8 and labels (N,), through torchvision's transforms one image at a time."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        return self.transform(self.images[index]), int(self.labels[index])


def reference_transform(stored: int, size: int, mean, std, crop: bool = True, flip: bool = True):
    """From a stored image to a network's input; images to be judged are neither cropped nor mirrored."""
    return transforms.Compose(
        [
            transforms.ToPILImage(),
            *([transforms.RandomCrop(stored, padding=stored // 8)] if crop else []),
            *([transforms.RandomHorizontalFlip()] if flip else []),
            *([transforms.Resize(size)] if size != stored else []),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )


def reference_steps(
    network: nn.Module, images: np.ndarray, labels: np.ndarray, size: int, batch: int, mean, std
) -> Iterator[float]:
    """Train for as long as it is asked to, yielding the loss after each step."""
    data = PILImages(images, labels, reference_transform(images.shape[1], size, mean, std))
    loader = DataLoader(
        data,
        batch_size=batch,
        shuffle=True,
        num_workers=WORKERS,
        drop_last=True,
        persistent_workers=True,
        multiprocessing_context=CONTEXT,
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    network.train()
    while True:
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(network(inputs), targets)
            loss.backward()
            optimizer.step()
            yield loss.item()


def serve(connection, threads: int, network: nn.Module, *arguments) -> None:
    """In a process of its own: for every number received, the seconds of that many steps; 0 ends it.

    Workers prepare images while the loop rests, so as many steps as they are ahead go untimed first.
    """
    torch.set_num_threads(threads)
    steps = reference_steps(copy.deepcopy(network), *arguments)  # it came in shared memory, a tutorial's has its own

    def timed_step() -> float:
        start = time.perf_counter()
        next(steps)
        return time.perf_counter() - start

    for number in iter(connection.recv, 0):
        for _ in range(AHEAD + 1):
            next(steps)
        connection.send([timed_step() for _ in range(number)])


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--steps", type=int, default=5, help="timed steps (default: %(default)s)")
    arguments = options.parse_args()
    batch, steps = (4, 1) if arguments.quick else (128, arguments.steps)
    images = np.random.default_rng(0).integers(0, 256, (4 * batch, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(len(images)) % 10
    losses = reference_steps(models.resnet18(num_classes=10), images, labels, 32, batch, [0.5] * 3, [0.25] * 3)
    seconds = []
    for _ in range(steps + 1):  # the first warms up
        start = time.perf_counter()
        next(losses)
        seconds.append(time.perf_counter() - start)
    print(f"ResNet-18 at 32 px: {statistics.median(seconds[1:]):.3f} s per step of {batch}")


if __name__ == "__main__":
    main()
