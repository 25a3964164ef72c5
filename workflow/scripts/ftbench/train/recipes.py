"""From a recipe to an optimizer, a number of steps, and a learning rate for every one of them."""

import math

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ftbench.model.parameters import decaying


def parameter_groups(network: nn.Module, weight_decay: float, scales: dict[str, float] | None = None) -> list[dict]:
    """Groups of what moves: matrices and kernels decay; biases, norms, scales, tokens and tables do not.

    See `ftbench.model.parameters.decaying`. `scales` gives factors of the learning rate by parameter name; each factor has
    groups of its own, with the key "scale".
    """
    groups: dict[tuple, dict] = {}
    matrices = decaying(network)
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            scale, decay = (scales or {}).get(name, 1.0), weight_decay if name in matrices else 0.0
            # Without decay the two kinds are still told apart, so that a resumed state fits whatever the values are.
            group = groups.setdefault((scale, name in matrices), {"params": [], "weight_decay": decay, "scale": scale})
            group["params"].append(parameter)
    for (scale, decays), group in groups.items():
        what = f"weight decay {weight_decay}" if decays else "no weight decay (biases, norms, scales, tables)"
        factor = "" if scale == 1 else f", learning rate × {scale:.3g}"
        print(f"{len(group['params'])} tensors with {what}{factor}")
    return list(groups.values())


def make_optimizer(network: nn.Module, recipe: dict, scales: dict[str, float] | None = None) -> torch.optim.Optimizer:
    groups = parameter_groups(network, recipe["weight_decay"], scales)
    if recipe["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, lr=recipe["learning_rate"], fused=True)
    nesterov = recipe["nesterov"] and recipe["momentum"] > 0
    return torch.optim.SGD(
        groups, lr=recipe["learning_rate"], momentum=recipe["momentum"], nesterov=nesterov, fused=True
    )


def set_norm_momentum(network: nn.Module, momentum: float) -> None:
    """Give every batch norm this momentum: the libraries' own differ by a factor of ten, which is nobody's choice.

    At TensorFlow's 0.01, half of a pretrained network's running statistics are still ImageNet's after 69 steps, and a
    short fine-tuning is scored with statistics that fit neither data set.
    """
    for module in network.modules():
        if isinstance(module, _NormBase):
            module.momentum = momentum


def steps_of(recipe: dict, images: int) -> tuple[int, int, int]:
    """(images per step, steps of an epoch, steps of the run) on `images` training images.

    An epoch's remainder waits for another epoch's order. `examples`, where given, is the number of images that the whole
    run sees, whatever the size of the data set, and takes the place of `epochs`; the last epoch may then be a part of one.
    """
    batch = min(recipe["batch_size"], images)
    epoch = images // batch
    if recipe["examples"] is None:
        return batch, epoch, recipe["epochs"] * epoch
    return batch, epoch, max(1, round(recipe["examples"] / batch))


def learning_rate(recipe: dict, step: int, steps: int) -> float:
    """The learning rate of `step` (0-based) of `steps`: linear warm-up, then cosine to zero, linear to zero or constant.

    The warm-up is `warmup_steps`, but at most a tenth of the run, so that short runs still train at full rate.
    """
    warmup = min(recipe["warmup_steps"], steps // 10)
    if step < warmup:
        return recipe["learning_rate"] * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    shape = {"constant": 1.0, "linear": 1 - progress, "cosine": 0.5 * (1 + math.cos(math.pi * progress))}
    return recipe["learning_rate"] * shape[recipe["schedule"]]
