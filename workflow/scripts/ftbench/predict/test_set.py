"""Logits of the test images for every seed of a cell. The only job that brings a trained network and test images together."""

import numpy as np
import torch
from safetensors.torch import load_file

from ftbench.base.digests import refuse_damaged
from ftbench.base.files import read_json, write_npz
from ftbench.data.images import Images
from ftbench.machine import devices
from ftbench.model import backbones
from ftbench.model.backbones import part_logits
from ftbench.predict.mirrored import Flipped


def predict_test(
    run: dict,
    images: str,
    labels: str,
    classes: str,
    runs: list[str],
    models: list[str],
    out: list[str],
    flipped: list[str] | None = None,
    data: str | None = None,
) -> None:
    """Write test_logits.npz, logits (N, C) float32, labels (N,), ids (N,), for each model; NaN logits for a diverged run.

    `flipped` are the files for the logits of the same images mirrored, where the data set's images may be. `data` is test.json:
    InputError is raised where images or labels are not what it says that was written.
    """
    device = devices.set_up(run)
    store = Images(images, device)
    if data:
        written = read_json(data)["sha256"]
        store.check(written["images"])
        refuse_damaged(labels, written["labels"])
    target = np.load(labels)
    count = len(read_json(classes))
    rows = np.arange(len(store))
    for number, (record_path, model) in enumerate(zip(runs, models)):
        record = read_json(record_path)
        backbone = None
        if record["status"] != "diverged":
            backbone = backbones.build(run["network"], count, 0, None, record["normalization"])
            backbone.network.load_state_dict(load_file(model))
            backbones.prepare(backbone, run, device)
        views = [(store, out[number])] + ([(Flipped(store), flipped[number])] if flipped else [])
        for view, path in views:
            if backbone is None:
                logits = np.full((len(rows), count), np.nan, np.float32)
            else:
                with torch.inference_mode():
                    logits = part_logits(backbone, view, rows, run, device)
            write_npz(path, logits=logits, labels=target, ids=rows)
            print(f"{path}: {len(rows)} images")
