"""Which parameters and modules of a network move, and the proof that the others did not."""

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ftbench.model.backbones import Backbone
from ftbench.model.tensors import digest_of_tensors


def freeze(backbone: Backbone, names: list[str]) -> None:
    """Let exactly the parameters `names` move."""
    moving = set(names)
    unknown = moving - {name for name, _ in backbone.network.named_parameters()}
    if unknown:
        raise ValueError(f"not parameters of this network: {sorted(unknown)}")
    for name, parameter in backbone.network.named_parameters():
        parameter.requires_grad_(name in moving)


def keep_statistics(network: nn.Module) -> int:
    """Let batch norms normalise by the running statistics that they have, also where their scale and shift move; returns how many.

    From then on `train_mode` leaves them in eval mode, and their statistics count as frozen.
    """
    norms = [m for m in network.modules() if isinstance(m, _NormBase) and m.running_mean is not None]
    for module in norms:
        module.keeps_statistics = True
    return len(norms)


def keeps_statistics(module: nn.Module) -> bool:
    return getattr(module, "keeps_statistics", False)


def train_mode(module: nn.Module, inherited: bool = True) -> None:
    """What `network.train()` should do where parts are frozen: call it before every epoch.

    A module goes to train mode where a parameter below it moves, and to eval mode where all are frozen, so that frozen
    statistics stay and frozen parts drop nothing. One without parameters (dropout, activation) follows its parent. A
    batch norm is decided by its own affine parameters alone: without any that move, or if it keeps its statistics, it is in
    eval mode.
    """
    parameters = list(module.parameters())
    training = any(parameter.requires_grad for parameter in parameters) if parameters else inherited
    if keeps_statistics(module) or isinstance(module, _NormBase) and not parameters:
        training = False
    module.training = training
    for child in module.children():
        train_mode(child, training)


def frozen_tensors(network: nn.Module) -> dict:
    """{name: tensor} of what must not change: frozen parameters, and the buffers of modules where nothing moves.

    A buffer that is no part of the network's state dict is a cache, such as ConViT's table of positions at a size.
    """
    frozen = {name: p.data for name, p in network.named_parameters() if not p.requires_grad}
    for prefix, module in network.named_modules():
        own = list(module.parameters(recurse=False))
        still = not any(p.requires_grad for p in own) if own else isinstance(module, _NormBase)
        if still or keeps_statistics(module):
            for name, buffer in module.named_buffers(recurse=False):
                if name not in module._non_persistent_buffers_set:
                    frozen[f"{prefix}.{name}" if prefix else name] = buffer
    return frozen


def frozen_digest(network: nn.Module) -> str:
    """The digest of all that must not change: equal before and after a training, or the training is wrong."""
    return digest_of_tensors(frozen_tensors(network))
