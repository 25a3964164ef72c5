"""This loop, by the recipe of config/findings.yaml: AdamW at 0.001, 6 epochs, batches of 64, a head of zeros."""

import torch
from _common import ROOT

from accuracy.race import Over, Race
from ftbench.base.logits import validation_scores
from ftbench.data.images import Data, Images
from ftbench.machine import devices
from ftbench.model import backbones
from ftbench.model.backbones import validation_logits
from ftbench.study import config, grid, settings
from ftbench.train.checkpoint import StopSignal
from ftbench.train.loop import TrainingLoop
from ftbench.train.start import apply_strategy

EPOCHS = 6
RECIPE = (
    "config/findings.yaml: AdamW 0.001, weight decay 0.01, cosine, 30 warm-up steps, batch 64, crop and flip, 6 epochs"
)


def resolved(race: Race, changes: dict) -> tuple[dict, dict]:
    """(run, recipe) of the shipped study's fine-tuning, with this race's network, epochs and `changes` of the recipe."""
    from steps import fast_precision

    study = config.read(ROOT / "config" / "findings.yaml")
    run = settings.run(study, grid.Cell("cifar10", "lite0_64", "finetune"), race.seed)
    entry = {"source": "timm", "model": race.model, "image_size": race.size, "mean": race.mean, "std": race.std}
    run |= {"network": run["network"] | entry, "precision": fast_precision(), "threads": race.threads}
    recipe = run["recipe"] | {"learning_rate": study["strategies"]["finetune"]["learning_rate"]}
    recipe |= {"epochs": race.epochs} | changes
    return run, recipe | ({"batch_size": race.batch} if race.batch else {})


class Racing(TrainingLoop):
    """The training loop, whose validation is told to the race."""

    race: Race

    def validate(self) -> dict:
        logits = validation_logits(self.backbone, self.data, self.run, self.device, self.interrupt_if_asked)
        if self.race.validated(logits):
            raise Over
        return validation_scores(logits, self.data.labels[self.data.validation])


def prepare(race: Race, **changes):
    run, recipe = resolved(race, changes)
    device = devices.set_up(run)
    data = Data(
        Images(race.folder.parent / "images.npy", device), race.labels, race.train, race.validation, race.classes
    )
    statistics = {"mean": race.mean, "std": race.std}
    backbone = backbones.build(run["network"], race.classes, race.seed, race.weights, statistics)
    apply_strategy(backbone, run, recipe, torch.device("cpu"))

    def train() -> None:
        with StopSignal() as stop:
            loop = Racing(backbone, data, run, recipe, device, race.folder / "resume", "race", stop)
            loop.race = race
            loop.run_epochs()

    return train
