"""Whether tensors are those of a network: names, shapes, and numbers that are numbers."""

import torch
from torch import nn

from ftbench.base.errors import InputError

SHOWN = 3  # names in a message about tensors that do not fit


def check_fit(state: dict[str, torch.Tensor], network: nn.Module, skip: str | tuple[str, ...], what: str) -> None:
    """Raise InputError, with the first names that differ, unless `state` has exactly the network's tensors.

    `skip` is the prefix of the head's tensors (or several), which are replaced anyway; BatchNorm's step counters do not count.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if not name.startswith(skip)}
    found = {name: tuple(tensor.shape) for name, tensor in state.items() if not name.startswith(skip)}
    missing, unknown = (
        [name for name in one if name not in other and not name.endswith("num_batches_tracked")]
        for one, other in ((expected, found), (found, expected))
    )
    other = [
        f"{name} {found[name]} instead of {expected[name]}"
        for name in found
        if name in expected and found[name] != expected[name]
    ]
    parts = [
        f"{len(names)} {label} ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})"
        for names, label in ((missing, "missing"), (unknown, "unknown"), (other, "of another shape"))
        if names
    ]
    if parts:
        raise InputError(f"The weights in {what} are of another architecture: tensors {'; '.join(parts)}.")


def check_finite(state: dict[str, torch.Tensor], what: str) -> None:
    """Raise InputError where a tensor holds NaN or infinite values: a network of them predicts nothing."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            bad = int((~torch.isfinite(tensor)).sum())
            raise InputError(
                f"The weights in {what} hold {bad} values in {name} that are not finite (NaN or infinite), so that no image could be "
                "predicted; save them again from a run that did not diverge."
            )
