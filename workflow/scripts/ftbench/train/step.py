"""One training step of a run: the images of a batch, the loss, the gradients, and what the optimizer makes of them.

A step knows no epoch and no step number of its own; whoever takes it says which one it is. The mixing of images and, in
several processes, dropout follow from (seed, epoch, number). The augmentation draws from a generator that `seed` sets
once per epoch.
"""

import contextlib
import math

import numpy as np
import torch

from ftbench.data.images import Data
from ftbench.machine import devices
from ftbench.machine.processes import Ranks, synchronise
from ftbench.machine.upload import upload
from ftbench.model import freezing
from ftbench.model.backbones import Backbone
from ftbench.pixels import policies
from ftbench.study.checks.image_sizes import mean_area, size_of_step, steps_at_sizes
from ftbench.train import objective, recipes, strategies
from ftbench.train.averaging import WeightAverage
from ftbench.train.views import CachedViews

NORM_STEPS = 25  # between two measurements of the gradient's norm, if nothing is clipped


class Step:
    """What every step of a run shares. Steps change `backbone.network`, which is on `device` already.

    `recipe` has the keys of `training` in the config, the strategy's options and learning_rate. `run` gives kind, seed
    and precision. With `views` a step begins behind the frozen part of the network, which is not run.
    """

    def __init__(
        self,
        backbone: Backbone,
        data: Data,
        run: dict,
        recipe: dict,
        device: torch.device,
        views: CachedViews | None = None,
    ):
        self.backbone, self.data, self.run, self.recipe, self.device = backbone, data, run, recipe, device
        self.views, self.network = views, views.network if views else backbone.network
        self.ranks = Ranks()
        self.strategy = strategies.load(run["kind"])
        self.augment = policies.load(recipe["augmentation"])
        recipes.set_norm_momentum(backbone.network, recipe["norm_momentum"])
        if self.ranks.world > 1:
            norms = synchronise(backbone.network)
            print(f"{self.ranks.world} processes; {norms} batch norms use the whole batch where they train")
        self.optimizer = recipes.make_optimizer(backbone.network, recipe, self.strategy.scales(backbone, recipe))
        self.scaler = devices.gradient_scaler(device, run["precision"])
        self.moving = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.pull = self.strategy.pull(backbone, recipe) if self.strategy.pull else None
        self.average = WeightAverage(backbone.network, recipe["ema_decay"]) if recipe["ema_decay"] > 0 else None
        self.class_weights = None
        if recipe["class_weights"] == "balanced":
            self.class_weights = objective.class_weights(data.labels[data.train], data.classes).to(device)
        self.batch_size, self.per_epoch, self.total = recipes.steps_of(recipe, len(data.train))
        self.epochs = math.ceil(self.total / self.per_epoch)
        self.generator = torch.Generator()  # of the augmentation
        if recipe.get("image_sizes"):
            sizes = steps_at_sizes(recipe, backbone.image_size, self.total)
            said = ", then ".join(f"{size} px for {steps} steps" for size, steps in sizes.items())
            print(f"training images grow: {said}; validation at {backbone.image_size} px")

    def in_epoch(self, epoch: int) -> int:
        """Steps of an epoch (0-based): `per_epoch`, but in the last one perhaps fewer."""
        return min(self.per_epoch, self.total - epoch * self.per_epoch)

    def rate(self, epoch: int, number: int) -> float:
        """The learning rate of step `number` of `epoch`, both 0-based."""
        return recipes.learning_rate(self.recipe, epoch * self.per_epoch + number, self.total)

    def image_size(self, epoch: int, number: int) -> int:
        """Side, in pixels, of the images of step `number` of `epoch`, both 0-based."""
        return size_of_step(self.recipe, self.backbone.image_size, epoch * self.per_epoch + number, self.total)

    def grows(self, epoch: int, number: int) -> bool:
        """Whether step `number` (not 0) of `epoch` is the first at its size."""
        return self.image_size(epoch, number) != self.image_size(epoch, number - 1)

    def mean_area(self, steps: range) -> float:
        """Mean area, in pixels, of the images of these steps, counted from the run's first."""
        return mean_area(self.recipe, self.backbone.image_size, steps, self.total)

    def group_rates(self, rate: float) -> list[float]:
        """The different learning rates of the optimizer's groups at the recipe's `rate`, the highest first."""
        return sorted({rate * group["scale"] for group in self.optimizer.param_groups}, reverse=True)

    def seed(self, epoch: int) -> None:
        """Let the random choices of an epoch follow from the run's seed and the epoch's number alone."""
        seeds = np.random.SeedSequence([self.run["seed"], epoch]).generate_state(2)
        self.generator.manual_seed(int(seeds[0]))
        torch.manual_seed(int(seeds[1]))  # dropout and stochastic depth

    def moving_names(self, epoch: int) -> list[str] | None:
        """Names of the parameters that move in `epoch` if the strategy changes them on the way, else None."""
        return self.strategy.moving(self.backbone, epoch, self.epochs) if self.strategy.moving else None

    def open_epoch(self, epoch: int) -> None:
        """Let the parameters of this epoch move, and set every module's mode accordingly."""
        names = self.moving_names(epoch)
        if names is not None:
            freezing.freeze(self.backbone, names)
        freezing.train_mode(self.backbone.network)

    def opened_after(self) -> int:
        """Epochs that pass before all that the strategy trains moves, on images of the network's own size: 0 unless the strategy
        opens the network in stages, or images grow.
        """
        own = [self.image_size(epoch, 0) == self.backbone.image_size for epoch in range(self.epochs)]
        grown = own.index(True) if True in own else self.epochs - 1
        if not self.strategy.moving:
            return grown
        moving = [set(self.moving_names(epoch)) for epoch in range(self.epochs)]
        return max(grown, moving.index(moving[-1]))

    def take(
        self, ids: np.ndarray, epoch: int, number: int, side: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One optimizer step on the images `ids` (B,), as step `number` of `epoch`, at `side` pixels or as the recipe has it.

        Returns the loss, and the gradient's norm before clipping (None if this step does not measure it). Both stay on
        the device. In float16 the norm of every step is measured: where it is not finite, the scale of the gradients was too
        large, nothing moves, and the next step takes half of it.
        """
        rate = self.rate(epoch, number)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        rng = np.random.default_rng([self.run["seed"], epoch, number])
        loss = self._add_gradients(ids, epoch, side or self.image_size(epoch, number), rng)
        self.scaler.unscale_(self.optimizer)
        norm = self._clip(measured=number % NORM_STEPS == 0 or self.scaler.is_enabled())
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.pull and (not self.scaler.is_enabled() or norm.isfinite()):  # to ask waits for the device
            self.pull(rate)
        if self.average:
            self.average.update()
        return loss, norm

    def _inputs(self, ids: np.ndarray, epoch: int, side: int) -> torch.Tensor:
        """What the network sees of `ids` at `side` pixels, or what its frozen part gave for their views of this epoch.

        Augmentation comes before the resize: its random choices do not depend on the side.
        """
        if self.views:
            return self.views.batch(ids, epoch)
        return self.backbone.to_input(self.augment(self.data.images.batch(ids), self.generator), side)

    def _add_gradients(self, ids: np.ndarray, epoch: int, side: int, rng: np.random.Generator) -> torch.Tensor:
        """Leave the gradients of the mean loss over `ids`, seen at `side` pixels, in the parameters; returns that loss, both of
        all processes.
        """
        labels = upload(torch.from_numpy(self.data.labels[ids]), self.device)
        batch = objective.mix(self._inputs(ids, epoch, side), labels, self.recipe, rng)
        weight = objective.total_weight(batch, self.class_weights)
        loss = torch.zeros((), device=self.device)
        if self.ranks.world > 1:
            batch = objective.Batch(*self.ranks.share(batch[:3]), batch.share)
            # Dropout, of which a state holds one process's.
            torch.manual_seed(int(rng.integers(2**31)) + self.ranks.rank)
        for part in batch.parts(self.recipe["accumulate"]):
            with devices.autocast(self.device, self.run["precision"]):
                logits = self.network(part.inputs)
            total = objective.loss_sum(logits.float(), part, self.class_weights, self.recipe["label_smoothing"])
            share = total / weight
            self.scaler.scale(share).backward()
            loss += share.detach()
        self.ranks.add_up([loss, *self._gradients()])
        return loss

    def _gradients(self) -> list[torch.Tensor]:
        return [parameter.grad for parameter in self.moving if parameter.grad is not None]

    def _clip(self, measured: bool) -> torch.Tensor | None:
        """Clip the gradients if the recipe says so; returns their norm before, None if it was neither clipped nor `measured`."""
        clip = self.recipe["clip_norm"]
        if clip is not None:
            return torch.nn.utils.clip_grad_norm_(self.moving, clip)
        return torch.nn.utils.get_total_norm(self._gradients()) if measured else None

    def averaged(self) -> contextlib.AbstractContextManager:
        """Inside the block, the network has the averaged weights if the recipe keeps an average."""
        return self.average.in_place() if self.average else contextlib.nullcontext()

    def state_dict(self) -> dict:
        """All that later steps depend on, the random states of this process included."""
        return {
            "network": self.backbone.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "generator": self.generator.get_state(),
            "scaler": self.scaler.state_dict(),
            "torch_random": torch.get_rng_state(),
            "device_random": devices.random_state(self.device),
        }

    def load_state_dict(self, state: dict) -> None:
        self.backbone.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.generator.set_state(state["generator"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["torch_random"])
        devices.set_random_state(self.device, state["device_random"])
