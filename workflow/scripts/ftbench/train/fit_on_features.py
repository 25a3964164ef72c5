"""A strategy that is fitted on cached features: every value of its grid in one job, the choice, and the files of a run.

Starting a process costs more than most fits, and nothing here is random: one job tunes and is the final run.
"""

import time

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ftbench.base.digests import digest, refuse_damaged
from ftbench.base.files import read_json, write_json, write_npz
from ftbench.base.logits import validation_scores
from ftbench.data.split import cleaning_of, digest_of_split, training_rows
from ftbench.machine.devices import device_name, peak_memory_mb
from ftbench.study.kinds import declared
from ftbench.train import strategies
from ftbench.train.history import Outcome, write_history
from ftbench.train.record import SCORES, cost_record, run_record, write_model

SMALL = 20_000_000  # values; with fewer, threads cost more than they bring: two took 2-3 times as long on 1,000 × 1,280
SETTINGS = ("network", "precision", "threads")  # what run.json keeps of the settings: no network runs here
CPU = torch.device("cpu")


def fit_threads(features: np.ndarray, threads: int) -> int:
    """How many threads the libraries get for a fit on `features`, of the run's `threads`."""
    return threads if features.size > SMALL else 1


def fit_on_features(
    run: dict,
    code: str,
    features: str,
    features_cost: str,
    labels: str,
    split: str,
    classes: str,
    data: str,
    record: str,
    selected: str,
    model: str,
    history: str,
    run_json: str,
    cost: str,
    val_logits: str,
) -> None:
    """Fit the strategy for every value in `run["grid"]`, choose by validation (ties to the larger), write a run's files.

    `features` (N, D) are the rows of `training_rows(split)`. `model` gets what the strategy's `fit` returned, under the
    name of the network's head: a linear probe's is the head itself.
    """
    start = time.perf_counter()
    torch.set_num_threads(run["threads"])
    parameter = declared(run["kind"])["tuned"]
    extraction, prepared, parts = read_json(features_cost), read_json(data), np.load(split)
    refuse_damaged(labels, prepared["sha256"]["labels"])
    refuse_damaged(features, extraction["digest"])
    target = np.load(labels)
    trials, fits = _fit_grid(run, np.load(features), target, parts, training_rows(split), len(read_json(classes)))
    best = max(trials, key=lambda trial: (trial[f"validation_{run['selection_metric']}"], trial[parameter]))
    fitted, logits = fits[best["trial"]]
    selection = _selection(run, parameter, trials, best)
    tensors = {f"{extraction['head']}.{name}": tensor for name, tensor in fitted.items()}
    of_model, checkpoint_bytes = write_model(model, tensors, status="finished")
    write_npz(val_logits, logits=logits, labels=target[parts["validation"]], ids=parts["validation"])
    columns = (parameter, *SCORES, "seconds")
    write_history([{name: trial[name] for name in columns} for trial in trials], history, columns)
    write_json(selected, selection)
    digests = {
        "data": prepared["digest"],
        "weights": read_json(record)["sha256"],
        "split": digest_of_split(parts),
        "code": code,
        **of_model,
    }
    done = _record(run, len(parts["train"]), best, selection["recipe"], fitted, extraction, digests)
    write_json(run_json, done | {"cleaning": cleaning_of(parts)})
    measured = _cost(run, best["seconds"], selection["tuning_seconds"], extraction)
    write_json(cost, measured | {"checkpoint_bytes": checkpoint_bytes})
    print(f"chose {parameter} {best[parameter]:g}, {time.perf_counter() - start:.1f} s in all")


def _fit_grid(run: dict, vectors: np.ndarray, target: np.ndarray, parts, rows: np.ndarray, classes: int) -> tuple:
    """(trials, fits): for every value of the grid its scores and seconds, and (what `fit` returned, validation logits).

    `vectors` (N, D) are the features of the images `rows` (N,); `target` holds the labels of all images.
    """
    strategy, parameter = strategies.load(run["kind"]), declared(run["kind"])["tuned"]
    train, validation = np.searchsorted(rows, parts["train"]), np.searchsorted(rows, parts["validation"])
    labels = target[rows]
    trials, fits = [], []
    for number, value in enumerate(run["grid"]):
        begun = time.perf_counter()
        with threadpool_limits(fit_threads(vectors, run["threads"])):
            fitted = strategy.fit(vectors[train], labels[train], classes, value)
            logits = strategy.logits(vectors[validation], fitted)
            scores = validation_scores(logits, labels[validation])
        seconds = time.perf_counter() - begun
        fits.append((fitted, logits))
        trials.append({"trial": number, parameter: value, "status": "finished", **scores, "seconds": seconds})
        print(f"{parameter} {value:g}: validation accuracy {scores['validation_accuracy']:.4f}, {seconds:.1f} s")
    return trials, fits


def _selection(run: dict, parameter: str, trials: list[dict], best: dict) -> dict:
    """How the value was chosen, as `ftbench.train.selection.select_recipe` says it."""
    return {
        "status": "finished",
        "diverged": None,
        "tuned": True,
        "parameter": parameter,
        "chosen": best[parameter],
        "trial": best["trial"],
        "at_grid_edge": len(trials) > 1 and best[parameter] in (min(run["grid"]), max(run["grid"])),
        "selection_metric": run["selection_metric"],
        "trials": trials,
        "recipe": {parameter: best[parameter], "augmentation": "none"},
        "tuning_seconds": sum(trial["seconds"] for trial in trials) - best["seconds"],
    }


def _record(
    run: dict, images: int, best: dict, recipe: dict, fitted: dict[str, torch.Tensor], extraction: dict, digests: dict
) -> dict:
    """The run's record: a run of no epoch, which saw each of `images` training images once."""
    outcome = Outcome(best={name: best[name] for name in SCORES}, trained_images=images)
    # A bank of neighbours is stored, not learned.
    learned = sum(fitted[name].numel() for name in ("weight", "bias") if name in fitted)
    return run_record(
        run,
        SETTINGS,
        outcome,
        (learned, extraction["backbone_params"] + learned),
        device=extraction["device"],
        device_name=extraction["device_name"],
        digests=digests,
        seed=run["seed"] if run.get("own_split") else 0,
        stochastic=run.get("own_split", False),  # of the fit nothing is, of the split all
        tuned=True,
        recipe=recipe,
        identity=digest({"run": run, "digests": digests}),
    )


def _cost(run: dict, seconds: float, tuning_seconds: float, extraction: dict) -> dict:
    """What was measured: the chosen fit's own seconds, and the extraction that it read."""
    return cost_record(
        train_seconds=seconds,
        images_per_second=extraction["images_per_second"],
        peak_memory_mb=max(extraction["peak_memory_mb"], peak_memory_mb(CPU)),
        threads=run["threads"],
        feature_seconds=extraction["feature_seconds"],
        tuning_seconds=tuning_seconds,
        device=extraction["device"],
        device_name=extraction["device_name"],
        fit_device_name=device_name(CPU),
    )
