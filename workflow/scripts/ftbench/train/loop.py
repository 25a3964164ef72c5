"""The training loop: one network, one recipe, one seed, from the first step or from a saved state to the best epoch.

Every random choice of an epoch follows from (seed, epoch): the order of the images, the augmentations, dropout. A run
that is killed and resumed therefore ends with the same bits as one that was left alone (on a CPU with the same number
of threads; on CUDA with `deterministic: true`).
"""

import contextlib
import math
import time
from pathlib import Path

import numpy as np
import torch

from ftbench.base.logits import validation_scores
from ftbench.data.images import Data
from ftbench.machine import devices
from ftbench.machine.processes import Ranks, synchronise
from ftbench.model import freezing
from ftbench.model.backbones import Backbone, validation_logits
from ftbench.pixels import policies
from ftbench.train import checkpoint, objective, recipes, strategies
from ftbench.train.averaging import WeightAverage
from ftbench.train.history import HISTORY, Diverged, Outcome, write_history, write_progress

EXPLODED = 100.0  # times log(classes), the loss of a uniform guess: beyond it a run has diverged
EPOCH_SAVE_SECONDS = 15.0  # after the last save, the end of an epoch saves: a kill costs no more than this
SAVE_SECONDS = 120.0  # between two saves inside a long epoch
REPORT_SECONDS = 10.0  # between two progress lines inside an epoch
CHECK_STEPS = 25  # between two looks at the loss on CUDA, where each look waits for the device; and at the gradient


def fit(
    backbone: Backbone, data: Data, run: dict, recipe: dict, device: torch.device, resume: Path, identity: str
) -> Outcome:
    """Train what moves in `backbone.network` (on `device` already) and return the outcome.

    `recipe` has the keys of `training` in the config, the strategy's options and learning_rate; `run` gives kind, seed,
    precision and selection_metric. On SIGTERM or SIGINT the state is saved after the running step, or batch of validation
    images, and SystemExit raised.
    """
    loop = TrainingLoop(backbone, data, run, recipe, device, resume, identity)
    with checkpoint.StopSignal() as stop:
        try:
            loop.run_epochs(stop)
        except Diverged as error:
            outcome = loop.outcome
            outcome.status, outcome.diverged = "diverged", error.where
            outcome.best_epoch = outcome.best = outcome.best_state = None
            loop.clock()
            print(f"diverged: {error.where}")
    return loop.outcome


