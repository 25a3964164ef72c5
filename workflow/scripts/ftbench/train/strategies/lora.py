"""LoRA: every matrix and kernel W stays frozen and gets a trainable low-rank change, W + B A; the head moves too.

Hu et al. 2021 (arXiv:2106.09685). B starts at zero, so the first logits are the base network's. Here for linear layers,
attention and convolutions (a kernel counts as the matrix outputs × inputs·height·width); depthwise kernels are of low rank
already and stay frozen. The published scale alpha/rank is 1: the tuned learning rate takes its place. What is saved is
the plain network with B A added to W. A step costs about as much time as full fine-tuning's: it is the optimizer's state
and what has to be stored per task that are small.
"""

import math

import torch
from torch import nn
from torch.nn.utils import parametrize

DECLARES = {
    "start": "pretrained",
    "engine": "loop",
    "tuned": "learning_rate",
    "stochastic": True,
    "recipe": {},
    "options": {"rank": 8},
}


class LowRank(nn.Module):
    """W -> W + B A for W (O, ...) seen as a matrix (O, I)."""

    def __init__(self, weight: torch.Tensor, rank: int):
        super().__init__()
        outputs, inputs = weight.shape[0], weight[0].numel()
        self.down = nn.Parameter(torch.empty(rank, inputs, device=weight.device))
        self.up = nn.Parameter(torch.zeros(outputs, rank, device=weight.device))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + (self.up @ self.down).view(weight.shape)


def adapt(backbone, recipe):
    heads = [backbone.network.get_submodule(name) for name in backbone.heads]
    for module in list(backbone.network.modules()):
        for name in ("weight", "in_proj_weight"):
            weight = getattr(module, name, None)
            fits = isinstance(module, nn.Linear | nn.MultiheadAttention) or getattr(module, "groups", 0) == 1
            if (
                fits
                and module not in heads
                and isinstance(weight, nn.Parameter)
                and recipe["rank"] < _full_rank(weight)
            ):
                parametrize.register_parametrization(module, name, LowRank(weight, recipe["rank"]))


def trainable(backbone):
    added = [name for name, _ in backbone.network.named_parameters() if name.endswith((".0.down", ".0.up"))]
    return [*added, *backbone.head_parameters()]


def merge(backbone):
    for module in list(backbone.network.modules()):
        for name in list(getattr(module, "parametrizations", ())):
            parametrize.remove_parametrizations(module, name, leave_parametrized=True)


def _full_rank(weight):
    return min(weight.shape[0], weight[0].numel())
