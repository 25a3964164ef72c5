"""The tutorial's loop (benchmarks/reference_loop.py) by the recipe of PyTorch's transfer-learning tutorial.

Batches of 4, SGD at 0.001 with momentum 0.9, a tenth of it after every 7 epochs; float32. The images are cropped and mirrored as in the
reference loop: the tutorial's RandomResizedCrop is made for photographs.
"""

import numpy as np
import torch
from reference_loop import PILImages, reference_transform
from torch import nn
from torch.utils.data import DataLoader

from accuracy.race import WORKERS, Race

EPOCHS = 25
RECIPE = (
    "PyTorch's transfer-learning tutorial: SGD 0.001, momentum 0.9, a tenth after 7 epochs, batch 4, 25 epochs, float32"
)


def prepare(race: Race):
    def loader(rows: np.ndarray, batch: int, training: bool) -> DataLoader:
        stored = race.images.shape[1]
        transform = reference_transform(stored, race.size, race.mean, race.std, crop=training, flip=training)
        data = PILImages(race.images[rows], race.labels[rows], transform)
        return DataLoader(data, batch_size=batch, shuffle=training, num_workers=WORKERS)

    batch = race.batch or 4
    training, validation = loader(race.train, batch, True), loader(race.validation, batch, False)
    network, criterion = race.network(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)

    def train() -> None:
        for _ in range(race.epochs):
            network.train()
            for inputs, targets in training:
                optimizer.zero_grad()
                criterion(network(inputs), targets).backward()
                optimizer.step()
            schedule.step()
            network.eval()
            with torch.no_grad():
                logits = torch.cat([network(inputs) for inputs, _ in validation])
            if race.validated(logits.numpy()):
                return

    return train