class TrainingLoop:
    """The state of a run between two steps: what `save` writes and a new process takes up again."""

    def __init__(self, backbone, data, run, recipe, device, resume, identity):
        self.backbone, self.data, self.run, self.recipe = backbone, data, run, recipe
        self.device, self.resume, self.identity, self.ranks = device, resume, identity, Ranks()
        self.strategy = strategies.load(run["kind"])
        self.augment = policies.load(recipe["augmentation"])
        recipes.set_norm_momentum(backbone.network, recipe["norm_momentum"])
        if self.ranks.world > 1:
            norms = synchronise(backbone.network)
            print(f"{self.ranks.world} processes; {norms} batch norms use the whole batch where they train")
        self.optimizer = recipes.make_optimizer(backbone.network, recipe, self.strategy.scales(backbone, recipe))
        self.moving = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.pull = self.strategy.pull(backbone, recipe)
        self.average = WeightAverage(backbone.network, recipe["ema_decay"]) if recipe["ema_decay"] > 0 else None
        self.class_weights = None
        if recipe["class_weights"] == "balanced":
            self.class_weights = objective.class_weights(data.labels[data.train], data.classes).to(device)
        self.batch, self.steps, self.total_steps = recipes.steps_of(recipe, len(data.train))
        self.epochs = math.ceil(self.total_steps / self.steps)
        self.generator = torch.Generator()
        self.epoch = self.step = 0
        self.losses = torch.zeros(self.steps, device=device)
        self.norms = torch.zeros(self.steps, device=device)  # of the gradient; zero where nobody looked
        self.outcome = Outcome()
        self._started = self._saved = time.perf_counter()
        self._restore()

    def run_epochs(self, stop: checkpoint.StopSignal) -> None:
        self.stop = stop
        while self.epoch < self.epochs and not self.out_of_patience():
            self.train_epoch()
            try:
                self.end_epoch()
            except checkpoint.Interrupted:
                self.leave_if_asked()  # with the epoch's last step behind it: the next start begins with the validation
            self.epoch, self.step = self.epoch + 1, 0
            self.losses.zero_(), self.norms.zero_()
            if time.perf_counter() - self._saved > EPOCH_SAVE_SECONDS:
                self.save()
            self.leave_if_asked()

    def out_of_patience(self) -> bool:
        """Whether `patience` epochs passed without a better one, not counting those before everything moved."""
        patience, best = self.recipe["patience"], self.outcome.best_epoch
        if patience is None or best is None or self.epoch - best < patience:
            return False
        if self.epoch - strategies.opened_after(self.strategy, self.backbone, self.epochs) < patience:
            return False
        print(f"no better epoch than {best} within {patience}: training ends after epoch {self.epoch}")
        return True

    def steps_now(self) -> int:
        """Steps of the running epoch: all, but in the last one perhaps fewer."""
        return min(self.steps, self.total_steps - self.epoch * self.steps)

    def train_epoch(self) -> None:
        order = np.random.default_rng([self.run["seed"], self.epoch]).permutation(self.data.train)
        if self.step == 0:
            seeds = np.random.SeedSequence([self.run["seed"], self.epoch]).generate_state(2)
            self.generator.manual_seed(int(seeds[0]))
            torch.manual_seed(int(seeds[1]))  # dropout and stochastic depth
        if self.strategy.moving:
            freezing.freeze(self.backbone, self.strategy.moving(self.backbone, self.epoch, self.epochs))
        freezing.train_mode(self.backbone.network)
        begun = before = reported = time.perf_counter()
        first, steps = self.step, self.steps_now()
        while self.step < steps:
            ids = order[self.step * self.batch : (self.step + 1) * self.batch]
            self.losses[self.step] = self.train_step(ids)
            self.step += 1
            if self.device.type == "cpu" or self.step % CHECK_STEPS == 0 or self.step == steps:
                self.check_losses()
            now = time.perf_counter()
            self.outcome.step_seconds += now - before  # before any save: a resumed run goes on counting from here
            self.outcome.trained_images += self.batch
            before = now
            if now - reported > REPORT_SECONDS:
                reported = now
                speed = (self.step - first) * self.batch / (now - begun)
                self.report(f"loss {self.losses[: self.step].mean():.4f}", speed)
            self.leave_if_asked()
            if now - self._saved > SAVE_SECONDS:
                self.save()

    def train_step(self, ids: np.ndarray) -> torch.Tensor:
        """One optimizer step on the images `ids`; the loss stays on the device."""
        rate = self.rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        images = self.augment(self.data.images.batch(ids), self.generator)
        labels = torch.from_numpy(self.data.labels[ids]).to(self.device)
        rng = np.random.default_rng([self.run["seed"], self.epoch, self.step])
        batch = objective.mix(self.backbone.to_input(images), labels, self.recipe, rng)
        weight = objective.total_weight(batch, self.class_weights)
        loss = torch.zeros((), device=self.device)
        if self.ranks.world > 1:
            batch = objective.Batch(*self.ranks.share(batch[:3]), batch.share)
            # Dropout, of which a state holds one process's.
            torch.manual_seed(int(rng.integers(2**31)) + self.ranks.rank)
        for part in batch.parts(self.recipe["accumulate"]):
            with devices.autocast(self.device, self.run["precision"]):
                logits = self.backbone.network(part.inputs)
            total = objective.loss_sum(logits.float(), part, self.class_weights, self.recipe["label_smoothing"])
            share = total / weight
            share.backward()
            loss += share.detach()
        self.ranks.add_up([loss, *(p.grad for p in self.moving if p.grad is not None)])
        clip = self.recipe["clip_norm"]
        if clip is not None:
            self.norms[self.step] = torch.nn.utils.clip_grad_norm_(self.moving, clip)
        elif self.step % CHECK_STEPS == 0:
            self.norms[self.step] = torch.nn.utils.get_total_norm([p.grad for p in self.moving if p.grad is not None])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.pull(rate)
        if self.average:
            self.average.update()
        return loss

    def rate(self, step: int) -> float:
        """The learning rate of a step (0-based) of the running epoch."""
        return recipes.learning_rate(self.recipe, self.epoch * self.steps + step, self.total_steps)

    def check_losses(self) -> None:
        """Raise Diverged at the first step whose loss is not finite or has exploded."""
        losses = self.losses[: self.step].cpu().numpy()
        bad = ~(losses < EXPLODED * math.log(max(2, self.data.classes)))  # also true for NaN
        if bad.any():
            step = int(bad.argmax())
            raise Diverged(self.epoch + 1, step + 1, self.rate(step), float(losses[step]))

    def look_up(self) -> None:
        """Raise Interrupted where a signal waits; called before every batch of validation images, by all processes of a run."""
        if self.ranks.agreed(self.stop.number, self.device) is not None:
            raise checkpoint.Interrupted

    def end_epoch(self) -> None:
        """Score the validation part (Interrupted where a signal comes), write the epoch down, keep the best network."""
        with self.average.in_place() if self.average else contextlib.nullcontext():
            logits = validation_logits(self.backbone, self.data, self.run, self.device, self.look_up)
            logits = self.ranks.of_first(logits, self.device)
            rate = self.rate(self.step - 1)
            if not np.isfinite(logits).all():
                raise Diverged(self.epoch + 1, self.step, rate, math.nan)
            scores = validation_scores(logits, self.data.labels[self.data.validation])
            metric = f"validation_{self.run['selection_metric']}"
            if self.outcome.best is None or scores[metric] > self.outcome.best[metric]:
                self.outcome.best_epoch, self.outcome.best = self.epoch + 1, scores
                self.outcome.best_state = {
                    name: tensor.detach().to("cpu", copy=True).contiguous()
                    for name, tensor in self.backbone.network.state_dict().items()
                }
        self.clock()
        speed = self.outcome.trained_images / max(self.outcome.step_seconds, 1e-9)
        norms = self.norms[self.norms > 0]
        group_rates = sorted({rate * group["scale"] for group in self.optimizer.param_groups}, reverse=True)
        self.outcome.history.append(
            {
                "epoch": self.epoch + 1,
                "train_loss": float(self.losses[: self.step].mean()),
                "learning_rate": rate,
                "group_learning_rates": " ".join(f"{one:.6g}" for one in group_rates),
                **scores,
                "gradient_norm": float(norms.mean()) if len(norms) else None,
                "images_per_second": speed,
                "peak_memory_mb": devices.peak_memory_mb(self.device),
                "seconds": self.outcome.train_seconds,
            }
        )
        if self.ranks.first:
            write_history(self.outcome.history, self.resume / HISTORY)
        line = f"loss {self.losses[: self.step].mean():.4f}, validation accuracy {scores['validation_accuracy']:.4f}"
        self.report(line, speed)

    def report(self, what: str, images_per_second: float) -> None:
        """One progress line; the time left counts training steps only."""
        left = (self.total_steps - self.epoch * self.steps - self.step) * self.batch / images_per_second
        print(
            f"epoch {self.epoch + 1}/{self.epochs} step {self.step}/{self.steps_now()}: {what}, "
            f"{images_per_second:.0f} images/s, about {left:.0f} s left"
        )
        if not self.ranks.first:
            return
        loss = float(self.losses[: self.step].mean())  # not finite where the run is about to be found diverged
        write_progress(
            self.resume,
            epoch=self.epoch + 1,
            epochs=self.epochs,
            step=self.step,
            steps=self.steps_now(),
            loss=loss if math.isfinite(loss) else None,
            images_per_second=images_per_second,
            seconds_left=left,
        )

    def clock(self) -> None:
        """Add the time since the last call to the run's seconds."""
        now = time.perf_counter()
        self.outcome.train_seconds += now - self._started
        self._started = now

    def leave_if_asked(self) -> None:
        number = self.ranks.agreed(self.stop.number, self.device)
        if number is not None:
            self.save()
            print(f"signal {number}: state saved in {self.resume}; the next start goes on from here")
            raise SystemExit(128 + number)

    def save(self) -> None:
        self.clock()
        if not self.ranks.first:
            return
        state = {
            "network": self.backbone.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "epoch": self.epoch,
            "step": self.step,
            "losses": self.losses,
            "norms": self.norms,
            "generator": self.generator.get_state(),
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
            "outcome": dict(vars(self.outcome)),
        }
        checkpoint.save(self.resume, self.identity, state)
        self._saved = time.perf_counter()

    def _restore(self) -> None:
        state = checkpoint.load(self.resume, self.identity)
        if state is None:
            return
        self.backbone.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.losses, self.norms = state["losses"].to(self.device), state["norms"].to(self.device)
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_random"])
        if state["cuda_random"] is not None:
            torch.cuda.set_rng_state(state["cuda_random"])
        self.outcome = Outcome(**state["outcome"])
        self.outcome.resumes += 1
        seconds = self.outcome.train_seconds
        print(f"resuming after epoch {self.epoch}, step {self.step} of the next ({seconds:.0f} s so far)")
