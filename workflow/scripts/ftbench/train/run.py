"""A training run and a tuning trial: from the files of a study to the files of a run, around the loop."""

import time
from pathlib import Path

import numpy as np
import torch

from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, read_json, write_json, write_npz
from ftbench.base.kept import put_back
from ftbench.base.logits import validation_scores
from ftbench.data.split import cleaning_of
from ftbench.machine import devices, processes
from ftbench.model import freezing
from ftbench.model.backbones import validation_logits
from ftbench.train import checkpoint, loop
from ftbench.train.history import Outcome, finite, write_history
from ftbench.train.record import cost_record, run_record, write_model
from ftbench.train.start import Start, start_run

# What run.json keeps of the settings: the network, and how the machine computed.
SETTINGS = ("network", "precision", "channels_last", "crop_kernels", "compile", "deterministic", "threads", "gpus_per_run")  # fmt: skip
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

    `run` holds the resolved settings (see `ftbench.study.settings.run`), `code` the digest of the code that runs. `inputs` are
    the files: images, split, and weights, record, normalization and probe (a dict of model and cost) or None, and views, plain and
    views_cost where the recipe has cached_views. `recipe` is
    the recipe.json of `select_recipe`. `resume` is the folder of the unfinished state.
    Writes model (safetensors: the whole network), history (CSV), run_json, cost and val_logits.
    """
    selected = read_json(recipe)
    start = start_run(run, code, inputs, selected["recipe"])
    outputs = [Path(path) for path in (model, history, cost, val_logits, run_json)]  # the record comes last
    folder = Path(resume)
    with checkpoint.locked(folder) as waited:
        if waited and _finished_meanwhile(outputs, start.identity):
            print("the other process has finished this very run: nothing left to do")
            checkpoint.clear(folder)
            return
        if put_back(outputs, folder, start.identity):
            print("this very run was trained before, and its files were kept: they are put back")
            checkpoint.clear(folder)
            return
        if selected["status"] == "diverged":
            outcome = Outcome(status="diverged", diverged=selected["diverged"])
            print("every tuning trial of this cell diverged, so there is no recipe to run: recorded as diverged")
        else:
            outcome = fit(start, folder)
        state, logits = _result(start, outcome)
        digests, checkpoint_bytes = write_model(model, state, identity=start.identity)
        validation = start.data.validation
        write_history(outcome.history, history)
        write_json(cost, _cost(start, outcome) | {"checkpoint_bytes": checkpoint_bytes})
        write_npz(val_logits, logits=logits, labels=start.data.labels[validation], ids=validation)
        final = {key: selected[key] for key in ("tuned", "recipe")}
        final |= {"seed": run["seed"], "stochastic": True, "identity": start.identity}
        write_json(run_json, _record(start, outcome, digests) | final)
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

    `trial` holds slot, rung, share and learning_rate (see `ftbench.study.trials.Trial`). Above the first rung the rate is
    None, and `promoted` is the rung's list of those that got there. `run` has the recipe of the trial's own length.
    """
    point = {"trial": trial["slot"], "learning_rate": trial["learning_rate"]}
    if promoted:
        point = read_json(promoted)["trials"][trial["slot"]]
    start = start_run(run, code, inputs, run["recipe"] | {"learning_rate": point["learning_rate"]})
    folder = Path(resume)
    with checkpoint.locked(folder):
        if put_back([Path(out)], folder, start.identity):
            print("this very trial was run before, and its file was kept: it is put back")
            checkpoint.clear(folder)
            return
        outcome = fit(start, folder)
        measured = {"history": finite(outcome.history), "cost": _cost(start, outcome)}
        point |= {"rung": trial["rung"], "share": trial["share"]}
        write_json(out, point | _record(start, outcome, {}) | measured | {"identity": start.identity})
        checkpoint.clear(folder)


