"""Logits of the test images for every seed of a cell. The only job that brings a trained network and test images together."""

import numpy as np
import torch
from safetensors.torch import load_file

from ftbench import backbones, devices
from ftbench.arrays import Images
from ftbench.files import read_json, write_npz
from ftbench.scoring import part_logits


def predict_test(
    run: dict, images: str, labels: str, classes: str, runs: list[str], models: list[str], out: list[str]
) -> None:
    """Write test_logits.npz, logits (N, C) float32, labels (N,), ids (N,), for each model; NaN logits for a diverged run."""
    device = devices.set_up(run)
    store, target = Images(images, device), np.load(labels)
    count = len(read_json(classes))
    rows = np.arange(len(store))
    for record_path, model, path in zip(runs, models, out):
        record = read_json(record_path)
        if record["status"] == "diverged":
            logits = np.full((len(rows), count), np.nan, np.float32)
        else:
            backbone = backbones.build(run["network"], count, 0, None, record["normalization"])
            backbone.network.load_state_dict(load_file(model))
            backbones.prepare(backbone, run, device)
            with torch.inference_mode():
                logits = part_logits(backbone, store, rows, run, device)
        write_npz(path, logits=logits, labels=target, ids=rows)
        print(f"{path}: {len(rows)} images")
