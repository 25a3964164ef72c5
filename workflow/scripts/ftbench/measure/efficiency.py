"""What a cell's arithmetic is, whatever machine runs it: floating-point operations, and how fast and how large its network is.

Operations are counted while they happen (`ftbench.measure.operations`), around one real training step: what is frozen, cut off or augmented counts as it is. How often a run took that step
is known afterwards; `ftbench.evaluate.charges` multiplies.
"""

import statistics
import time

import numpy as np
import torch

from ftbench.base.files import read_json, write_json
from ftbench.data.images import Data, Images
from ftbench.machine import devices
from ftbench.measure.operations import operation_counter
from ftbench.model import backbones
from ftbench.model.backbones import Backbone
from ftbench.model.prefix import cut
from ftbench.study.checks.image_sizes import flops_of_steps
from ftbench.study.checks.view_sizes import passes
from ftbench.train import strategies
from ftbench.train.start import apply_strategy
from ftbench.train.step import Step
from ftbench.train.views import CachedViews, blank_views

STATISTICS = {"mean": [0.5] * 3, "std": [0.25] * 3}  # of the input; no count and no time depends on them
LATENCY_BATCHES = (1, 256)
WARM_UP = 1  # a pass before the clock runs: it allocates and chooses kernels
FEWEST, MOST = 3, 50  # timed passes
SECONDS = 0.5  # of timed passes, then no more than the fewest


def measure_cost(run: dict, cells: list[dict], images: str, labels: str, split: str, classes: str, out: str) -> None:
    """Write the JSON of one backbone on one data set: what its network costs, and under "cells" what each strategy does.

    `run` are the machine's settings. `cells` has per cell strategy, frozen (whether it reads the backbone's features, or
    starts from a probe that does), run (the loop's settings; None if it is fitted on features) and bank (the kind of a strategy whose
    model is a bank of training features, else None; `bank_cost` is then in the cell's "bank"), and own_splits where it reads cached
    views. A cell gets
    batch_size, per epoch the steps and step_flops of one of them, validation_flops of one pass over the validation
    images, and feature_flops of all training and validation images if it is charged for them, and of cached views. forward_flops are one
    image's. Latencies are medians in milliseconds per batch, from uint8 images on the device to logits, without
    compilation. model_bytes are those of the whole network's tensors.
    """
    device = devices.set_up(run)
    parts = np.load(split)
    store = Images(images, device, resident=False)
    data = Data(store, np.load(labels), parts["train"], parts["validation"], len(read_json(classes)))
    backbone = backbones.build(run["network"], data.classes, 0, None, STATISTICS)
    backbones.prepare(backbone, run, device)
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
    for cell in cells:
        steps = (
            count_steps(cell["run"], data, device)
            if cell["run"]
            else {"batch_size": None, "steps": [], "step_flops": []}
        )
        once, views = steps.pop("once_flops", 0), (cell["run"] or {}).get("recipe", {}).get("cached_views")
        counts = (len(data.train), len(data.validation))
        cached = once * passes(*counts, views, cell["own_splits"]) if views else 0
        result["cells"][cell["strategy"]] = steps | {
            "validation_flops": len(data.validation) * (forward - once),
            "feature_flops": (seen * forward if cell["frozen"] else 0) + cached,
        }
        if cell.get("bank"):
            result["cells"][cell["strategy"]]["bank"] = bank_cost(cell["bank"], backbone, data)
        print(f"{cell['strategy']}: {steps}")
    write_json(out, result)


def bank_cost(kind: str, backbone: Backbone, data: Data) -> dict:
    """What a bank of the training images' features adds to the network at prediction, under the names of the network's own costs.

    forward_flops: one comparison of an image with the whole bank, a multiply-add as two. Latencies are on the CPU, where it is searched.
    """
    with torch.no_grad():
        vectors, _ = backbone.features_and_logits(data.images.batch(data.train[:1]))
    width, count = vectors.shape[1], len(data.train)
    strategy, rng = strategies.load(kind), np.random.default_rng(0)
    features = rng.standard_normal((count, width), dtype=np.float32)  # no time depends on the values
    labels = np.asarray(data.labels.cpu() if torch.is_tensor(data.labels) else data.labels)[data.train]
    fitted = strategy.fit(features, labels.astype(np.int64), data.classes, 1)
    cost = {
        "forward_flops": 2 * count * width,
        "total_params": count * width,
        "model_bytes": sum(tensor.nbytes for tensor in fitted.values()),
    }
    for size in LATENCY_BATCHES:
        queries, times = np.resize(features, (size, width)), []
        for _ in range(WARM_UP + FEWEST):
            start = time.perf_counter()
            strategy.logits(queries, fitted)
            times.append(time.perf_counter() - start)
        cost[f"latency_ms_batch{size}"] = 1000 * statistics.median(times[WARM_UP:])
    return cost


