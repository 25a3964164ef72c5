"""What a trial or run starts from: its files, its data, and the network that its strategy begins with, on the device."""

import copy
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn.modules.batchnorm import _NormBase

from ftbench.base.digests import digest, sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.data.images import Data, read_data
from ftbench.data.split import digest_of_split
from ftbench.machine import devices, processes
from ftbench.machine.compiler import compile_in_place
from ftbench.model import backbones, freezing
from ftbench.model.backbones import Backbone
from ftbench.model.sizes import check_size
from ftbench.train import recipes, strategies
from ftbench.train.strategies import Strategy
from ftbench.train.views import CachedViews, read_views


@dataclass
class Start:
    """A trial or run before its first step.

    `views` is what its steps begin at, if the frozen part was run before. `digests` name what goes in (data, split, weights, probe, code,
    and cached views where there are any). `identity` is the digest of all that may change the
    result. `frozen` is the digest of all tensors that must not change.
    """

    run: dict
    recipe: dict
    inputs: dict
    device: torch.device
    data: Data
    backbone: Backbone
    strategy: Strategy
    views: CachedViews | None
    digests: dict
    identity: str
    frozen: str
    trainable_params: int
    total_params: int
    begun: float  # time.perf_counter(), before the first file was read


def input_files(given) -> dict:
    """The `inputs` of a run from a rule's named inputs, in which an input that this cell lacks is an empty list."""
    files = {name: value if value else None for name, value in given.items()}
    probe = {"model": files.pop("probe_model"), "cost": files.pop("probe_cost")}
    return files | {"probe": probe if probe["model"] else None}


def start_run(run: dict, code: str, inputs: dict, recipe: dict) -> Start:
    """Read the files, build the network and bring both to the device; arguments as `ftbench.train.run.train` has them.

    `recipe` has the learning rate as well.
    """
    begun = time.perf_counter()
    device = devices.set_up(run)
    source = read_json(inputs["record"]) if inputs["record"] else None
    digests = _digests(inputs, source, code)
    # Where other processes compute, this one starts them and reads the validation images at the end: the device is theirs.
    waits = run["gpus_per_run"] > 1 and processes.Ranks().world == 1
    # Where the frozen part was run before, images are read for the last validation alone.
    data = read_data(inputs, device, resident=False if waits or recipe.get("cached_views") else None)
    backbone = build(run, inputs, data.classes, source or read_json(inputs["normalization"]))
    refuse_sizes(backbone, run["network"], recipe)
    total_params = sum(parameter.numel() for parameter in backbone.network.parameters())
    strategy = apply_strategy(backbone, run, recipe, device)
    refuse_single_images(backbone, recipe, len(data.train))
    frozen = freezing.frozen_digest(backbone.network)
    views = read_views(inputs, source, run, recipe, backbone, data)
    if run["compile"]:
        compile_in_place(backbone.network)
    return Start(
        run=run,
        recipe=recipe,
        inputs=inputs,
        device=device,
        data=data,
        backbone=backbone,
        strategy=strategy,
        views=views,
        digests=digests,
        identity=_identity(run, recipe, digests, device),
        frozen=frozen,
        trainable_params=sum(p.numel() for p in backbone.network.parameters() if p.requires_grad),
        total_params=total_params,
        begun=begun,
    )


def _digests(inputs: dict, source: dict | None, code: str) -> dict:
    parts = np.load(inputs["split"])
    cached = {"views": digest(read_json(inputs["views_cost"])["sha256"])} if inputs.get("views") else {}
    return cached | {
        "data": str(parts["digest"]),
        "split": digest_of_split(parts),
        "weights": source["sha256"] if source else None,
        "probe": sha256_of_file(inputs["probe"]["model"]) if inputs["probe"] else None,
        "code": code,
    }


def _identity(run: dict, recipe: dict, digests: dict, device: torch.device) -> str:
    return digest({"run": run, "recipe": recipe, "digests": digests, "device": device.type, "torch": torch.__version__})


def build(run: dict, inputs: dict, classes: int, statistics: dict) -> Backbone:
    """The network that the strategy starts from: random, pretrained with a head of zeros, or with the probe's head."""
    weights = Path(inputs["weights"]) if inputs["weights"] else None
    backbone = backbones.build(run["network"], classes, run["seed"], weights, statistics)
    if inputs["probe"]:
        backbone.take_head(load_file(inputs["probe"]["model"]))
    return backbone


def refuse_sizes(backbone: Backbone, entry: dict, recipe: dict) -> None:
    """Raise InputError if the network cannot run at one of the recipe's image_sizes; asked of a copy without numbers."""
    smaller = [size for size in recipe.get("image_sizes") or [] if size != backbone.image_size]
    if smaller:
        copied = copy.deepcopy(backbone.network).to("meta")
        for size in smaller:
            check_size(copied, entry, size)


def refuse_single_images(backbone: Backbone, recipe: dict, images: int) -> None:
    """Raise InputError if a batch norm that moves would see one image at a time, whose variance is no batch's."""
    batch, _, _ = recipes.steps_of(recipe, images)
    parts = min(recipe["accumulate"], batch)
    if batch // parts > 1:
        return
    for name, module in backbone.network.named_modules():
        own = module.parameters(recurse=False)
        if freezing.keeps_statistics(module):
            continue
        if isinstance(module, _NormBase) and any(p.requires_grad for p in own):
            raise InputError(
                f"config: batch_size {recipe['batch_size']} in {recipe['accumulate']} parts (accumulate) of {images} training images "
                f"leaves one image at a time to the batch norm {name}, whose mean and variance are then that image's own; leave at least "
                "two images to a part, or let the batch norms keep their statistics (norm_statistics: frozen)."
            )


def apply_strategy(backbone: Backbone, run: dict, recipe: dict, device: torch.device) -> Strategy:
    """Move the network to `device`, let the strategy of `run` add what it adds, and freeze all that it never moves."""
    strategy = strategies.load(run["kind"])
    backbones.prepare(backbone, run, device)
    strategy.adapt(backbone, recipe)
    if recipe.get("norm_statistics") == "frozen":
        print(f"{freezing.keep_statistics(backbone.network)} batch norms keep the statistics that they start with")
    freezing.freeze(backbone, strategy.trainable(backbone))
    return strategy
