"""Whether a network can run at a size: asked of it with one image, before anything is trained."""

import torch
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model import architectures
from ftbench.model.eval_mode import eval_mode


def check_size(network: nn.Module, entry: dict, smaller: int | None = None) -> None:
    """Raise InputError where `network` cannot take images of the entry's image_size, or would not see all of one.

    `smaller` asks for one of a strategy's image_sizes in its place: many networks with a table of positions have it for one size.

    A network that cuts images into patches drops what is left over at the right and the bottom, in silence: a vision transformer of
    16-pixel patches at 100 pixels never sees the last four.
    """
    size, model = smaller or entry["image_size"], entry["model"]
    key = f"size {size} of image_sizes" if smaller else f"image_size {size}"
    advice = "leave that size out, or train it at its own size alone (image_sizes null)" if smaller else _advice(entry)
    cut: list[tuple[int, int]] = []  # (pixels of the image in one patch, pixels of it that are left over)

    def watch(module, inputs):
        side, step = inputs[0].shape[-1], module.stride[0]
        scale = max(1, round(size / side))
        if side % step:
            cut.append((step * scale, (side % step) * scale))

    hooks = [module.register_forward_pre_hook(watch) for module in network.modules() if _cuts(module)]
    example = next(network.parameters())
    try:
        with eval_mode(network), torch.inference_mode():
            network(torch.zeros(1, 3, size, size, device=example.device, dtype=example.dtype))
    except Exception as error:  # each library and layer fails with errors of its own
        raise InputError(f"config: {model!r} cannot run at {key} ({_reason(error)}); {advice}.") from error
    finally:
        for hook in hooks:
            hook.remove()
    if cut:
        patch, left = max(cut)
        lower = size // patch * patch
        near = f"{lower} or {lower + patch}" if lower else str(patch)
        raise InputError(
            f"config: {model!r} cuts images into patches of {patch} pixels, which do not divide {key}: the last {left} rows "
            f"and columns would never be seen; take {near}."
        )


def _cuts(module: nn.Module) -> bool:
    """Whether a convolution's windows lie side by side, without a border: patches, or the merging of patches."""
    if not isinstance(module, nn.Conv2d):
        return False
    step = module.stride[0]
    return step > 1 and module.kernel_size == module.stride and module.padding in ((0, 0), "valid", 0)


def _advice(entry: dict) -> str:
    library = architectures.load(entry["source"])
    native = library.native_size(entry["model"])
    return f"its own size is {native} pixels" if native else "choose a larger one"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
