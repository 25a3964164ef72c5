"""What a pass of one image through a network costs, or through the two halves of one whose frozen part runs once: counted without numbers."""

from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ftbench.model import architectures, backbones, freezing
from ftbench.model.backbones import Backbone
from ftbench.model.prefix import Halves, cut
from ftbench.train import strategies

CLASSES = 10  # of the head while counting; it is a rounding error


class PassCost(NamedTuple):
    flops: float  # floating-point operations
    moved: float  # bytes of activations read and written


class HalvesCost(NamedTuple):
    """Of one image: the pass up to the cut, the pass from there on, and how many numbers cross it."""

    frozen: PassCost
    rest: PassCost
    values: int


def forward_cost(entry: dict, bytes_per_value: int) -> PassCost:
    """Of one image's forward pass through the backbone `entry`."""
    network = _built(entry).eval()
    network.requires_grad_(False)  # torch's counter looks for the gradient of every input of a module
    return _cost_of(network, _image(entry), bytes_per_value)[0]


def halves_cost(entry: dict, kind: str, bytes_per_value: int) -> HalvesCost:
    """Of the halves of the backbone `entry` by what strategy `kind` moves. Raises InputError where it cannot be cut."""
    network = _built(entry)
    head, *more = backbones.heads.find_heads(network, CLASSES, entry["model"])
    backbones.heads.give_biases(network, [head, *more])
    parts = halves(Backbone(network, head, entry["image_size"], [], [], tuple(more)), kind, entry["model"])
    network.eval().requires_grad_(False)
    frozen, middle = _cost_of(parts.prefix, _image(entry), bytes_per_value)
    return HalvesCost(frozen, _cost_of(parts.answers, middle, bytes_per_value)[0], middle.numel())


def halves(backbone: Backbone, kind: str, model: str) -> Halves:
    """The halves of a network by what strategy `kind` moves. Raises InputError where it cannot be cut."""
    freezing.freeze(backbone, strategies.load(kind).trainable(backbone))
    return cut(backbone.network, model)


def _built(entry: dict) -> nn.Module:
    return architectures.load(entry["source"]).build(entry["model"], CLASSES, entry["image_size"]).to("meta")


def _image(entry: dict) -> torch.Tensor:
    return torch.empty(1, 3, entry["image_size"], entry["image_size"], device="meta")


def _cost_of(network: nn.Module, inputs: torch.Tensor, bytes_per_value: int) -> tuple[PassCost, torch.Tensor]:
    """The cost of a pass of `inputs`, and what it gives."""
    moved, hooks = 0, []

    def count(_module, given, output):
        nonlocal moved
        moved += sum(t.numel() for t in (*given, output) if isinstance(t, torch.Tensor))

    for module in network.modules():
        if not list(module.children()) and not isinstance(module, nn.Identity):
            hooks.append(module.register_forward_hook(count))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = network(inputs)
    for hook in hooks:
        hook.remove()
    return PassCost(float(counter.get_total_flops()), float(moved * bytes_per_value)), output
