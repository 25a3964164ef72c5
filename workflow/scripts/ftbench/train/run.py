"""A training run and a tuning trial: from the files of a study to the files of a run, around the loop."""

import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from ftbench.base.digests import digest, sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, read_json, write_json, write_npz
from ftbench.data.images import read_data
from ftbench.data.split import digest_of_split
from ftbench.machine import devices, processes
from ftbench.model import backbones, freezing
from ftbench.model.backbones import validation_logits
from ftbench.train import checkpoint, loop, strategies
from ftbench.train.history import Outcome, finite, write_history
from ftbench.train.start import build

# What of the machine's settings run.json keeps.
MACHINE = ("precision", "channels_last", "crop_kernels", "compile", "deterministic", "threads", "gpus_per_run")
OUTCOME = "outcome.pt"  # in the folder of the unfinished state, from a run's processes to the one that started them


def train(
    run: dict,
    code: str,
    inputs: dict,
    recipe: str,
    model: str,
    history: str,
    run_json: str,
    cost: str,
    val_logits: str,
    resume: str,
) -> None:
    """Train one backbone on one data set with one strategy and one seed, at the recipe that validation chose.

    `run` holds the resolved settings (see `get_run` in common.smk), `code` the digest of the code that runs, `inputs`
    the files: images, split, and weights, record, normalization and probe (a dict of model and cost) or None. `recipe` is the recipe.json of `select_recipe`. `resume` is the folder of the unfinished state.
    Writes model (safetensors: the whole network), history (CSV), run_json, cost and val_logits.
    """
    selected = read_json(recipe)
    job = _Job(run, code, inputs, selected["recipe"])
    outputs = [Path(path) for path in (model, history, cost, val_logits, run_json)]  # the record comes last
    folder = Path(resume)
    with checkpoint.locked(folder) as waited:
        if waited and _finished_meanwhile(outputs, job.identity):
            print("the other process has finished this very run: nothing left to do")
            checkpoint.clear(folder)
            return
        if selected["status"] == "diverged":
            outcome = Outcome(status="diverged", diverged=selected["diverged"])
            print("every tuning trial of this cell diverged, so there is no recipe to run: recorded as diverged")
        else:
            outcome = job.fit(folder)
        network = job.backbone.network
        state = {}
        if outcome.status == "finished":
            network.load_state_dict(outcome.best_state)
            job.strategy.merge(job.backbone)
            state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
            logits = validation_logits(job.backbone, job.data, run, job.device)
        else:
            logits = np.full((len(job.data.validation), job.data.classes), np.nan, np.float32)
        record = job.record(outcome) | {
            "seed": run["seed"],
            "stochastic": True,
            "tuned": selected["tuned"],
            "recipe": selected["recipe"],
            "identity": job.identity,
        }
        with atomic_write(outputs[0]) as temporary:
            # One key alone: safetensors writes several in random order, and equal runs would not be equal files.
            save_file(state, temporary, metadata={"identity": job.identity})
        record["digests"]["model"] = freezing.digest_of_tensors(state)
        record["digests"]["model_file"] = sha256_of_file(outputs[0])
        write_history(outcome.history, history)
        write_json(cost, job.cost(outcome))
        write_npz(val_logits, logits=logits, labels=job.data.labels[job.data.validation], ids=job.data.validation)
        write_json(run_json, record)
        checkpoint.clear(folder)


def train_trial(
    run: dict,
    code: str,
    inputs: dict,
    trial: dict,
    out: str,
    resume: str,
    promoted: str | None = None,
) -> None:
    """Run one point of the tuning grid with the trial seed; writes its validation scores, history and cost, all into `out`:
    a study has thousands of trials, and every file of every job costs planning time.

    `trial` holds slot, rung, share and learning_rate (see `ftbench.study.trials.Trial`); above the first rung, where the rate is
    None, `promoted` is the rung's list of those that got there. `run` has the recipe of the trial's own length.
    """
    point = {"trial": trial["slot"], "learning_rate": trial["learning_rate"]}
    if promoted:
        point = read_json(promoted)["trials"][trial["slot"]]
    recipe = run["recipe"] | {"learning_rate": point["learning_rate"]}
    job = _Job(run, code, inputs, recipe)
    folder = Path(resume)
    with checkpoint.locked(folder):
        outcome = job.fit(folder)
        measured = {"history": finite(outcome.history), "cost": job.cost(outcome)}
        write_json(out, point | {"rung": trial["rung"], "share": trial["share"]} | job.record(outcome) | measured)
        checkpoint.clear(folder)


