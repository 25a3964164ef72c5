"""Another activation in the place of every ReLU, and how many units stay silent.

The tutorial's chapter on ReLU says that its units can die and that Leaky ReLU and PReLU cannot; here that is measured. A
unit is a channel (or an output of a linear layer). It is dead over a set of images where its pre-activation is never
positive: behind a ReLU it then passes neither a value nor a gradient. Sparsity is the share of all pre-activations that
are not positive. For leaky activations the same shares say how often the unit works on its small slope.
"""

import torch
from torch import nn

from ftbench.base.errors import InputError

KINDS = (nn.ReLU, nn.LeakyReLU, nn.PReLU)


def make(activation: str, old: nn.ReLU) -> nn.Module:
    """The activation that replaces `old`; slopes are torch's defaults: 0.01 fixed, 0.25 trained, one per layer."""
    if activation == "prelu":
        return nn.PReLU()
    kind = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU}[activation]
    return kind(inplace=old.inplace)


def slope_names(network: nn.Module) -> list[str]:
    """The names that PReLU's slopes will have once `swap` has put them into `network`."""
    return [f"{name}.weight" for name, module in network.named_modules() if type(module) is nn.ReLU]


def swap(network: nn.Module, activation: str, model: str) -> list[str]:
    """Replace every nn.ReLU in `network`; returns the names of the parameters that came with it (PReLU's slopes).

    A module that a network calls at several places stays one module: its PReLU has one slope for all of them. A ReLU that
    a network computes without a module stays as it is and is not counted: torchvision's DenseNets have one, before their
    pooling. Raises InputError where there is no ReLU module.
    """
    found = {name: module for name, module in network.named_modules() if type(module) is nn.ReLU}
    if not found:
        raise InputError(
            f"config: activation is {activation!r}, but {model!r} has no ReLU module to replace; leave activation out there."
        )
    for name, old in found.items():
        parent, _, child = name.rpartition(".")
        setattr(network.get_submodule(parent), child, make(activation, old))
    return [f"{name}.{part}" for name in found for part, _ in network.get_submodule(name).named_parameters()]


@torch.inference_mode()
def activity(backbone, batches) -> list[dict]:
    """One dict per activation in the order of the forward pass: layer, units, dead (share of units), sparsity.

    `backbone` is an `ftbench.model.backbones.Backbone`, `batches` yields (B, H, W, 3) uint8. A module that is called twice in a pass is two layers: name, name#2.
    """
    positive: dict[str, torch.Tensor] = {}
    values: dict[str, int] = {}
    calls: dict[str, int] = {}

    def count(name: str):
        def before(_module, inputs):  # before the forward pass, which may overwrite its input
            calls[name] = calls.get(name, 0) + 1
            layer = name if calls[name] == 1 else f"{name}#{calls[name]}"
            x = inputs[0]
            above = (x > 0).sum(tuple(axis for axis in range(x.ndim) if axis != (1 if x.ndim != 3 else 2)))
            positive[layer] = positive.get(layer, 0) + above
            values[layer] = values.get(layer, 0) + x.numel()

        return before

    hooks = [
        module.register_forward_pre_hook(count(name))
        for name, module in backbone.network.named_modules()
        if isinstance(module, KINDS)
    ]
    backbone.network.eval()
    try:
        for images in batches:
            calls.clear()
            backbone.network(backbone.to_input(images))
    finally:
        for hook in hooks:
            hook.remove()
    return [
        {
            "layer": layer,
            "units": len(above),
            "dead": float((above == 0).float().mean()),
            "sparsity": 1 - float(above.sum()) / values[layer],
        }
        for layer, above in positive.items()
    ]
