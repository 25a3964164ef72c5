"""What a cell's arithmetic is, whatever machine runs it: floating-point operations, and how fast and how large its network is.

Operations are counted by torch while they happen (`FlopCounterMode`: matrix products and convolutions, a multiply-add as two),
around one real step of the training loop: what is frozen, cut off or augmented counts as it is. How often a run took that step
is known afterwards; `ftbench.evaluate.charges` multiplies.
"""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ftbench.base.files import read_json, write_json
from ftbench.data.images import Data, Images
from ftbench.machine import devices
from ftbench.model import backbones, freezing
from ftbench.model.backbones import Backbone
from ftbench.train import loop, strategies

STATISTICS = {"mean": [0.5] * 3, "std": [0.25] * 3}  # of the input; no count and no time depends on them
LATENCY_BATCHES = (1, 256)
WARM_UP = 1  # a pass before the clock runs: it allocates and chooses kernels
FEWEST, MOST = 3, 50  # timed passes
SECONDS = 0.5  # of timed passes, then no more than the fewest


def measure_cost(
    run: dict, cells: list[dict], images: str, labels: str, split: str, classes: str, models: list[str], out: str
) -> None:
    """Write the JSON of one backbone on one data set: what its network costs, and under "cells" what each strategy does.

    `run` are the machine's settings; `cells` has per cell strategy, frozen (whether it reads the backbone's features, or starts
    from a probe that does) and run (the loop's settings; None where it is fitted on features); `models` are the cells' files of
    one seed. A cell gets batch_size, per epoch the steps and step_flops of one of them, validation_flops of one pass over the
    validation images, feature_flops of all training and validation images where it is charged for them, and checkpoint_bytes,
    the size of the file that a run leaves. forward_flops are one image's. Latencies are medians in milliseconds per batch, from
    uint8 images on the device to logits, without compilation; model_bytes are those of the whole network's tensors.
    """
    device = devices.set_up(run)
    parts = np.load(split)
    store = Images(images, device, resident=False)
    data = Data(store, np.load(labels), parts["train"], parts["validation"], len(read_json(classes)))
    backbone = _build(run, data.classes, device)
    forward = forward_flops(backbone, data, run, device)
    result = {
        **{key: run[key] for key in ("precision", "channels_last", "crop_kernels", "threads")},
        "device": device.type,
        "device_name": devices.device_name(device),
        "forward_flops": forward,
        "model_bytes": sum(tensor.nbytes for tensor in backbone.network.state_dict().values()),
        "cells": {},
    }
    for size in LATENCY_BATCHES:
        result[f"latency_ms_batch{size}"] = latency_ms(backbone, data, size, run, device)
    seen = len(data.train) + len(data.validation)
    for cell, model in zip(cells, models, strict=True):
        steps = (
            count_steps(cell["run"], data, device)
            if cell["run"]
            else {"batch_size": None, "steps": [], "step_flops": []}
        )
        result["cells"][cell["strategy"]] = steps | {
            "validation_flops": len(data.validation) * forward,
            "feature_flops": seen * forward if cell["frozen"] else 0,
            "checkpoint_bytes": Path(model).stat().st_size,
        }
        print(f"{cell['strategy']}: {steps}")
    write_json(out, result)


def _build(run: dict, classes: int, device: torch.device) -> Backbone:
    backbone = backbones.build(run["network"], classes, 0, None, STATISTICS)
    backbones.prepare(backbone, run, device)
    return backbone


def forward_flops(backbone: Backbone, data: Data, run: dict, device: torch.device) -> int:
    """Operations of one image's forward pass in eval mode."""
    backbone.network.eval()
    image = backbone.to_input(data.images.batch(data.train[:1]))
    with FlopCounterMode(display=False) as counter, torch.no_grad(), devices.autocast(device, run["precision"]):
        backbone.network(image)
    return counter.get_total_flops()


def count_steps(run: dict, data: Data, device: torch.device) -> dict:
    """batch_size, and per epoch of the planned run the number of steps and the operations of one, of the training loop itself.

    A strategy that moves other parameters in other epochs is counted once for each set of them.
    """
    recipe = run["recipe"] | {"learning_rate": 0.0}  # the tuned one changes no count
    backbone = _build(run, data.classes, device)
    strategy = strategies.load(run["kind"])
    strategy.adapt(backbone, recipe)
    freezing.freeze(backbone, strategy.trainable(backbone))
    counted: dict[tuple, int] = {}
    steps, flops = [], []
    with TemporaryDirectory() as folder:
        training = loop.TrainingLoop(backbone, data, run, recipe, device, Path(folder), "steps to count")
        for epoch in range(training.epochs):
            training.epoch = epoch
            moving = strategy.moving(backbone, epoch, training.epochs) if strategy.moving else ()
            if tuple(moving) not in counted:
                if strategy.moving:
                    freezing.freeze(backbone, moving)
                freezing.train_mode(backbone.network)
                with FlopCounterMode(display=False) as counter:
                    training.train_step(data.train[: training.batch])
                counted[tuple(moving)] = counter.get_total_flops()
            steps.append(training.steps_now())
            flops.append(counted[tuple(moving)])
    return {"batch_size": training.batch, "steps": steps, "step_flops": flops}


def latency_ms(backbone: Backbone, data: Data, size: int, run: dict, device: torch.device) -> float:
    """Median milliseconds of one batch of `size` images, from uint8 on the device to logits on the device, in eval mode."""
    backbone.network.eval()
    images = data.images.batch(np.resize(data.train, size))  # repeated where the data set is smaller
    times = []
    with torch.inference_mode(), devices.autocast(device, run["precision"]):
        for number in range(WARM_UP + MOST):
            start = time.perf_counter()
            backbone.network(backbone.to_input(images))
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number >= WARM_UP:
                times.append(time.perf_counter() - start)
            if len(times) >= FEWEST and sum(times) > SECONDS:
                break
    return 1000 * statistics.median(times)
