"""The head of a network: the layers that give the logits, however many there are, and what they read.

Most networks end in one linear layer. Some end in a 1×1 convolution over pooled features; some in several layers, whose outputs the
network averages (DeiT's two, CrossViT's one per branch, EfficientViM's weighted four), or in a second one that adds the largest score of all
patches (VOLO). All of them are replaced by new ones with one output per class.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model.eval_mode import eval_mode


def find_heads(network: nn.Module, outputs: int, model: str) -> list[str]:
    """The dotted names of the layers with `outputs` outputs that give the logits, the main one first.

    The library's own word counts (timm: `pretrained_cfg["classifier"]`), else the last layer with that many outputs. Raises
    InputError where there is none.
    """
    named = (getattr(network, "pretrained_cfg", None) or {}).get("classifier") or ()
    named = (named,) if isinstance(named, str) else tuple(named)
    modules = dict(network.named_modules())
    found = [name for name in named if name in modules and _gives(modules[name], outputs)]
    if not found:
        found = [name for name, module in modules.items() if _gives(module, outputs)][-1:]
    if not found:
        raise InputError(
            f"config: the model {model!r} does not end in a linear layer or a 1×1 convolution, so its head cannot be replaced; choose another."
        )
    return found


def _gives(module: nn.Module, outputs: int) -> bool:
    if isinstance(module, nn.Linear):
        return module.out_features == outputs
    return isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.out_channels == outputs


def give_biases(network: nn.Module, heads: list[str]) -> None:
    """Replace every head without a bias by one with a bias: a probe's solution has one, and it costs nothing."""
    for name in heads:
        old = network.get_submodule(name)
        if old.bias is None:
            if isinstance(old, nn.Linear):
                new = nn.Linear(old.in_features, old.out_features)
            else:
                new = nn.Conv2d(old.in_channels, old.out_channels, 1)
            network.set_submodule(name, new.to(old.weight.device))


def zero(network: nn.Module, heads: list[str]) -> None:
    for name in heads:
        nn.init.zeros_(network.get_submodule(name).weight)
        nn.init.zeros_(network.get_submodule(name).bias)


@contextmanager
def captured(network: nn.Module, heads: list[str]) -> Iterator[dict[str, torch.Tensor]]:
    """{head: its input} of the last forward pass inside of the block."""
    inputs: dict[str, torch.Tensor] = {}
    hooks = []
    for name in heads:

        def keep(_module, given, name=name):
            inputs[name] = given[0]

        hooks.append(network.get_submodule(name).register_forward_pre_hook(keep))
    try:
        yield inputs
    finally:
        for hook in hooks:
            hook.remove()


def vectors(inputs: dict[str, torch.Tensor]) -> list[tuple[torch.Tensor, list[str]]]:
    """What heads read, each different vector (B, D) once, with the names of the heads that read it.

    A head that reads all patches (B, N, D) at once has no feature vector: its logits are no linear function of one.
    """
    found: list[tuple[torch.Tensor, list[str]]] = []
    for name, tensor in inputs.items():
        flat = tensor.flatten(1)
        if tensor.ndim not in (2, 4) or tensor.shape[1] != flat.shape[1]:
            continue
        for known, names in found:
            if known.data_ptr() == flat.data_ptr() and known.shape == flat.shape:
                names.append(name)
                break
        else:
            found.append((flat, [name]))
    return found


@torch.no_grad()  # not inference_mode: what a network caches in this pass is used in training
def as_parameters(
    network: nn.Module, heads: list[str], images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The heads' parameters at which the logits of `network` are `weight` (C, D) times the features plus `bias` (C,).

    `images` is an input of the network, of any content. With several heads, whose outputs are averaged, each gets its part of
    the columns, divided by its share in the logits; one that has no feature vector gets zeros.
    """
    if len(heads) == 1:
        return _shaped(network, heads[0], weight, bias)
    with eval_mode(network):
        with captured(network, heads) as inputs:
            network(images)
        parts, shares = vectors(inputs), _shares(network, heads, images)
    readers = [name for _, names in parts for name in names]
    everything = sum(shares[name] for name in readers)
    columns = weight.split([vector.shape[1] for vector, _ in parts], dim=1)
    result = {}
    for name in set(heads) - set(readers):
        layer = network.get_submodule(name)
        result |= {f"{name}.weight": torch.zeros_like(layer.weight), f"{name}.bias": torch.zeros_like(layer.bias)}
    for part, (_, names) in zip(columns, parts):
        share = sum(shares[name] for name in names)
        for name in names:
            result |= _shaped(network, name, part / share, bias / everything)
    return result


def _shaped(network: nn.Module, name: str, weight: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
    layer = network.get_submodule(name)
    return {f"{name}.weight": weight.reshape(layer.weight.shape), f"{name}.bias": bias}


def _shares(network: nn.Module, heads: list[str], images: torch.Tensor) -> dict[str, float]:
    """How much the logits grow for each unit that one head's outputs grow: a half for each of two that are averaged."""
    layers = {name: network.get_submodule(name) for name in heads}
    kept = {name: (layer.weight.clone(), layer.bias.clone()) for name, layer in layers.items()}
    shares = {}
    for layer in layers.values():
        layer.weight.zero_(), layer.bias.zero_()
    for name, layer in layers.items():
        layer.bias.fill_(1.0)
        shares[name] = float(network(images).float().mean())
        layer.bias.zero_()
    for name, (weight, bias) in kept.items():
        layers[name].weight.copy_(weight), layers[name].bias.copy_(bias)
    return shares