def fit(start: Start, folder: Path) -> Outcome:
    """Train, in this process or in several of their own; the state of an unfinished run lies in `folder`."""
    run = start.run
    if run["gpus_per_run"] == 1:
        return fit_here(start, folder)
    cuda = start.device.type == "cuda"
    if cuda and torch.cuda.device_count() < run["gpus_per_run"]:
        raise InputError(
            f"config: gpus_per_run is {run['gpus_per_run']}, but this job has {torch.cuda.device_count()} GPU(s); lower it, "
            "or let Snakemake give more to a job: FTBENCH_GPUS in the environment, or gpu in the profile."
        )
    arguments = (run, start.digests["code"], start.inputs, start.recipe, folder)
    processes.run(_fit_together, arguments, run["gpus_per_run"], cuda)
    return Outcome(**torch.load(folder / OUTCOME, map_location="cpu", weights_only=True))


def fit_here(start: Start, folder: Path) -> Outcome:
    """Train in this process. Raises RuntimeError if a tensor changed that the strategy keeps frozen."""
    run, backbone = start.run, start.backbone
    print(f"{run['strategy']}: {start.trainable_params} parameters move, the network has {start.total_params}")
    with devices.determinism_explained(run):
        outcome = loop.fit(backbone, start.data, run, start.recipe, start.device, folder, start.identity, start.views)
    freezing.freeze(backbone, start.strategy.trainable(backbone))  # all that moved at some time
    after = freezing.frozen_digest(backbone.network)
    if after != start.frozen:
        raise RuntimeError(
            f"frozen tensors of {run['strategy']} changed during training: {start.frozen} became {after}"
        )
    return outcome


def _fit_together(run: dict, code: str, inputs: dict, recipe: dict, folder: Path) -> None:
    """The work of one of several processes; the first leaves the outcome in `folder`."""
    outcome = fit_here(start_run(run, code, inputs, recipe), folder)
    if processes.Ranks().first:
        with atomic_write(folder / OUTCOME) as temporary:
            torch.save(dict(vars(outcome)), temporary)


def _result(start: Start, outcome: Outcome) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    """The network that is kept and its logits (N, C) on the validation part; no tensor and NaN if the run diverged.

    After a training on cached views, which are rounded, the scores of the record become those of the whole network.
    """
    data, network = start.data, start.backbone.network
    if outcome.status != "finished":
        return {}, np.full((len(data.validation), data.classes), np.nan, np.float32)
    network.load_state_dict(outcome.best_state)
    start.strategy.merge(start.backbone)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    logits = validation_logits(start.backbone, data, start.run, start.device)
    if start.views:
        cached, outcome.best = outcome.best, validation_scores(logits, data.labels[data.validation])
        told = (f"{scores['validation_accuracy']:.4f}" for scores in (cached, outcome.best))
        print("validation accuracy {} by what was cached, {} by the whole network".format(*told))
    return state, logits


def _record(start: Start, outcome: Outcome, digests: dict) -> dict:
    return run_record(
        start.run,
        SETTINGS,
        outcome,
        (start.trainable_params, start.total_params),
        normalization=start.backbone.normalization,
        device=start.device.type,
        device_name=devices.device_name(start.device),
        digests=start.digests | {"frozen": start.frozen} | digests,
        cleaning=cleaning_of(np.load(start.inputs["split"])),
    )


def _cost(start: Start, outcome: Outcome) -> dict:
    """What was measured. train_seconds is the whole work of this run, set-up and validation included."""
    setup = time.perf_counter() - start.begun - outcome.train_seconds if outcome.resumes == 0 else 0.0
    borrowed = read_json(start.inputs["probe"]["cost"]) if start.inputs["probe"] else None
    return cost_record(
        train_seconds=outcome.train_seconds + max(0.0, setup),
        images_per_second=outcome.trained_images / outcome.step_seconds if outcome.trained_images else None,
        peak_memory_mb=max([devices.peak_memory_mb(start.device), *(row["peak_memory_mb"] for row in outcome.history)]),
        threads=start.run["threads"],
        resumes=outcome.resumes,
        device=start.device.type,
        device_name=devices.device_name(start.device),
        probe={"cost": borrowed, "tuning_seconds": borrowed["tuning_seconds"]} if borrowed else None,
        **({"view_seconds": read_json(start.inputs["views_cost"])["view_seconds"]} if start.views else {}),
    )


def _finished_meanwhile(outputs: list[Path], identity: str) -> bool:
    return all(path.exists() for path in outputs) and read_json(outputs[-1]).get("identity") == identity
