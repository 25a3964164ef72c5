"""fastai's vision_learner and fine_tune by its vision tutorial: `fine_tune(2, 3e-3)` with aug_transforms, batches of 64, float32.

The head alone learns for one epoch, then everything in a one-cycle schedule with lower rates below. The head is fastai's own, larger than
one linear layer.
"""

import numpy as np
import torch
from fastai.vision.all import (
    Callback,
    CancelFitException,
    CategoryBlock,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    Normalize,
    PILImage,
    Resize,
    aug_transforms,
    vision_learner,
)

from accuracy.race import WORKERS, Race

EPOCHS = 2
RECIPE = "its vision tutorial: fine_tune(2, 3e-3) after one epoch of the head, Adam in one cycle, aug_transforms, batch 64, float32"


class Told(Callback):
    """Gives the race what every epoch's validation answered, and ends both phases of fine_tune when it is over."""

    over = False

    def __init__(self, race: Race):
        self.race = race

    def before_fit(self):
        if self.over:
            raise CancelFitException

    def before_validate(self):
        self.seen = []

    def after_pred(self):
        if not self.training:
            self.seen.append(self.pred.detach())

    def after_epoch(self):
        self.over = self.race.validated(torch.cat(self.seen).numpy())
        if self.over:
            raise CancelFitException


def prepare(race: Race):
    rows = np.concatenate([race.train, race.validation])
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_x=lambda row: PILImage.create(race.images[row]),
        get_y=lambda row: int(race.labels[row]),
        splitter=IndexSplitter(list(range(len(race.train), len(rows)))),
        item_tfms=Resize(race.size),
        batch_tfms=[*aug_transforms(size=race.size), Normalize.from_stats(race.mean, race.std)],
    )
    loaders = block.dataloaders(rows.tolist(), bs=race.batch or 64, num_workers=WORKERS, device=torch.device("cpu"))
    assert list(loaders.vocab) == list(range(race.classes))
    torch.manual_seed(race.seed)
    learner = vision_learner(loaders, race.model, pretrained=False, cbs=Told(race))
    race.load(learner.model[0].model)
    learner.freeze()

    def train() -> None:
        with learner.no_bar(), learner.no_logging():
            learner.fine_tune(race.epochs, 3e-3)

    return train
