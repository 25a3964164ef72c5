"""From a recipe to an optimizer and a learning rate for every step."""

import math

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Two groups of what moves: matrices and kernels decay; biases and norm parameters (one dimension) do not.

    Position embeddings and class tokens have more dimensions and decay, as in the ViT papers' own code.
    """
    moving = [parameter for parameter in network.parameters() if parameter.requires_grad]
    decay = [parameter for parameter in moving if parameter.ndim > 1]
    rest = [parameter for parameter in moving if parameter.ndim <= 1]
    print(f"{len(decay)} tensors with weight decay {weight_decay}, {len(rest)} biases and norm parameters without")
    groups = [{"params": decay, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def make_optimizer(network: nn.Module, recipe: dict) -> torch.optim.Optimizer:
    groups = parameter_groups(network, recipe["weight_decay"])
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


def learning_rate(recipe: dict, step: int, steps: int) -> float:
    """The learning rate of `step` (0-based) of `steps`: linear warm-up, then cosine to zero or constant.

    The warm-up is `warmup_steps`, but at most a tenth of the run, so that short runs still train at full rate.
    """
    warmup = min(recipe["warmup_steps"], steps // 10)
    if step < warmup:
        return recipe["learning_rate"] * (step + 1) / (warmup + 1)
    if recipe["schedule"] == "constant":
        return recipe["learning_rate"]
    progress = (step - warmup) / max(1, steps - warmup)
    return recipe["learning_rate"] * 0.5 * (1 + math.cos(math.pi * progress))
