"""The digest of tensors: two networks have an equal one if and only if every bit of them is equal."""

import numpy as np
import torch

from ftbench.base.digests import digest_of_parts


def digest_of_tensors(tensors: dict[str, torch.Tensor]) -> str:
    """Hex sha256 over names, shapes, types and bytes of tensors, in the order of their names."""
    return digest_of_parts(
        (f"{name} {tuple(tensor.shape)} {tensor.dtype}", _bytes(tensor)) for name, tensor in sorted(tensors.items())
    )


def _bytes(tensor: torch.Tensor) -> np.ndarray:
    """The tensor's values as bytes; numpy has no bfloat16."""
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
