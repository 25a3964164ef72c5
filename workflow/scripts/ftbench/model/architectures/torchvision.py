"""torchvision's classification models and the weights that torchvision publishes for them."""

import contextlib
import os

import torchvision.models
from torch import nn
from torch.hub import load_state_dict_from_url
from torchvision.models import MNASNet, WeightsEnum
from torchvision.models.vision_transformer import interpolate_embeddings

from ftbench.model import architectures
from ftbench.model.architectures._cache import cached_file

DECLARES = {"publishes": True}
ADDRESS, MIRROR = "https://download.pytorch.org", "FTBENCH_TORCH_ENDPOINT"
AUXILIARY = ("googlenet", "inception_v3")  # built without their auxiliary heads, which only training from scratch has


class PresentMNASNet(MNASNet):
    """MNASNet whose tensors are always taken as those of the network that is there.

    torchvision's own rebuilds the stem where a state does not say of which version it is, and no safetensors file says so.
    """

    _load_from_state_dict = nn.Module._load_from_state_dict


def names() -> list[str]:
    return torchvision.models.list_models(module=torchvision.models)


def build(model: str, classes: int, image_size: int, **options) -> nn.Module:
    architectures.check_model("torchvision", model, names())
    options |= {"weights": None, "num_classes": classes}
    if model.startswith("vit_"):
        options["image_size"] = image_size
    if model.startswith("maxvit"):
        options["input_size"] = (image_size, image_size)
    if model in AUXILIARY:
        options |= {"aux_logits": False, "init_weights": True}
    with architectures.refusing_sizes("torchvision", model, image_size):
        network = torchvision.models.get_model(model, **options)
    if isinstance(network, MNASNet):
        network.__class__ = PresentMNASNet
    if model.startswith("squeezenet"):
        _give_linear_head(network, classes)
    return network


def _state(network: nn.Module) -> dict:
    """The tensors of a network that torchvision loaded, without auxiliary heads, which `build` leaves out."""
    return {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(("AuxLogits.", "aux"))}


def _give_linear_head(network: nn.Module, classes: int) -> None:
    """SqueezeNet cuts its logits off at zero (a ReLU between the last convolution and the mean), so that a new head of zeros would
    never learn and a probe would be no part of it: here the mean comes first, and a linear layer after it.
    """
    dropout, convolution = network.classifier[0], network.classifier[1]
    width = convolution.in_channels
    network.classifier = nn.Sequential(dropout, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def tags(model: str) -> list[str]:
    return [entry.name for entry in torchvision.models.get_model_weights(model)]


def published(model: str, tag: str) -> dict:
    """torchvision's own network with the weights `tag` of `model`, from torch's cache or the hub, checked against the hash in
    their name.
    """
    architectures.check_model("torchvision", model, names())
    weights = torchvision.models.get_model_weights(model)
    architectures.check_tag("torchvision", model, tag, tags(model))
    entry = weights[tag]
    transform = entry.transforms()
    with _served(_from_mirror):
        network = torchvision.models.get_model(model, weights=entry, progress=False)
    return {
        "state": _state(network),
        "mean": [float(value) for value in transform.mean],
        "std": [float(value) for value in transform.std],
        "origin": entry.url,
        "file": cached_file(entry.url),
        "licence": entry.meta.get("license"),
        "options": _options_of(network),
    }


def _from_mirror(entry, *args, **kwargs) -> dict:
    """The download of `entry`, from the mirror that the environment names in the place of torch's own address."""
    url = entry.url.replace(ADDRESS, os.environ.get(MIRROR, ADDRESS).rstrip("/"), 1)
    return load_state_dict_from_url(url, *args, **kwargs)


@contextlib.contextmanager
def _served(get_state_dict):
    """While torchvision builds a network with weights, they come from `get_state_dict(entry, *args, **kwargs)`."""
    original = WeightsEnum.get_state_dict
    WeightsEnum.get_state_dict = get_state_dict
    try:
        yield
    finally:
        WeightsEnum.get_state_dict = original


def _options_of(network: nn.Module) -> dict:
    """What a network of this family needs beside its tensors: Inception and GoogLeNet normalize their input once more."""
    return {"transform_input": True} if getattr(network, "transform_input", False) else {}


def convert(model: str, state: dict) -> tuple[dict, dict]:
    """A file as torchvision publishes it (old names, auxiliary heads, an earlier version) loaded by torchvision itself; any other
    state as it is.
    """
    for weights in torchvision.models.get_model_weights(model):
        try:
            with _served(lambda entry, *args, **kwargs: state):
                network = torchvision.models.get_model(model, weights=weights)
        except (
            RuntimeError,
            ValueError,
            KeyError,
        ):  # another architecture, size or number of classes: `load` will say so
            continue
        return _state(network), _options_of(network)
    return state, {}


def load(model: str, state: dict, classes: int, image_size: int, fit, **options) -> nn.Module:
    network = build(model, classes, image_size, **options)
    state = adapt(model, state, network, image_size)
    if model.startswith("squeezenet"):  # its own head, in another place than ours
        state = {name: tensor for name, tensor in state.items() if not name.startswith("classifier.1.")}
    network.load_state_dict(fit(state, network), strict=False)
    return network


def adapt(model: str, state: dict, network: nn.Module, image_size: int) -> dict:
    """Interpolate a vision transformer's position embeddings from the size it was trained at to `image_size`."""
    if not model.startswith("vit_") or "encoder.pos_embedding" not in state:
        return state
    with architectures.refusing_sizes("torchvision", model, image_size):
        return dict(interpolate_embeddings(image_size, network.patch_size, dict(state)))


def native_size(model: str) -> int | None:
    """The side, in pixels, that torchvision's weights of `model` were made for; None where it publishes none."""
    sizes = [entry.transforms().crop_size[0] for entry in torchvision.models.get_model_weights(model)]
    return sizes[0] if sizes else None
