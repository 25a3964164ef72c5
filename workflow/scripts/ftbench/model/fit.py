"""Whether tensors are those of a network: names, shapes, and numbers that are numbers."""

import re

import torch
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model import architectures

# Tensors with a place for each patch, or for each distance between two, and so of a network at one size.
POSITIONS = re.compile(
    r"pos|bias_table|attention_bias|rel_|_rel|coords|relative|spatial|token_mix|freqs|grid|proj_token|mlp_tokens"
)
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


def check_size_of_tensors(
    state: dict[str, torch.Tensor], network: nn.Module, skip: tuple[str, ...], entry: dict, what: str
) -> None:
    """Raise InputError where only tensors of positions differ in shape: they belong to another size, and the library cannot resize them."""
    expected = {name: tensor.shape for name, tensor in network.state_dict().items() if not name.startswith(skip)}
    if {name for name in expected if not name.endswith("num_batches_tracked")} - set(state):
        return
    other = [name for name, shape in expected.items() if name in state and state[name].shape != shape]
    if other and all(POSITIONS.search(name) for name in other):
        native = architectures.load(entry["source"]).native_size(entry["model"])
        advice = f"; its own size is {native} pixels" if native else ""
        raise InputError(
            f"config: the weights {what} of {entry['model']!r} belong to another size than image_size {entry['image_size']}, and "
            f"{entry['source']} does not resize {other[0]}{advice}."
        )


def check_finite(state: dict[str, torch.Tensor], what: str) -> None:
    """Raise InputError where a tensor holds NaN or infinite values: a network of them predicts nothing."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            bad = int((~torch.isfinite(tensor)).sum())
            raise InputError(
                f"The weights in {what} hold {bad} values in {name} that are not finite (NaN or infinite), so that no image could be "
                "predicted; save them again from a run that did not diverge."
            )
