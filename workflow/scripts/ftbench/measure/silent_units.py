"""How many units of a cell's networks are silent, before and after training, for every seed."""

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from ftbench.base.files import atomic_write, read_json
from ftbench.data.images import Images
from ftbench.machine import devices
from ftbench.model import backbones
from ftbench.model.activations import activity

IMAGES = 512  # of the validation part, the first of them: enough to call a unit silent in one in a thousand cases
BATCH = 128


def measure_activations(run: dict, given: dict, runs: list[str], models: list[str], out: str) -> None:
    """Write a CSV: seed, when ("before", "after"), layer, units, dead, sparsity (see `ftbench.model.activations`).

    `run` has network and the machine's settings, `given` the files images, split, classes and, as the cell has them, weights,
    record and normalization; `runs` and `models` are run.json and model.safetensors of every seed. A diverged run has
    no "after".
    """
    device = devices.set_up(run)
    store, rows = Images(given["images"], device), np.load(given["split"])["validation"][:IMAGES]
    classes, weights = len(read_json(given["classes"])), given["weights"]
    statistics = read_json(given["record"] or given["normalization"])
    found = []
    for path, model in zip(runs, models):
        record = read_json(path)
        backbone = backbones.build(run["network"], classes, record["seed"], weights, statistics)
        backbones.prepare(backbone, run, device)
        found += _rows(backbone, store, rows, run, device, record["seed"], "before")
        if record["status"] == "finished":
            backbone.network.load_state_dict(load_file(model))
            found += _rows(backbone, store, rows, run, device, record["seed"], "after")
    with atomic_write(out) as temporary:
        pd.DataFrame(found).to_csv(temporary, index=False)
    print(f"{len(found)} layers of {len(runs)} runs on {len(rows)} images")


def _rows(
    backbone, store: Images, rows: np.ndarray, run: dict, device: torch.device, seed: int, when: str
) -> list[dict]:
    batches = (store.batch(rows[first : first + BATCH]) for first in range(0, len(rows), BATCH))
    with devices.autocast(device, run["precision"]):
        return [{"seed": seed, "when": when} | layer for layer in activity(backbone, batches)]
