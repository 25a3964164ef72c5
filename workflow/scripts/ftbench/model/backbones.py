"""A pretrained network with a new head: built, loaded, and asked for logits or features.

`build` gives the same thing for every library: a network whose last linear layer, the head, has one output per class.
What comes before the head is the backbone; the head's input is the feature vector.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from ftbench.base.digests import refuse_damaged
from ftbench.base.errors import InputError
from ftbench.data.images import Data, Images
from ftbench.machine import depthwise_float32, devices
from ftbench.machine.skip_padding import crop_kernels
from ftbench.model import activations, architectures

BATCH = 256

SHOWN = 3  # names in a message about tensors that do not fit


@dataclass
class Backbone:
    """A network, the dotted name of its head, and the input that it expects."""

    network: nn.Module
    head: str
    image_size: int
    mean: list[float]  # per channel, as fractions of 255
    std: list[float]

    @property
    def head_module(self) -> nn.Linear:
        return self.network.get_submodule(self.head)

    def head_parameters(self) -> list[str]:
        return [f"{self.head}.weight", f"{self.head}.bias"]

    def to_input(self, images: torch.Tensor) -> torch.Tensor:
        """(B, H, W, 3) uint8 -> (B, 3, S, S) float32, resized to the network's size and normalized.

        The permuted view of NHWC data is a channels_last tensor already. Antialiasing matters where S < H only.
        """
        pixels = images.permute(0, 3, 1, 2).float()
        size = (self.image_size, self.image_size)
        if pixels.shape[-2:] != size:
            pixels = F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
        mean = torch.tensor(self.mean, device=pixels.device).view(3, 1, 1) * 255
        std = torch.tensor(self.std, device=pixels.device).view(3, 1, 1) * 255
        return (pixels - mean) / std

    def features_and_logits(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Feature vectors (B, D), the head's input, and logits (B, C), from one forward pass."""
        captured = []
        hook = self.head_module.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0]))
        try:
            logits = self.network(self.to_input(images))
        finally:
            hook.remove()
        return captured[0], logits


def prepare(backbone: Backbone, run: dict, device: torch.device) -> None:
    """Move the network to `device` in the layout and with the kernels that the settings `run` ask for."""
    layout = torch.channels_last if run["channels_last"] else torch.contiguous_format
    backbone.network.to(device, memory_format=layout)
    if run["crop_kernels"]:
        crop_kernels(backbone.network)
    if run["precision"] == "bfloat16" and device.type == "cpu":
        depthwise_float32.keep_float32(backbone.network)


def find_head(network: nn.Module, outputs: int, model: str) -> str:
    """The dotted name of the last linear layer with `outputs` outputs. Raises InputError where there is none."""
    found = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == outputs
    ]
    if not found or network.get_submodule(found[-1]).bias is None:
        raise InputError(
            f"config: the model {model!r} does not end in a linear layer with a bias, so its head cannot be replaced; choose another."
        )
    return found[-1]


def build(entry: dict, classes: int, seed: int, weights: Path | None, statistics: dict | None) -> Backbone:
    """Build a backbone with a fresh head for `classes` classes.

    `entry` is the backbone's config (source, model, activation, image_size, mean, std); `weights` a safetensors file made by
    `fetch_weights`, or None for random weights; `statistics` has the "mean" and "std" to use where the entry gives none:
    those that the weights were trained with, or the data set's own for a network from random weights. The record of the weights
    also has their "sha256", which `weights` must have then. `seed` fixes the random
    initialisation where `weights` is None; on pretrained weights the head starts at zero.
    Raises InputError where `weights` is damaged or its tensors do not fit the architecture.
    """
    torch.manual_seed(seed)
    library = architectures.load(entry["source"])
    network = library.build(entry["model"], classes, entry["image_size"])
    head = find_head(network, classes, entry["model"])
    slopes = activations.swap(network, entry["activation"], entry["model"]) if entry.get("activation") else []
    if weights is not None:
        if "sha256" in statistics:
            refuse_damaged(weights, statistics["sha256"])
        state = load_file(weights)
        state = {name: tensor for name, tensor in state.items() if not name.startswith(f"{head}.")}
        state = library.adapt(entry["model"], state, network, entry["image_size"])
        state = {name: network.get_parameter(name).detach() for name in slopes} | state  # the weights may know none yet
        check_fit(state, network, skip=f"{head}.", what=str(weights))
        network.load_state_dict(state, strict=False)
        # A random head's logits are noise that has to be unlearned first: from zero, EfficientNet-lite0 on the demo's digits
        # reached 95 % after three epochs, from the default initialisation 82 %. As in BiT (arXiv:1912.11370).
        nn.init.zeros_(network.get_submodule(head).weight)
        nn.init.zeros_(network.get_submodule(head).bias)
    mean, std = (entry[key] or statistics[key] for key in ("mean", "std"))
    return Backbone(network, head, entry["image_size"], list(mean), list(std))


def check_fit(state: dict[str, torch.Tensor], network: nn.Module, skip: str, what: str) -> None:
    """Raise InputError, with the first names that differ, unless `state` has exactly the network's tensors.

    `skip` is the prefix of the head's tensors, which are replaced anyway; BatchNorm's step counters do not count.
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


@torch.inference_mode()
def predict(backbone: Backbone, batches, autocast, features: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
    """Logits (N, C) float32 of all `batches` (an iterable of (B, H, W, 3) uint8 tensors) in eval mode, and features (N, D) if asked."""
    was_training = [module for module in backbone.network.modules() if module.training]
    backbone.network.eval()
    logits, vectors = [], []
    with autocast:
        for images in batches:
            if features:
                vector, output = backbone.features_and_logits(images)
                vectors.append(vector.float().cpu())
            else:
                output = backbone.network(backbone.to_input(images))
            logits.append(output.float().cpu())
    for module in was_training:
        module.training = True
    return torch.cat(logits).numpy(), torch.cat(vectors).numpy() if features else None


def validation_logits(
    backbone: Backbone, data: Data, run: dict, device: torch.device, look: Callable = lambda: None
) -> np.ndarray:
    """Logits (N, C) float32 of the validation part, in eval mode, without augmentation. `look` is called before each batch."""
    return part_logits(backbone, data.images, data.validation, run, device, look)


def part_logits(
    backbone: Backbone,
    images: Images,
    rows: np.ndarray,
    run: dict,
    device: torch.device,
    look: Callable = lambda: None,
) -> np.ndarray:
    def batches():
        for first in range(0, len(rows), BATCH):
            look()
            yield images.batch(rows[first : first + BATCH])

    return predict(backbone, batches(), devices.autocast(device, run["precision"]))[0]
