"""What a cell's arithmetic is, whatever machine runs it: floating-point operations, and how fast and how large its network is.

Operations are counted by torch while they happen (`FlopCounterMode`: matrix products and convolutions, a multiply-add as two),
around one real step of the training loop: what is frozen, cut off or augmented counts as it is. The rest is arithmetic over
the numbers of steps, trials and images that the run's files give.
"""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ftbench import backbones, devices, loop, strategies
from ftbench.arrays import Images
from ftbench.backbones import Backbone
from ftbench.files import read_json, write_json

STATISTICS = {"mean": [0.5] * 3, "std": [0.25] * 3}  # of the input; no count and no time depends on them
LATENCY_BATCHES = (1, 256)
WARM_UP = 1  # a pass before the clock runs: it allocates and chooses kernels
FEWEST, MOST, SECONDS = (
    3,
    50,
    1.0,
)  # timed passes: at least and at most so many, and no more than a second beyond the fewest
PASS_OF_A_FIT = 4  # operations per image, feature and class: two for the logits, two for the gradient


def measure_cost(
    run: dict, cells: list[dict], images: str, labels: str, split: str, classes: str, selected: list[str],
    recipes: list[str], models: list[str], out: str,
) -> None:  # fmt: skip
    """Write the JSON of one backbone on one data set: what its network costs, and under "cells" what each strategy does.

    `run` are the machine's settings; `cells` has per cell strategy, engine ("loop" or "features"), probe (the strategy that it
    starts from, or None) and run (the loop's settings). `selected`, `recipes` and `models` are the files of the cells in the same
    order; a cell that is fitted on features gives its selected.json twice.

    FLOPs are those of one model, charged like its seconds (`ftbench.cost`): train_flops has the steps, one pass over the
    validation images per epoch, the feature file and the probe's fit where the cell uses them; tuning_flops all trials, a
    diverged one up to where it stopped. forward_flops are one image's. Latencies are medians in milliseconds per batch, from
    uint8 images on the device to logits; model_bytes the whole network's tensors, checkpoint_bytes the file that a run leaves.
    """
    device = devices.set_up(run)
    parts = np.load(split)
    data = loop.Data(
        images=Images(images, device, resident=False),
        labels=np.load(labels),
        train=parts["train"],
        validation=parts["validation"],
        classes=len(read_json(classes)),
    )
    backbone = _build(run, data.classes, device)
    forward = forward_flops(backbone, data, run, device)
    result = {
        **{key: run[key] for key in ("precision", "channels_last", "crop_kernels", "threads")},
        "device": device.type,
        "device_name": devices.device_name(device),
        "forward_flops": forward,
        "model_bytes": sum(tensor.nbytes for tensor in backbone.network.state_dict().values()),
        "total_params": sum(parameter.numel() for parameter in backbone.network.parameters()),
        "cells": {},
    }
    for size in LATENCY_BATCHES:
        result[f"latency_ms_batch{size}"] = latency_ms(backbone, data, size, run, device)
    width = backbone.head_module.in_features
    for cell, chosen, recipe, model in zip(cells, selected, recipes, models):
        chosen, recipe = read_json(chosen), read_json(recipe)
        if cell["engine"] == "features":
            counted = _probe_flops(chosen, data, width, forward)
        else:
            counted = _loop_flops(cell["run"], chosen, recipe, data, forward, device)
        result["cells"][cell["strategy"]] = counted | {"checkpoint_bytes": Path(model).stat().st_size}
        print(f"{cell['strategy']}: {counted}")
    for cell in cells:  # after the probes themselves: an LP-FT run is charged for the one that it starts from
        if cell["probe"]:
            own, borrowed = (result["cells"][name] for name in (cell["strategy"], cell["probe"]))
            for key in ("train_flops", "tuning_flops"):
                own[key] += borrowed[key]
    write_json(out, result)


def _build(run: dict, classes: int, device: torch.device) -> Backbone:
    backbone = backbones.build(run["network"], classes, 0, None, STATISTICS)
    backbones.prepare(backbone, run, device)
    return backbone


def forward_flops(backbone: Backbone, data: loop.Data, run: dict, device: torch.device) -> int:
    """Operations of one image's forward pass in eval mode."""
    backbone.network.eval()
    image = backbone.to_input(data.images.batch(data.train[:1]))
    with FlopCounterMode(display=False) as counter, torch.no_grad(), devices.autocast(device, run["precision"]):
        backbone.network(image)
    return counter.get_total_flops()


def step_flops(run: dict, recipe: dict, data: loop.Data, device: torch.device) -> tuple[int, int]:
    """(operations of one optimizer step of the training loop itself, its batch size), with what the strategy moves."""
    backbone = _build(run, data.classes, device)
    strategies.freeze(backbone, strategies.load(run["kind"]).trainable(backbone))
    with TemporaryDirectory() as folder:
        training = loop.TrainingLoop(backbone, data, run, recipe, device, Path(folder), "a step to count")
        strategies.train_mode(backbone.network)
        with FlopCounterMode(display=False) as counter:
            training.train_step(data.train[: training.batch])
    return counter.get_total_flops(), training.batch


def _loop_flops(run: dict, chosen: dict, recipe: dict, data: loop.Data, forward: int, device: torch.device) -> dict:
    settings = recipe["recipe"] | {"learning_rate": recipe["recipe"]["learning_rate"] or 0.0}  # None where all diverged
    step, batch = step_flops(run, settings, data, device)
    per_epoch = len(data.train) // batch
    validation = len(data.validation) * forward

    def flops(diverged: dict | None) -> int:
        epochs, steps = settings["epochs"], settings["epochs"] * per_epoch
        if diverged:
            epochs, steps = diverged["epoch"] - 1, (diverged["epoch"] - 1) * per_epoch + diverged["step"]
        return steps * step + epochs * validation

    return {
        "batch_size": batch,
        "steps": settings["epochs"] * per_epoch,
        "step_flops": step,
        "train_flops": flops(None) if chosen["status"] == "finished" else 0,  # no run where every trial diverged
        "tuning_flops": sum(flops(trial["diverged"]) for trial in chosen["trials"]),
    }


def _probe_flops(chosen: dict, data: loop.Data, width: int, forward: int) -> dict:
    """Features of all training rows once, then L-BFGS: per iteration one loss and one gradient over the training images."""
    fits = [trial["iterations"] * PASS_OF_A_FIT * len(data.train) * width * data.classes for trial in chosen["trials"]]
    own = fits[chosen["trial"]]
    return {
        "batch_size": None,
        "steps": chosen["trials"][chosen["trial"]]["iterations"],
        "step_flops": PASS_OF_A_FIT * len(data.train) * width * data.classes,
        "train_flops": (len(data.train) + len(data.validation)) * forward + own,
        "tuning_flops": sum(fits) - own,
    }


def latency_ms(backbone: Backbone, data: loop.Data, size: int, run: dict, device: torch.device) -> float:
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
