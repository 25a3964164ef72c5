"""The training loop: one network, one recipe, one seed, from the first step or from a saved state to the best epoch.

Every random choice of an epoch follows from (seed, epoch): the order of the images, the augmentations, dropout. A run
that is killed and resumed therefore ends with the same bits as one that was left alone (on a CPU with the same number
of threads; on CUDA with `deterministic: true`).
"""

import math
import time
from pathlib import Path

import numpy as np
import torch

from ftbench.base.logits import validation_scores
from ftbench.base.out_of_memory import name_smaller_batch
from ftbench.data.images import Data
from ftbench.machine import devices
from ftbench.model.backbones import Backbone, validation_logits
from ftbench.train import checkpoint
from ftbench.train.checks import Checks
from ftbench.train.history import HISTORY, Diverged, Outcome, epoch_row, report, write_history
from ftbench.train.step import Step
from ftbench.train.views import CachedViews

EXPLODED = 100.0  # times log(classes), the loss of a uniform guess: beyond it a run has diverged
EPOCH_SAVE_SECONDS = 15.0  # after the last save, the end of an epoch saves
SAVE_SECONDS = 120.0  # between two saves inside a long epoch: a kill costs this at most, and the validation that it hit
REPORT_SECONDS = 10.0  # between two progress lines inside an epoch


def fit(
    backbone: Backbone,
    data: Data,
    run: dict,
    recipe: dict,
    device: torch.device,
    resume: Path,
    identity: str,
    views: CachedViews | None = None,
) -> Outcome:
    """Train what moves in `backbone.network` (on `device` already) and return the outcome. With `views`, its frozen part is not run.

    `recipe` has the keys of `training` in the config, the strategy's options and learning_rate. `run` gives kind, seed,
    precision and selection_metric. On SIGTERM or SIGINT the state is saved after the running step (on several
    GPUs within about `checks.SECONDS`, or after the running step) or batch of validation images, and SystemExit raised.
    """
    with checkpoint.StopSignal() as stop:
        loop = TrainingLoop(backbone, data, run, recipe, device, resume, identity, stop, views)
        try:
            loop.run_epochs()
        except Diverged as error:
            outcome = loop.outcome
            outcome.status, outcome.diverged = "diverged", error.where
            outcome.best_epoch = outcome.best = outcome.best_state = None
            loop.clock()
            print(f"diverged: {error.where}")
    return loop.outcome


