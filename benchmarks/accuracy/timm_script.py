"""timm's train script, from timm's own pieces: train.py itself is not part of the package.

Loader, optimizer, schedule and loss are timm's, in the order of its train_one_epoch, at train.py's defaults: SGD with Nesterov momentum at
0.1 for 256 images, weight decay 2e-5, label smoothing 0.1, RandomResizedCrop, flip, colour jitter 0.4. Mixup and the model's average are off,
as they are by default. Flags beside the defaults: --pretrained --epochs 10 --warmup-epochs 1 --sched-on-updates --amp --amp-dtype bfloat16
--channels-last.
"""

import torch
from PIL import Image
from timm.data import create_loader
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2

from accuracy.race import WORKERS, Race

EPOCHS = 10
RECIPE = "train.py's defaults: SGD 0.1 per 256 images, batch 128, smoothing 0.1, RandomResizedCrop, colour jitter; --epochs 10 --warmup-epochs 1 --amp --channels-last"


class Rows(torch.utils.data.Dataset):
    """Images and labels with the attribute that create_loader sets."""

    transform = None

    def __init__(self, race: Race, rows):
        self.images, self.labels = race.images[rows], race.labels[rows]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int):
        return self.transform(Image.fromarray(self.images[row])), int(self.labels[row])


def prepare(race: Race):
    device, batch = torch.device("cpu"), race.batch or 128
    shared = {"input_size": (3, race.size, race.size), "use_prefetcher": False, "num_workers": WORKERS}
    shared |= {"mean": race.mean, "std": race.std, "device": device, "persistent_workers": True}
    augmented = {"color_jitter": 0.4, "scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3), "hflip": 0.5}
    training = create_loader(
        Rows(race, race.train), batch_size=batch, is_training=True, interpolation="random", **augmented, **shared
    )
    validation = create_loader(Rows(race, race.validation), batch_size=batch, crop_pct=1.0, **shared)
    network = race.network().to(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(network, opt="sgd", lr=0.1 * batch / 256, weight_decay=2e-5, momentum=0.9)
    schedule, epochs = create_scheduler_v2(
        optimizer,
        sched="cosine",
        num_epochs=race.epochs,
        warmup_epochs=1,
        warmup_lr=1e-5,
        step_on_epochs=False,
        updates_per_epoch=len(training),
    )
    criterion = LabelSmoothingCrossEntropy(0.1)

    def forward(inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return network(inputs.contiguous(memory_format=torch.channels_last))

    def train() -> None:
        updates = 0
        for _ in range(epochs):
            network.train()
            for inputs, targets in training:
                criterion(forward(inputs).float(), targets).backward()
                optimizer.step()
                optimizer.zero_grad()
                updates += 1
                schedule.step_update(num_updates=updates)
            network.eval()
            with torch.inference_mode():
                logits = torch.cat([forward(inputs).float() for inputs, _ in validation])
            if race.validated(logits.numpy()):
                return

    return train
