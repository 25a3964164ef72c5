"""Where a network looked: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391), by captum, on whatever network a study trained.

A map of the network is asked how much each of its places raised the answer. The map is the last one that the answer depends on place by
place: the last stage of a convolutional network; in a transformer, what its last block reads. Captum wants channels before places, so a module that
gives tokens (B, N, C) or places first (B, H, W, C) is followed by one that turns its output, and by one that turns it back.
"""

import copy
import math

import numpy as np
import torch
from torch import nn

from ftbench.base.errors import InputError
from ftbench.export.complete import Complete
from ftbench.export.packages import need

MOST_PREFIX = 16  # tokens before those of places: of the class, registers


class AsMap(nn.Module):
    """Tokens (B, P + S·S, C) or places first (B, H, W, C) -> (B, C, H, W); the P tokens before the places are kept aside."""

    def __init__(self, prefix: int | None):
        super().__init__()
        self.prefix, self.before = prefix, None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.prefix is None:
            return x.permute(0, 3, 1, 2)
        self.before = x[:, : self.prefix]
        side = math.isqrt(x.shape[1] - self.prefix)
        return x[:, self.prefix :].transpose(1, 2).unflatten(2, (side, side))


class Back(nn.Module):
    """What AsMap did, undone."""

    def __init__(self, turned: AsMap):
        super().__init__()
        self.turned = [turned]  # no child of this module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.turned[0].prefix is None:
            return x.permute(0, 2, 3, 1)
        return torch.cat([self.turned[0].before, x.flatten(2).transpose(1, 2)], dim=1)


class GradCam:
    """`maps(pixels, classes)`: (N, h, w) float32 in [0, 1] of stored pixels (N, H, W, 3) and the classes that are asked about.

    Raises InputError if captum is missing, or if the network has no map that its answer depends on place by place.
    """

    def __init__(self, network: Complete):
        need("Where a network looked", "captum")
        from captum.attr import LayerGradCam

        self.network = copy.deepcopy(network).eval().requires_grad_(True)  # a gradient flows through what can move
        name, turned = _last_map(self.network)
        layer = self.network.get_submodule(name)
        if turned is not None:
            parent, _, own = name.rpartition(".")
            setattr(self.network.get_submodule(parent), own, nn.Sequential(layer, turned, Back(turned)))
            layer = turned
        self.layer, self.method = name, LayerGradCam(lambda images: self.network(images)[0], layer)

    def maps(self, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        found = self.method.attribute(torch.from_numpy(pixels), target=classes.tolist(), relu_attributions=True)
        found = found[:, 0].detach()
        return (found / found.amax((1, 2), keepdim=True).clamp_min(1e-12)).numpy()


def _last_map(network: Complete) -> tuple[str, AsMap | None]:
    """The name of the last module whose output is a map that the answer depends on at more than one place, and what turns it."""
    names = {module: name for name, module in network.named_modules()}
    made: list[tuple[str, AsMap | None, torch.Tensor]] = []

    def note(module, _inputs, output):
        if isinstance(output, torch.Tensor) and output.requires_grad and names[module]:
            is_map, turned = _layout(module, output)
            if is_map:
                made.append((names[module], turned, output))

    handles = [
        module.register_forward_hook(note) for module in network.network.modules() if module is not network.network
    ]
    try:
        pixels = torch.randint(
            0, 256, (1, *network.stored, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
        )
        best = network(pixels)[0].max()
    finally:
        for handle in handles:
            handle.remove()
    outputs = [output for *_, output in made]
    gradients = torch.autograd.grad(best, outputs, allow_unused=True) if outputs else ()
    for (name, turned, _), gradient in reversed(list(zip(made, gradients))):
        if gradient is not None:
            places = (gradient if turned is None else turned(gradient)).abs().sum(1)
            if (places > 0).sum() > 1:
                return name, turned
    raise InputError(f"{type(network.network).__name__} has no map that its answer depends on place by place, so Grad-CAM cannot say where it looked.")  # fmt: skip


def _layout(module: nn.Module, output: torch.Tensor) -> tuple[bool, AsMap | None]:
    """Whether an output is a map of a square image, and what turns it into (B, C, H, W)."""
    shape = output.shape
    if shape[0] != 1 or len(shape) not in (3, 4):
        return False, None
    if len(shape) == 3:
        side = math.isqrt(shape[1])
        prefix = shape[1] - side * side
        return isinstance(module, nn.LayerNorm) and side > 1 and prefix <= MOST_PREFIX, AsMap(prefix)
    if shape[2] == shape[3] > 1:
        return True, None
    return shape[1] == shape[2] > 1, AsMap(None)
