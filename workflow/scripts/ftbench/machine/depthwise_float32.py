"""Depthwise convolutions in float32 while the rest of the network runs in bfloat16 or float16, on a CPU.

A depthwise kernel multiplies no matrices, so the matrix units that make bfloat16 fast have no use for it, and its backward
pass in bfloat16 is slower than in float32. Pointwise convolutions around it keep bfloat16. On CUDA nothing changes.
"""

import functools

import torch
from torch import nn


def keep_float32(network: nn.Module) -> int:
    """Let every depthwise convolution of `network` leave autocast; returns how many. State and names stay."""
    count = 0
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            module.forward = functools.partial(_float32, module.forward)
            count += 1
    return count


def _float32(forward, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return forward(x.float())
