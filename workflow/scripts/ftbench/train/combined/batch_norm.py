"""Statistics of batch norms for a network whose weights are a weighted sum of several networks' weights.

A sum of running statistics describes the activations of no network. So those of every norm layer whose statistics differ among the
networks can be measured anew on the training images, without augmentation, as Izmailov et al. 2018 (arXiv:1803.05407, section 3.2) do for
averaged weights. A head that was fitted on other statistics may not fit these: `ftbench.train.combined.mix` tries both.
"""

import numpy as np
import torch
from torch.nn.modules.batchnorm import _NormBase

from ftbench.data.images import Data
from ftbench.machine import devices
from ftbench.model.backbones import BATCH, Backbone


def differing(backbone: Backbone, states: list[dict[str, torch.Tensor]]) -> list[torch.nn.Module]:
    """The norm layers whose running statistics are not the same in all `states`."""
    return [
        module
        for name, module in backbone.network.named_modules()
        if isinstance(module, _NormBase)
        and module.running_mean is not None
        and not all(
            torch.equal(states[0][f"{name}.{part}"], state[f"{name}.{part}"])
            for part in ("running_mean", "running_var")
            for state in states[1:]
        )
    ]


@torch.no_grad()
def measure(backbone: Backbone, layers: list[torch.nn.Module], data: Data, run: dict) -> int:
    """Set the statistics of `layers` to the mean over batches of the training images; returns how many images passed.

    The images come in one random order, the same for every network: in the order of their classes a batch would vary too little.
    """
    if not layers:
        return 0
    rows = np.random.default_rng(0).permutation(data.train)
    backbone.network.eval()
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
        layer.train()
    with devices.autocast(data.images.device, run["precision"]):
        for part in np.array_split(rows, -(-len(rows) // BATCH)):
            backbone.network(backbone.to_input(data.images.batch(part)))
    for layer, momentum in zip(layers, kept):
        layer.momentum = momentum
        layer.eval()
    return len(rows)
