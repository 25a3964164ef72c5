"""What a parameter is, by its shape and by the module that owns it: a matrix that decays, or a norm, a bias, a scale, a table.

Libraries know it best where they say so (timm: `no_weight_decay`); for the rest, a matrix is what has two dimensions that are more than one
wide and is a layer's weight.
"""

from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
# How a layer's weights end: also attention's in_proj_weight, a recurrent layer's weight_ih_l0, and the parts of a low-rank change.
MATRICES = ("*weight", "weight_*", "original*", "down", "up")


def is_norm(module: nn.Module) -> bool:
    """Whether a module normalizes, or scales and shifts in a norm's place: of torch, or by what its class is called.

    Libraries write norms of their own (RmsNorm, EvoNorm2dB0, GlobalResponseNorm, ResMLP's Affine).
    """
    if isinstance(module, NORMS):
        return True
    return any("norm" in kind.__name__.lower() or kind.__name__ == "Affine" for kind in type(module).__mro__[:-1])


def norm_parameters(network: nn.Module) -> set[str]:
    """Names of every norm's own parameters, its scale and shift; a module that holds layers beside a norm is none."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if is_norm(module)
        for name, parameter in module.named_parameters(recurse=False)
        if not _is_matrix(parameter)
    }


def decaying(network: nn.Module) -> set[str]:
    """Names of the parameters that weight decay is meant for: kernels and matrices of layers.

    Biases, norms, layer scales, logit scales and temperatures have one dimension that counts; class tokens, position embeddings and bias
    tables have more, but are no weights of a layer. None of them decays, nor what the library itself says shall not.
    """
    spared = list(network.no_weight_decay()) if hasattr(network, "no_weight_decay") else []
    return {
        name
        for name, parameter in network.named_parameters()
        if _is_matrix(parameter)
        and any(fnmatchcase(name.rpartition(".")[2], pattern) for pattern in MATRICES)
        and not any(fnmatchcase(name, pattern) for pattern in spared)
    }


def _is_matrix(parameter: nn.Parameter) -> bool:
    return sum(side > 1 for side in parameter.shape) > 1
