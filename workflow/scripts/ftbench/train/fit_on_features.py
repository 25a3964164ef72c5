"""A strategy that is fitted on cached features: every value of its grid in one job, the choice, and the files of a run.

Starting a process costs more than most fits, and nothing here is random: one job tunes and is the final run.
"""

import csv
import time

import numpy as np
import torch
from safetensors.torch import save_file
from threadpoolctl import threadpool_limits

from ftbench.base.digests import digest, refuse_damaged, sha256_of_file
from ftbench.base.files import atomic_write, read_json, write_json, write_npz
from ftbench.base.logits import validation_scores
from ftbench.data.split import digest_of_split, training_rows
from ftbench.machine.devices import device_name, peak_memory_mb, versions
from ftbench.model.freezing import digest_of_tensors
from ftbench.study.kinds import declared
from ftbench.train import strategies

SMALL = (
    20_000_000  # values: below, threads cost more than they bring (two took 2-3 times as long as one on 1,000 × 1,280)
)


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
    strategy, parameter = strategies.load(run["kind"]), declared(run["kind"])["tuned"]
    extraction, prepared = read_json(features_cost), read_json(data)
    refuse_damaged(labels, prepared["sha256"]["labels"])
    refuse_damaged(features, extraction["digest"])
    vectors = np.load(features)
    parts, target, names = np.load(split), np.load(labels), read_json(classes)
    rows = training_rows(split)
    train, validation = np.searchsorted(rows, parts["train"]), np.searchsorted(rows, parts["validation"])
    y = target[rows]
    trials, fits = [], []
    for number, value in enumerate(run["grid"]):
        begun = time.perf_counter()
        with threadpool_limits(fit_threads(vectors, run["threads"])):
            fitted = strategy.fit(vectors[train], y[train], len(names), value)
            logits = strategy.logits(vectors[validation], fitted)
            scores = validation_scores(logits, y[validation])
        seconds = time.perf_counter() - begun
        fits.append((fitted, logits))
        trials.append({"trial": number, parameter: value, "status": "finished", **scores, "seconds": seconds})
        print(f"{parameter} {value:g}: validation accuracy {scores['validation_accuracy']:.4f}, {seconds:.1f} s")
    metric = f"validation_{run['selection_metric']}"
    best = max(trials, key=lambda trial: (trial[metric], trial[parameter]))
    edge = len(trials) > 1 and best[parameter] in (min(run["grid"]), max(run["grid"]))
    chosen, logits = fits[best["trial"]]
    fitted = {f"{extraction['head']}.{name}": tensor for name, tensor in chosen.items()}
    # A bank of neighbours is stored, not learned.
    learned = sum(chosen[name].numel() for name in ("weight", "bias") if name in chosen)
    tuning_seconds = sum(trial["seconds"] for trial in trials) - best["seconds"]
    recipe = {parameter: best[parameter], "augmentation": "none"}
    with atomic_write(model) as temporary:
        save_file(fitted, temporary, metadata={"status": "finished"})
    write_npz(val_logits, logits=logits, labels=y[validation], ids=parts["validation"])
    with atomic_write(history) as temporary, temporary.open("w", newline="") as stream:
        columns = [parameter, "validation_accuracy", "validation_balanced_accuracy", "validation_nll", "seconds"]
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(trials)
    write_json(
        selected,
        {
            "status": "finished",
            "diverged": None,
            "tuned": True,
            "parameter": parameter,
            "chosen": best[parameter],
            "trial": best["trial"],
            "at_grid_edge": edge,
            "selection_metric": run["selection_metric"],
            "trials": trials,
            "recipe": recipe,
            "tuning_seconds": tuning_seconds,
        },
    )
    digests = {
        "data": prepared["digest"],
        "weights": read_json(record)["sha256"],
        "split": digest_of_split(parts),
        "code": code,
        "model": digest_of_tensors(fitted),
        "model_file": sha256_of_file(model),
    }
    write_json(
        run_json,
        {
            **{key: run[key] for key in ("dataset", "backbone", "strategy", "kind", "network", "precision", "threads")},
            "seed": 0,
            "status": "finished",
            "diverged": None,
            "stochastic": False,
            "tuned": True,
            "recipe": recipe,
            "best_epoch": None,
            "epochs": 0,
            "images_seen": len(train),
            **{key: best[key] for key in ("validation_accuracy", "validation_balanced_accuracy", "validation_nll")},
            "trainable_params": learned,
            "total_params": extraction["backbone_params"] + learned,
            "device": extraction["device"],
            "device_name": extraction["device_name"],
            "versions": versions(),
            "digests": digests,
            "identity": digest({"run": run, "digests": digests}),
        },
    )
    cpu = torch.device("cpu")
    write_json(
        cost,
        {
            "train_seconds": best["seconds"],
            "feature_seconds": extraction["feature_seconds"],
            "tuning_seconds": tuning_seconds,
            "images_per_second": extraction["images_per_second"],
            "peak_memory_mb": max(extraction["peak_memory_mb"], peak_memory_mb(cpu)),
            "threads": run["threads"],
            "resumes": 0,
            "device": extraction["device"],
            "device_name": extraction["device_name"],
            "fit_device_name": device_name(cpu),
            "probe": None,
        },
    )
    print(f"chose {parameter} {best[parameter]:g}, {time.perf_counter() - start:.1f} s in all")
