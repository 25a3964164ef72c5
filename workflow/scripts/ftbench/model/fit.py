"""Whether tensors are those of a network: names, shapes, and numbers that are numbers."""

import torch
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model import architectures

SHOWN = 3  # names in a message about tensors that do not fit
LEARNED = (
    "weight",
    "bias",
    "running_mean",
    "running_var",
)  # the last part of the names of what is never a whole number


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
    """Raise InputError where `state` fits the network at the library's own size and not at the entry's: the library cannot resize it."""
    library, size = architectures.load(entry["source"]), entry["image_size"]
    native = library.native_size(entry["model"])
    wrong = _other_shapes(state, network, skip)
    if not wrong or native in (None, size):
        return
    own = library.build(entry["model"], 2, native)
    if not [name for name in _other_shapes(state, own, ()) if name in wrong]:
        raise InputError(
            f"config: the weights {what} of {entry['model']!r} are made for {native} pixels, and {entry['source']} does not adapt "
            f"{wrong[0]} to image_size {size}; take image_size {native} there."
        )


def _other_shapes(state: dict[str, torch.Tensor], network: nn.Module, skip: tuple[str, ...]) -> list[str]:
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    return [
        name for name in state if not name.startswith(skip) and name in shapes and state[name].shape != shapes[name]
    ]


def check_finite(state: dict[str, torch.Tensor], what: str) -> None:
    """Raise InputError where a tensor holds NaN or infinite values: a network of them predicts nothing.

    So too where one is complex, or whole numbers stand for a layer's weights: loading would drop a part of them in silence, or
    take numbers whose scale is kept elsewhere for the weights themselves.
    """
    for name, tensor in state.items():
        whole = not tensor.is_floating_point() and name.rpartition(".")[2] in LEARNED
        if tensor.is_complex() or whole:
            raise InputError(
                f"The weights in {what} hold {name} as {str(tensor.dtype).removeprefix('torch.')}; a network's weights are floating-point "
                "numbers: save them before they are quantized, as float32, float16 or bfloat16."
            )
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            bad = int((~torch.isfinite(tensor)).sum())
            raise InputError(
                f"The weights in {what} hold {bad} values in {name} that are not finite (NaN or infinite), so that no image could be "
                "predicted; save them again from a run that did not diverge."
            )
