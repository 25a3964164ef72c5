"""The training loop: one network, one recipe, one seed, from the first step or from a saved state to the best epoch.

Every random choice of an epoch follows from (seed, epoch): the order of the images, the augmentations, dropout. A run
that is killed and resumed therefore ends with the same bits as one that was left alone (on a CPU with the same number
of threads; on CUDA with `deterministic: true`).
"""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ftbench import backbones, checkpoint, devices, policies, recipes, strategies
from ftbench.arrays import Images
from ftbench.backbones import Backbone

EVALUATION_BATCH = 256
EXPLODED = 100.0  # times log(classes), the loss of a uniform guess: beyond it a run has diverged
EPOCH_SAVE_SECONDS = 15.0  # after the last save, the end of an epoch saves: a kill costs no more than this
SAVE_SECONDS = 120.0  # between two saves inside a long epoch
REPORT_SECONDS = 10.0  # between two progress lines inside an epoch
CHECK_STEPS = 25  # between two looks at the loss on CUDA, where each look waits for the device


@dataclass
class Data:
    """What a run sees: images, their labels (N,), and the rows of each part. No test image is among them."""

    images: Images
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    classes: int


@dataclass
class Outcome:
    """What a run ended with. `best_state` is the network of the best epoch, on the CPU; None where it diverged."""

    status: str = "finished"
    diverged: dict | None = None
    history: list[dict] = field(default_factory=list)
    best_epoch: int | None = None
    best: dict | None = None  # the validation scores of that epoch
    best_state: dict | None = None
    train_seconds: float = 0.0
    step_seconds: float = 0.0  # of it, inside training steps
    trained_images: int = 0
    resumes: int = 0


class Diverged(Exception):
    def __init__(self, epoch: int, step: int, rate: float, loss: float):
        self.where = {
            "epoch": epoch,
            "step": step,
            "learning_rate": rate,
            "loss": float(loss) if math.isfinite(loss) else None,
        }


