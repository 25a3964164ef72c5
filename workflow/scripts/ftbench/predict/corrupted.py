"""Logits of corrupted test images: every condition is made once, on the device, and seen by every seed of a cell."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ftbench.base.files import read_json, write_npz
from ftbench.data.images import Images
from ftbench.machine import devices
from ftbench.model import backbones
from ftbench.pixels.corrupt import corrupt, generator_of
from ftbench.train import strategies

BATCH = 256
CHOICE_STREAM = 3  # of the corruptions' seed: which test images are taken
LARGEST = np.finfo(np.float16).max


def chosen_rows(count: int, limit: int, seed: int) -> np.ndarray:
    """Sorted row numbers of at most `limit` of `count` test images, the same for every cell."""
    rows = np.random.default_rng([seed, CHOICE_STREAM]).permutation(count)[:limit]
    return np.sort(rows).astype(np.int64)


def predict_corrupted(
    run: dict, settings: dict, kind: str | None, images: str, labels: str, classes: str, runs: list[str], models: list[str],
    out: list[str], weights: str | None = None, record: str | None = None,
) -> None:  # fmt: skip
    """Write per model an npz with logits (K, S, N, C) float16, kinds (K,), severities (S,), labels (N,) and ids (N,).

    `settings` has kinds, severities, images (at most so many) and seed. A strategy of the training loop has `kind` None and its
    whole networks in `models`; one that is fitted on features gives its `kind`, and the backbone's `weights` and their `record`.
    Images are corrupted as they are stored, before the network's resize. A diverged run gets NaN.
    """
    device = devices.set_up(run)
    store, count = Images(images, device, resident=False), len(read_json(classes))
    rows = chosen_rows(len(store), settings["images"], settings["seed"])
    predictors = [
        _predictor(run, count, read_json(path), model, kind, weights, record, device)
        for path, model in zip(runs, models)
    ]
    conditions = [(one, severity) for one in settings["kinds"] for severity in settings["severities"]]
    logits = np.full((len(models), len(conditions), len(rows), count), np.nan, np.float16)
    for number, (name, severity) in enumerate(conditions):
        generator = generator_of(name, severity, settings["seed"])
        for first in range(0, len(rows), BATCH):
            batch = corrupt(store.batch(rows[first : first + BATCH]), name, severity, generator)
            for place, predict in enumerate(predictors):
                if predict is not None:
                    found = np.clip(predict(batch), -LARGEST, LARGEST)
                    logits[place, number, first : first + len(batch)] = found
        print(f"{name}, severity {severity}: {len(rows)} images")
    shape = (len(settings["kinds"]), len(settings["severities"]), len(rows), count)
    about = {"kinds": np.array(settings["kinds"]), "severities": np.array(settings["severities"])}
    for place, path in enumerate(out):
        write_npz(path, logits=logits[place].reshape(shape), **about, labels=np.load(labels)[rows], ids=rows)


def _predictor(run, count, record, model, kind, weights, weights_record, device):
    """A function of a batch (B, H, W, 3) uint8 that gives logits (B, C) float32; None for a diverged run."""
    if record["status"] == "diverged":
        return None
    source = record["normalization"] if kind is None else read_json(weights_record)
    backbone = backbones.build(run["network"], count, 0, Path(weights) if kind else None, source)
    if kind is None:
        backbone.network.load_state_dict(load_file(model))
    backbones.prepare(backbone, run, device)
    strategy, fitted = (strategies.load(kind), strategies.load_fitted(model)) if kind else (None, None)

    def predict(batch: torch.Tensor) -> np.ndarray:
        features = strategy is not None
        found, vectors = backbones.predict(backbone, [batch], devices.autocast(device, run["precision"]), features)
        return strategy.logits(vectors, fitted) if features else found

    return predict