class TrainingLoop:
    """A run between two steps: `done` steps of epoch `epoch` (0-based) are behind it.

    This is what `save` writes and a new process takes up again.
    """

    def __init__(self, backbone, data, run, recipe, device, resume, identity, stop, views=None):
        self.backbone, self.data, self.run, self.recipe = backbone, data, run, recipe
        self.device, self.resume, self.identity, self.stop = device, resume, identity, stop
        self.step = Step(backbone, data, run, recipe, device, views)
        self.ranks = self.step.ranks
        self.checks = Checks(self.ranks, device)
        self.epoch = self.done = 0
        self.losses = torch.zeros(self.step.per_epoch, device=device)
        self.norms = torch.zeros(self.step.per_epoch, device=device)  # of the gradient; zero if it was not measured
        self.outcome = Outcome()
        self._started = self._saved = time.perf_counter()
        self._restore()

    def run_epochs(self) -> None:
        while self.epoch < self.step.epochs and not self.out_of_patience():
            self.train_epoch()
            try:
                self.end_epoch()
            except checkpoint.Interrupted:
                self.leave_if_asked()  # with the epoch's last step behind it: the next start begins with the validation
            self.epoch, self.done = self.epoch + 1, 0
            self.losses.zero_(), self.norms.zero_()
            if time.perf_counter() - self._saved > EPOCH_SAVE_SECONDS:
                self.save()
            self.leave_if_asked()

    def out_of_patience(self) -> bool:
        """Whether `patience` epochs passed without a better one, not counting those before everything moved at the own size."""
        patience, best = self.recipe["patience"], self.outcome.best_epoch
        if patience is None or best is None or self.epoch - best < patience:
            return False
        if self.epoch - self.step.opened_after() < patience:
            return False
        print(f"no better epoch than {best} within {patience}: training ends after epoch {self.epoch}")
        return True

    def train_epoch(self) -> None:
        """Take what is left of the epoch's steps."""
        order = np.random.default_rng([self.run["seed"], self.epoch]).permutation(self.data.train)
        if self.done == 0:
            self.step.seed(self.epoch)
        self.step.open_epoch(self.epoch)
        begun = before = reported = time.perf_counter()
        first, steps, size = self.done, self.step.in_epoch(self.epoch), self.step.batch_size
        self.checks.begin()
        while self.done < steps:
            if self.done and self.step.grows(self.epoch, self.done):
                self.checks.begin()
            self.train_step(order[self.done * size : (self.done + 1) * size])
            waits = self.checks.due() or self.done == steps
            if waits:
                self.check_losses()
                self.checks.done()
            now = time.perf_counter()
            self.outcome.step_seconds += now - before  # before any save: a resumed run goes on counting from here
            self.outcome.trained_images += size
            before = now
            if now - reported > REPORT_SECONDS:
                reported = now
                self.report((self.done - first) * size / (now - begun), self.done - first)
            if waits or self.ranks.world == 1:  # several processes have to ask each other, and wait for their devices
                self.leave_if_asked()
            if now - self._saved > SAVE_SECONDS:
                self.save()

    def train_step(self, ids: np.ndarray) -> None:
        try:
            loss, norm = self.step.take(ids, self.epoch, self.done)
        except Exception as error:
            name_smaller_batch(error, len(ids), self.recipe["accumulate"], self.ranks.world)
            raise
        self.losses[self.done] = loss
        if norm is not None:
            self.norms[self.done] = norm
        self.done += 1

    def check_losses(self) -> None:
        """Raise Diverged at the first step whose loss is not finite or has exploded."""
        losses = self.losses[: self.done].cpu().numpy()
        bad = ~(losses < EXPLODED * math.log(max(2, self.data.classes)))  # also true for NaN
        if bad.any():
            first = int(bad.argmax())
            raise Diverged(self.epoch + 1, first + 1, self.step.rate(self.epoch, first), float(losses[first]))

    def end_epoch(self) -> None:
        """Score the validation part, keep the best network, write the epoch down. Raises Interrupted if a signal comes."""
        with self.step.averaged():
            scores = self.validate()
            self.keep_if_best(scores)
        self.clock()
        rate = self.step.rate(self.epoch, self.done - 1)
        images_per_second = self.outcome.trained_images / max(self.outcome.step_seconds, 1e-9)
        norms = self.measured_norms()
        row = epoch_row(
            self.epoch + 1,
            self.mean_loss(),
            rate,
            self.step.group_rates(rate),
            scores,
            gradient_norm=float(norms.mean()) if len(norms) else None,
            images_per_second=images_per_second,
            peak_memory_mb=devices.peak_memory_mb(self.device),
            seconds=self.outcome.train_seconds,
        )
        self.outcome.history.append(row)
        if self.ranks.first:
            write_history(self.outcome.history, self.resume / HISTORY)
        behind = self.epoch * self.step.per_epoch + self.done
        self.report(images_per_second, behind, scores["validation_accuracy"])

    def validate(self) -> dict:
        """Scores of the network as it is on the validation part; Diverged if its logits are not finite."""
        if views := self.step.views:
            logits = views.logits(self.data.validation, self.run, self.device, self.interrupt_if_asked)
        else:
            logits = validation_logits(self.backbone, self.data, self.run, self.device, self.interrupt_if_asked)
        logits = self.ranks.of_first(logits, self.device)
        if not np.isfinite(logits).all():
            raise Diverged(self.epoch + 1, self.done, self.step.rate(self.epoch, self.done - 1), math.nan)
        return validation_scores(logits, self.data.labels[self.data.validation])

    def keep_if_best(self, scores: dict) -> None:
        """Keep a copy of the network on the CPU if its epoch scores higher than all before."""
        metric = f"validation_{self.run['selection_metric']}"
        if self.outcome.best is None or scores[metric] > self.outcome.best[metric]:
            self.outcome.best_epoch, self.outcome.best = self.epoch + 1, scores
            self.outcome.best_state = {
                name: tensor.detach().to("cpu", copy=True).contiguous()
                for name, tensor in self.backbone.network.state_dict().items()
            }

    def measured_norms(self) -> torch.Tensor:
        """The gradient norms of this epoch; steps that float16 left out, whose gradients overflowed, are counted and said."""
        norms = self.norms[self.norms != 0]  # also NaN
        if not self.step.scaler.is_enabled():
            return norms[norms > 0]
        finite = norms[norms.isfinite()]
        if len(finite) < len(norms):
            print(
                f"float16: in {len(norms) - len(finite)} of {self.done} steps the gradients overflowed; nothing moved in them, and their "
                "scale was halved"
            )
        return finite

    def mean_loss(self) -> float:
        return float(self.losses[: self.done].mean())

    def report(self, images_per_second: float, measured: int, validation_accuracy: float | None = None) -> None:
        """Say where the run stands; the time left counts training steps only, by the area of their images.

        `measured` is the number of steps, the last ones taken, whose speed `images_per_second` is.
        """
        epoch, step = self.epoch, self.step
        done = epoch * step.per_epoch + self.done
        left = step.total - done
        if left:
            before, after = (step.mean_area(steps) for steps in (range(done - measured, done), range(done, step.total)))
            left *= after / before
        report(
            self.resume if self.ranks.first else None,
            {"epoch": epoch + 1, "epochs": step.epochs, "step": self.done, "steps": step.in_epoch(epoch)},
            self.mean_loss(),
            validation_accuracy,
            images_per_second,
            left * step.batch_size / images_per_second,
        )

    def clock(self) -> None:
        """Add the time since the last call to the run's seconds."""
        now = time.perf_counter()
        self.outcome.train_seconds += now - self._started
        self._started = now

    def interrupt_if_asked(self) -> None:
        """Raise Interrupted if a signal waits. All processes of a run call it before every batch of validation images."""
        if self.ranks.agreed(self.stop.number, self.device) is not None:
            raise checkpoint.Interrupted

    def leave_if_asked(self) -> None:
        """Save the state and raise SystemExit if a signal waits."""
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
            "epoch": self.epoch,
            "done": self.done,
            "losses": self.losses,
            "norms": self.norms,
            "step": self.step.state_dict(),
            "outcome": dict(vars(self.outcome)),
        }
        checkpoint.save(self.resume, self.identity, state)
        self._saved = time.perf_counter()

    def _restore(self) -> None:
        state = checkpoint.load(self.resume, self.identity)
        if state is None:
            return
        self.step.load_state_dict(state["step"])
        self.epoch, self.done = state["epoch"], state["done"]
        self.losses, self.norms = state["losses"].to(self.device), state["norms"].to(self.device)
        self.outcome = Outcome(**state["outcome"])
        self.outcome.resumes += 1
        seconds = self.outcome.train_seconds
        print(f"resuming after epoch {self.epoch}, step {self.done} of the next ({seconds:.0f} s so far)")
