"""A pretrained network with a new head: built, loaded, and asked for logits or features.

`build` gives the same thing for every library: a network whose last layer, the head, has one output per class. What comes before
the head is the backbone; the head's input is the feature vector. Some networks have several heads: see `ftbench.model.heads`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from ftbench.base.digests import refuse_damaged
from ftbench.data.images import Data, Images
from ftbench.machine import depthwise_float32, devices
from ftbench.machine.skip_padding import crop_kernels
from ftbench.model import activations, architectures, heads
from ftbench.model.eval_mode import eval_mode
from ftbench.model.fit import check_fit, check_size_of_tensors

BATCH = 256


@dataclass
class Backbone:
    """A network, the dotted name of its head (of the main one, where it has several), and the input that it expects."""

    network: nn.Module
    head: str
    image_size: int
    mean: list[float]  # per channel, as fractions of 255
    std: list[float]
    more_heads: tuple[str, ...] = ()
    options: dict = field(default_factory=dict)  # what its library's builder was told beside the model's name and size

    @property
    def heads(self) -> list[str]:
        return [self.head, *self.more_heads]

    @property
    def head_module(self) -> nn.Module:
        return self.network.get_submodule(self.head)

    @property
    def normalization(self) -> dict:
        """What a run's record says of the input, so that the same network can be built from it again."""
        return {"mean": self.mean, "std": self.std} | ({"options": self.options} if self.options else {})

    def head_parameters(self) -> list[str]:
        return [f"{head}.{part}" for head in self.heads for part in ("weight", "bias")]

    def take_head(self, fitted: dict[str, torch.Tensor]) -> None:
        """Take the head that was fitted on features: <head>.weight (C, D) and <head>.bias (C,), as a probe's file has them.

        The logits then are the weight times the features (D,) plus the bias, however many heads there are.
        """
        if set(fitted) != {f"{self.head}.weight", f"{self.head}.bias"}:
            raise RuntimeError(f"the probe holds {sorted(fitted)}, not the head {self.head}")
        weight, bias = (fitted[f"{self.head}.{part}"].to(self.head_module.weight.device) for part in ("weight", "bias"))
        blank = torch.zeros(1, self.image_size, self.image_size, 3, dtype=torch.uint8, device=weight.device)
        parameters = heads.as_parameters(self.network, self.heads, self.to_input(blank), weight, bias)
        self.network.load_state_dict(parameters, strict=False)

    def to_input(self, images: torch.Tensor, side: int | None = None) -> torch.Tensor:
        """(B, H, W, 3) uint8 -> (B, 3, S, S) float32, resized to S = `side`, by default the network's size, and normalized.

        The permuted view of NHWC data is a channels_last tensor already. Antialiasing matters where S < H only.
        """
        pixels = images.permute(0, 3, 1, 2).float()
        size = (side or self.image_size,) * 2
        if pixels.shape[-2:] != size:
            pixels = F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
        mean = torch.tensor(self.mean, device=pixels.device).view(3, 1, 1) * 255
        std = torch.tensor(self.std, device=pixels.device).view(3, 1, 1) * 255
        return (pixels - mean) / std

    def features_and_logits(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Feature vectors (B, D), the head's input, and logits (B, C), from one forward pass.

        Several heads that read different vectors give features of all their columns, one after the other.
        """
        with heads.captured(self.network, self.heads) as inputs:
            logits = self.network(self.to_input(images))
        parts = [vector for vector, _ in heads.vectors(inputs)]
        return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)), logits


def prepare(backbone: Backbone, run: dict, device: torch.device) -> None:
    """Move the network to `device` in the layout and with the kernels that the settings `run` ask for."""
    network = backbone.network.to(device)
    if run["channels_last"]:
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.ndim == 4:  # the layout is of images and their kernels; a volume's kernel (5) has another
                tensor.data = tensor.data.to(memory_format=torch.channels_last)
    if run["crop_kernels"]:
        crop_kernels(network)
    if run["precision"] in devices.LOW and device.type == "cpu":
        depthwise_float32.keep_float32(network)


def find_head(network: nn.Module, outputs: int, model: str) -> str:
    """The dotted name of the main head: the layer with `outputs` outputs that gives the logits."""
    return heads.find_heads(network, outputs, model)[0]


def build(entry: dict, classes: int, seed: int, weights: Path | None, statistics: dict | None) -> Backbone:
    """Build a backbone with a fresh head for `classes` classes.

    `entry` is the backbone's config (source, model, activation, image_size, mean, std); `weights` a safetensors file made by
    `fetch_weights`, or None for random weights; `statistics` has the "mean" and "std" to use where the entry gives none:
    those that the weights were trained with, or the data set's own for a network from random weights, and perhaps the "options"
    of the library's builder. The record of the weights also has their "sha256", which `weights` must have then. `seed` fixes the
    random initialisation where `weights` is None; on pretrained weights the head starts at zero.
    Raises InputError where `weights` is damaged, its tensors do not fit the architecture, or it cannot be built at this size.
    """
    torch.manual_seed(seed)
    options = dict((statistics or {}).get("options") or {})
    if weights is None:
        network = architectures.load(entry["source"]).build(entry["model"], classes, entry["image_size"], **options)
        found = _heads(network, classes, entry)
        if entry.get("activation"):
            activations.swap(network, entry["activation"], entry["model"])
    else:
        if "sha256" in statistics:
            refuse_damaged(weights, statistics["sha256"])
        network = load(entry, classes, load_file(weights), str(weights), options)
        found = _heads(network, classes, entry)
        # A random head's logits are noise that has to be unlearned first: from zero, EfficientNet-lite0 on the demo's digits
        # reached 95 % after three epochs, from the default initialisation 82 %. As in BiT (arXiv:1912.11370).
        heads.zero(network, found)
    mean, std = (entry[key] or statistics[key] for key in ("mean", "std"))
    return Backbone(network, found[0], entry["image_size"], list(mean), list(std), tuple(found[1:]), options)


def _heads(network: nn.Module, classes: int, entry: dict) -> list[str]:
    found = heads.find_heads(network, classes, entry["model"])
    heads.give_biases(network, found)
    return found


def load(entry: dict, classes: int, state: dict[str, torch.Tensor], what: str, options: dict) -> nn.Module:
    """The network of `entry` with the tensors `state`, loaded and adapted to its size by its own library; the head stays random.

    `what` names the weights in a message. Trained slopes of an activation that the entry asks for are loaded too; weights that have
    none leave them at their start. Raises InputError where the tensors do not fit.
    """
    slopes: dict[str, torch.Tensor] = {}

    def fit(given: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
        own = tuple(f"{head}." for head in heads.find_heads(network, classes, entry["model"]))
        if entry.get("activation") == "prelu":
            for name in activations.slope_names(network):
                if name in given:
                    slopes[name] = given.pop(name)
        given = {name: tensor for name, tensor in given.items() if not name.startswith(own)}
        check_size_of_tensors(given, network, own, entry, what)
        check_fit(given, network, skip=own, what=what)
        return given

    library = architectures.load(entry["source"])
    network = library.load(entry["model"], state, classes, entry["image_size"], fit, **options)
    if entry.get("activation"):
        activations.swap(network, entry["activation"], entry["model"])
    network.load_state_dict(slopes, strict=False)
    return network


@torch.no_grad()  # not inference_mode: what a network caches in this pass is used in training
def predict(backbone: Backbone, batches, autocast, features: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
    """Logits (N, C) float32 of all `batches` (an iterable of (B, H, W, 3) uint8 tensors) in eval mode, and features (N, D) if asked."""
    logits, vectors = [], []
    with eval_mode(backbone.network), autocast:
        for images in batches:
            if features:
                vector, output = backbone.features_and_logits(images)
                vectors.append(vector.float().cpu())
            else:
                output = backbone.network(backbone.to_input(images))
            logits.append(output.float().cpu())
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
