"""The records that a trial or run leaves: what it was (run.json), what it took (cost.json), and its model file.

Both ways to train write them: the training loop and the fit on cached features. A run.json holds nothing that a clock or
a memory gauge says, so that equal runs write equal records.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from ftbench.base.digests import sha256_of_file
from ftbench.base.files import atomic_write
from ftbench.machine.devices import versions
from ftbench.model.tensors import digest_of_tensors
from ftbench.train.history import Outcome

LABELS = ("dataset", "backbone", "strategy", "kind")
SCORES = ("validation_accuracy", "validation_balanced_accuracy", "validation_nll")


def run_record(run: dict, settings: tuple[str, ...], outcome: Outcome, params: tuple[int, int], **rest) -> dict:
    """What is known of a trial or run without its clock.

    `settings` names the keys of `run` that made a difference. `params` counts the numbers that may move and all of the
    network. `rest` is what only the caller knows: device, device_name, digests, and of a final run its seed, recipe and
    identity.
    """
    return {
        **{key: run[key] for key in (*LABELS, *settings)},
        "status": outcome.status,
        "diverged": outcome.diverged,
        "best_epoch": outcome.best_epoch,
        "epochs": len(outcome.history),
        "images_seen": outcome.trained_images,
        **(outcome.best or dict.fromkeys(SCORES)),
        "trainable_params": params[0],
        "total_params": params[1],
        "versions": versions(),
        **rest,
    }


def cost_record(
    train_seconds: float, images_per_second: float | None, peak_memory_mb: float, threads: int, **rest
) -> dict:
    """What was measured of a trial or run. The defaults are those of a run that reads no features and no probe.

    train_seconds is the run's own work. feature_seconds is the extraction of the features that it reads. probe holds
    the cost and the tuning_seconds of the probe that it starts from, view_seconds, if it is there, the making of the cached views that it
    reads. `rest` has at least device and device_name, and of a
    run that leaves a model its checkpoint_bytes.
    """
    return {
        "train_seconds": train_seconds,
        "images_per_second": images_per_second,
        "peak_memory_mb": peak_memory_mb,
        "threads": threads,
        "feature_seconds": 0.0,
        "resumes": 0,
        "probe": None,
        **rest,
    }


def write_model(path: str | Path, state: dict[str, torch.Tensor], **metadata: str) -> tuple[dict, int]:
    """Write tensors on the CPU as safetensors; returns the digests for run.json and the size of the file in bytes.

    `metadata` is one key alone: safetensors writes several in random order, and equal runs would not be equal files.
    """
    with atomic_write(path) as temporary:
        save_file(state, temporary, metadata=metadata)
    return {"model": digest_of_tensors(state), "model_file": sha256_of_file(path)}, Path(path).stat().st_size