def forward_flops(backbone: Backbone, data: Data, run: dict, device: torch.device) -> int:
    """Operations of one image's forward pass in eval mode."""
    backbone.network.eval()
    image = backbone.to_input(data.images.batch(data.train[:1]))
    backbone.network.requires_grad_(False)  # torch's counter looks for the gradient of every input of a module
    with operation_counter() as counter, torch.no_grad(), devices.autocast(device, run["precision"]):
        backbone.network(image)
    return counter.get_total_flops()


def count_steps(run: dict, data: Data, device: torch.device) -> dict:
    """batch_size, and per epoch of the planned run the number of steps and the operations of one.

    A strategy that moves other parameters in other epochs is counted once for each set of them. Where images grow, each size is
    counted: step_flops are then the means of each epoch's steps, and beside them are the recipe's image_sizes and, per epoch, the
    operations of a step at each of them (flops_at_sizes). With cached views, once_flops are those of the frozen part for one image.
    """
    recipe = run["recipe"] | {"learning_rate": 0.0}  # the tuned one changes no count
    backbone = backbones.build(run["network"], data.classes, 0, None, STATISTICS)
    apply_strategy(backbone, run, recipe, device)
    views, once = _blank_views(backbone, data, run, device) if recipe.get("cached_views") else (None, 0)
    step = Step(backbone, data, run, recipe, device, views)
    sizes = recipe.get("image_sizes") or [backbone.image_size]
    counted: dict[tuple, list[int]] = {}
    for epoch in range(step.epochs):
        moving = tuple(step.moving_names(epoch) or ())
        if moving not in counted:
            step.open_epoch(epoch)
            counted[moving] = [_step_flops(step, data, epoch, side) for side in sizes]
    steps = [step.in_epoch(epoch) for epoch in range(step.epochs)]
    flops = [counted[tuple(step.moving_names(epoch) or ())] for epoch in range(step.epochs)]
    found = {"batch_size": step.batch_size, "steps": steps, "step_flops": [at[-1] for at in flops]}
    if views:
        found["once_flops"] = once
    if not recipe.get("image_sizes"):
        return found
    growing = {"image_sizes": sizes, "flops_at_sizes": flops}
    means = [
        flops_of_steps(found | growing, epoch, range(first, first + count), sum(steps)) / count
        for epoch, (first, count) in enumerate(zip(np.cumsum([0, *steps]).tolist(), steps))
    ]
    return found | {"step_flops": means} | growing


def _blank_views(backbone: Backbone, data: Data, run: dict, device: torch.device) -> tuple[CachedViews, int]:
    """Views of zeros, and the operations of one image's pass through the frozen part."""
    halves = cut(backbone.network, run["network"]["model"])
    image = backbone.to_input(data.images.batch(data.train[:1]))
    with operation_counter() as counter, torch.no_grad(), devices.autocast(device, run["precision"]):
        shape = halves.prefix(image).shape[1:]
    return blank_views(halves, shape, data, run["channels_last"]), counter.get_total_flops()


def _step_flops(step: Step, data: Data, epoch: int, side: int) -> int:
    with operation_counter() as counter:
        step.take(data.train[: step.batch_size], epoch, 0, side)
    return counter.get_total_flops()


def latency_ms(backbone: Backbone, data: Data, size: int, run: dict, device: torch.device) -> float:
    """Median milliseconds of one batch of `size` images, from uint8 on the device to logits on the device, in eval mode."""
    backbone.network.eval()
    images = data.images.batch(np.resize(data.train, size))  # repeated if the data set is smaller
    times = []
    with torch.inference_mode(), devices.autocast(device, run["precision"]):
        for number in range(WARM_UP + MOST):
            start = time.perf_counter()
            backbone.network(backbone.to_input(images))
            devices.synchronise(device)
            if number >= WARM_UP:
                times.append(time.perf_counter() - start)
            if len(times) >= FEWEST and sum(times) > SECONDS:
                break
    return 1000 * statistics.median(times)