class _Job:
    """What a trial and a final run share: the network and the data, ready on the device."""

    def __init__(self, run: dict, code: str, inputs: dict, recipe: dict):
        self.start = time.perf_counter()
        self.run, self.recipe, self.inputs, self.code = run, recipe, inputs, code
        self.device = devices.set_up(run)
        self.strategy = strategies.load(run["kind"])
        source = read_json(inputs["record"]) if inputs["record"] else None
        parts = np.load(inputs["split"])
        self.digests = {
            "data": str(parts["digest"]),
            "split": digest_of_split(parts),
            "weights": source["sha256"] if source else None,
            "probe": sha256_of_file(inputs["probe"]["model"]) if inputs["probe"] else None,
            "code": code,
        }
        self.statistics = source or read_json(inputs["normalization"])
        self.identity = digest(
            {
                "run": run,
                "recipe": recipe,
                "digests": self.digests,
                "device": self.device.type,
                "torch": torch.__version__,
            }
        )
        self.data = read_data(inputs, self.device)
        self.backbone = build(run, inputs, self.data.classes, self.statistics)
        self.total_params = sum(p.numel() for p in self.backbone.network.parameters())
        backbones.prepare(self.backbone, run, self.device)
        self.strategy.adapt(self.backbone, recipe)
        freezing.freeze(self.backbone, self.strategy.trainable(self.backbone))
        self.trainable_params = sum(p.numel() for p in self.backbone.network.parameters() if p.requires_grad)
        self.frozen = freezing.frozen_digest(self.backbone.network)
        if run["compile"]:
            self.backbone.network.compile()

    def fit(self, folder: Path) -> Outcome:
        """Train, in this process or in several of their own; the state of an unfinished run lies in `folder`."""
        if self.run["gpus_per_run"] == 1:
            return self.fit_here(folder)
        cuda = self.device.type == "cuda"
        if cuda and torch.cuda.device_count() < self.run["gpus_per_run"]:
            raise InputError(
                f"config: gpus_per_run is {self.run['gpus_per_run']}, but this job has {torch.cuda.device_count()} GPU(s); lower it, "
                "or let Snakemake give more to a job: FTBENCH_GPUS in the environment, or gpu in the profile."
            )
        processes.run(
            _fit_together, (self.run, self.code, self.inputs, self.recipe, folder), self.run["gpus_per_run"], cuda
        )
        return Outcome(**torch.load(folder / OUTCOME, map_location="cpu", weights_only=True))

    def fit_here(self, folder: Path) -> Outcome:
        print(f"{self.run['strategy']}: {self.trainable_params} parameters move, the network has {self.total_params}")
        with devices.determinism_explained(self.run):
            outcome = loop.fit(self.backbone, self.data, self.run, self.recipe, self.device, folder, self.identity)
        freezing.freeze(self.backbone, self.strategy.trainable(self.backbone))  # all that moved at some time
        after = freezing.frozen_digest(self.backbone.network)
        if after != self.frozen:
            raise RuntimeError(
                f"frozen tensors of {self.run['strategy']} changed during training: {self.frozen} became {after}"
            )
        return outcome

    def record(self, outcome: Outcome) -> dict:
        """What is known of the run, deterministically: equal runs write equal records."""
        empty = dict.fromkeys(("validation_accuracy", "validation_balanced_accuracy", "validation_nll"))
        return {
            **{key: self.run[key] for key in ("dataset", "backbone", "strategy", "kind")},
            "status": outcome.status,
            "diverged": outcome.diverged,
            "best_epoch": outcome.best_epoch,
            "epochs": len(outcome.history),
            "images_seen": outcome.trained_images,
            **(outcome.best or empty),
            "trainable_params": self.trainable_params,
            "total_params": self.total_params,
            "network": self.run["network"],
            "normalization": {"mean": self.backbone.mean, "std": self.backbone.std},
            **{key: self.run[key] for key in MACHINE},
            "device": self.device.type,
            "device_name": devices.device_name(self.device),
            "versions": devices.versions(),
            "digests": self.digests | {"frozen": self.frozen},
        }

    def cost(self, outcome: Outcome) -> dict:
        """What was measured. train_seconds is the whole work of this run, set-up and validation included."""
        borrowed = read_json(self.inputs["probe"]["cost"]) if self.inputs["probe"] else None
        setup = time.perf_counter() - self.start - outcome.train_seconds if outcome.resumes == 0 else 0.0
        return {
            "train_seconds": outcome.train_seconds + max(0.0, setup),
            "images_per_second": outcome.trained_images / outcome.step_seconds if outcome.trained_images else None,
            "peak_memory_mb": max(
                [devices.peak_memory_mb(self.device), *(row["peak_memory_mb"] for row in outcome.history)]
            ),
            "threads": self.run["threads"],
            "resumes": outcome.resumes,
            "device": self.device.type,
            "device_name": devices.device_name(self.device),
            "feature_seconds": 0.0,
            "probe": {"cost": borrowed, "tuning_seconds": borrowed["tuning_seconds"]} if borrowed else None,
        }


def _fit_together(run: dict, code: str, inputs: dict, recipe: dict, folder: Path) -> None:
    """The work of one of several processes; the first leaves the outcome in `folder`."""
    outcome = _Job(run, code, inputs, recipe).fit_here(folder)
    if processes.Ranks().first:
        with atomic_write(folder / OUTCOME) as temporary:
            torch.save(dict(vars(outcome)), temporary)


def _finished_meanwhile(outputs: list[Path], identity: str) -> bool:
    return all(path.exists() for path in outputs) and read_json(outputs[-1]).get("identity") == identity