def fit(
    backbone: Backbone,
    data: Data,
    run: dict,
    recipe: dict,
    device: torch.device,
    resume: Path,
    identity: str,
) -> Outcome:
    """Train what moves in `backbone.network` (on `device` already) and return the outcome.

    `recipe` has the keys of `training` in the config and learning_rate; `run` gives seed, precision and
    selection_metric. On SIGTERM or SIGINT the state is saved after the running step and SystemExit raised.
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
        self.device, self.resume, self.identity = device, resume, identity
        self.augment = policies.load(recipe["augmentation"])
        recipes.set_norm_momentum(backbone.network, recipe["norm_momentum"])
        self.optimizer = recipes.make_optimizer(backbone.network, recipe)
        self.batch = min(recipe["batch_size"], len(data.train))
        self.steps = len(data.train) // self.batch  # per epoch; the remainder waits for another epoch's order
        self.generator = torch.Generator()
        self.epoch = self.step = 0
        self.losses = torch.zeros(self.steps, device=device)
        self.outcome = Outcome()
        self._started = self._saved = time.perf_counter()
        self._restore()

    def run_epochs(self, stop: checkpoint.StopSignal) -> None:
        while self.epoch < self.recipe["epochs"]:
            self.train_epoch(stop)
            self.end_epoch()
            self.epoch, self.step = self.epoch + 1, 0
            self.losses.zero_()
            if time.perf_counter() - self._saved > EPOCH_SAVE_SECONDS:
                self.save()
            self.leave_on(stop)

    def train_epoch(self, stop: checkpoint.StopSignal) -> None:
        order = np.random.default_rng([self.run["seed"], self.epoch]).permutation(self.data.train)
        if self.step == 0:
            seeds = np.random.SeedSequence([self.run["seed"], self.epoch]).generate_state(2)
            self.generator.manual_seed(int(seeds[0]))
            torch.manual_seed(int(seeds[1]))  # dropout and stochastic depth
        strategies.train_mode(self.backbone.network)
        begun = before = reported = time.perf_counter()
        first = self.step
        while self.step < self.steps:
            ids = order[self.step * self.batch : (self.step + 1) * self.batch]
            self.losses[self.step] = self.train_step(ids)
            self.step += 1
            if self.device.type == "cpu" or self.step % CHECK_STEPS == 0 or self.step == self.steps:
                self.check_losses()
            now = time.perf_counter()
            self.outcome.step_seconds += now - before  # before any save: a resumed run goes on counting from here
            self.outcome.trained_images += self.batch
            before = now
            if now - reported > REPORT_SECONDS:
                reported = now
                self.report(
                    f"loss {self.losses[: self.step].mean():.4f}", (self.step - first) * self.batch / (now - begun)
                )
            self.leave_on(stop)
            if now - self._saved > SAVE_SECONDS:
                self.save()

    def train_step(self, ids: np.ndarray) -> torch.Tensor:
        """One optimizer step on the images `ids`; the loss stays on the device."""
        rate = self.rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images = self.augment(self.data.images.batch(ids), self.generator)
        labels = torch.from_numpy(self.data.labels[ids]).to(self.device)
        with devices.autocast(self.device, self.run["precision"]):
            logits = self.backbone.network(self.backbone.to_input(images))
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=self.recipe["label_smoothing"])
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def rate(self) -> float:
        return recipes.learning_rate(
            self.recipe, self.epoch * self.steps + self.step, self.recipe["epochs"] * self.steps
        )

    def check_losses(self) -> None:
        """Raise Diverged at the first step whose loss is not finite or has exploded."""
        losses = self.losses[: self.step].cpu().numpy()
        bad = ~(losses < EXPLODED * math.log(max(2, self.data.classes)))  # also true for NaN
        if bad.any():
            step = int(bad.argmax())
            total = self.epoch * self.steps + step
            rate = recipes.learning_rate(self.recipe, total, self.recipe["epochs"] * self.steps)
            raise Diverged(self.epoch + 1, step + 1, rate, float(losses[step]))

    def end_epoch(self) -> None:
        """Score the validation part, write the epoch down, and keep the network if it is the best so far."""
        logits = validation_logits(self.backbone, self.data, self.run, self.device)
        labels = self.data.labels[self.data.validation]
        if not np.isfinite(logits).all():
            raise Diverged(self.epoch + 1, self.steps, self.rate_of_last_step(), math.nan)
        scores = validation_scores(logits, labels)
        self.clock()
        rate = self.outcome.trained_images / max(self.outcome.step_seconds, 1e-9)
        self.outcome.history.append(
            {
                "epoch": self.epoch + 1,
                "train_loss": float(self.losses.mean()),
                "learning_rate": self.rate_of_last_step(),
                **{
                    key: scores[key]
                    for key in ("validation_accuracy", "validation_balanced_accuracy", "validation_nll")
                },
                "images_per_second": rate,
                "seconds": self.outcome.train_seconds,
            }
        )
        metric = f"validation_{self.run['selection_metric']}"
        if self.outcome.best is None or scores[metric] > self.outcome.best[metric]:
            self.outcome.best_epoch, self.outcome.best = self.epoch + 1, scores
            self.outcome.best_state = {
                name: tensor.detach().to("cpu", copy=True).contiguous()
                for name, tensor in self.backbone.network.state_dict().items()
            }
        line = f"loss {self.losses.mean():.4f}, validation accuracy {scores['validation_accuracy']:.4f}"
        self.report(line, rate)

    def rate_of_last_step(self) -> float:
        total = self.recipe["epochs"] * self.steps
        return recipes.learning_rate(self.recipe, (self.epoch + 1) * self.steps - 1, total)

    def report(self, what: str, images_per_second: float) -> None:
        """One progress line; the time left counts training steps only."""
        done = self.epoch * self.steps + self.step
        left = (self.recipe["epochs"] * self.steps - done) * self.batch / images_per_second
        print(
            f"epoch {self.epoch + 1}/{self.recipe['epochs']} step {self.step}/{self.steps}: {what}, "
            f"{images_per_second:.0f} images/s, about {left:.0f} s left"
        )

    def clock(self) -> None:
        """Add the time since the last call to the run's seconds."""
        now = time.perf_counter()
        self.outcome.train_seconds += now - self._started
        self._started = now

    def leave_on(self, stop: checkpoint.StopSignal) -> None:
        if stop.number is not None:
            self.save()
            print(f"signal {stop.number}: state saved in {self.resume}; the next start goes on from here")
            raise SystemExit(128 + stop.number)

    def save(self) -> None:
        self.clock()
        outcome = self.outcome
        state = {
            "network": self.backbone.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "losses": self.losses,
            "generator": self.generator.get_state(),
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
            "outcome": dict(vars(outcome)),
        }
        checkpoint.save(self.resume, self.identity, state)
        self._saved = time.perf_counter()

    def _restore(self) -> None:
        state = checkpoint.load(self.resume, self.identity)
        if state is None:
            return
        self.backbone.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.losses = state["losses"].to(self.device)
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_random"])
        if state["cuda_random"] is not None:
            torch.cuda.set_rng_state(state["cuda_random"])
        self.outcome = Outcome(**state["outcome"])
        self.outcome.resumes += 1
        print(
            f"resuming after epoch {self.epoch}, step {self.step} of the next ({self.outcome.train_seconds:.0f} s so far)"
        )


def validation_logits(backbone: Backbone, data: Data, run: dict, device: torch.device) -> np.ndarray:
    """Logits (N, C) float32 of the validation part, in eval mode, without augmentation."""
    return part_logits(backbone, data.images, data.validation, run, device)


def part_logits(backbone: Backbone, images: Images, rows: np.ndarray, run: dict, device: torch.device) -> np.ndarray:
    batches = (images.batch(rows[i : i + EVALUATION_BATCH]) for i in range(0, len(rows), EVALUATION_BATCH))
    return backbones.predict(backbone, batches, devices.autocast(device, run["precision"]))[0]


def validation_scores(logits: np.ndarray, labels: np.ndarray) -> dict:
    """Accuracy, balanced accuracy (mean recall of the classes present) and NLL (mean, natural log) of logits (N, C).

    In numpy: importing scikit-learn would cost a training job more than the score does.
    """
    right = logits.argmax(1) == labels
    images = np.bincount(labels)
    recalls = np.bincount(labels, weights=right)[images > 0] / images[images > 0]
    nll = F.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(labels))
    return {
        "validation_accuracy": float(right.mean()),
        "validation_balanced_accuracy": float(recalls.mean()),
        "validation_nll": float(nll),
    }
