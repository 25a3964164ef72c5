"""Networks as their libraries publish them, without a download: random values under the library's own names, with its own heads."""

import contextlib
import re
from unittest import mock

import small
import timm
import torch
import torchvision.models
from timm.models import _builder
from torchvision.models import WeightsEnum

from ftbench.model import architectures, backbones, heads
from ftbench.model.architectures import torchvision as our_torchvision
from ftbench.model.backbones import Backbone

STATISTICS = {"mean": [0.5] * 3, "std": [0.25] * 3}


def torchvision_file(model: str):
    """The state dict that a download of torchvision would hold: DenseNet's old names, auxiliary heads, the versions of modules."""
    torch.manual_seed(3)
    options = {"init_weights": True} if model in ("inception_v3", "googlenet") else {}
    weights = list(torchvision.models.get_model_weights(model))[0]
    if model.startswith("vit_"):
        options["image_size"] = weights.meta["min_size"][0]
    state = small.randomised(torchvision.models.get_model(model, weights=None, **options)).state_dict()
    if model.startswith("densenet"):
        for name in list(state):
            old = re.sub(r"(denselayer\d+\.(?:norm|relu|conv))([12]\.)", r"\1.\2", name)
            tensor = state.pop(name)
            if not name.endswith("num_batches_tracked"):
                state[old] = tensor
        del state._metadata  # they are of a time before modules had versions
    return state


def timm_file(model: str) -> dict:
    torch.manual_seed(3)
    return dict(small.randomised(timm.create_model(model)).state_dict())


@contextlib.contextmanager
def served(state):
    """While a library asks a hub for weights, it gets a copy of `state`."""

    def copied(*_, **__):
        copy = type(state)(state)
        if hasattr(state, "_metadata"):
            copy._metadata = state._metadata
        return copy

    places = [(WeightsEnum, "get_state_dict"), (our_torchvision, "load_state_dict_from_url")]
    places += [(_builder, name) for name in ("load_state_dict_from_hf", "load_state_dict_from_url")]
    with contextlib.ExitStack() as stack:
        for owner, name in places:
            stack.enter_context(mock.patch.object(owner, name, copied))
        yield


def of_the_library(source: str, model: str, state, classes: int, size: int, statistics: dict) -> Backbone:
    """The library's own network, loaded by the library's own call, with a head for `classes` classes."""
    with served(state):
        if source == "timm":
            config = timm.get_pretrained_cfg(model)
            sized = {"img_size": size} if config is not None and config.fixed_input_size else {}
            overlay = {"state_dict": dict(state), "custom_load": False}
            network = timm.create_model(
                model, pretrained=True, num_classes=classes, pretrained_cfg_overlay=overlay, **sized
            )
            found = heads.find_heads(network, classes, model)
        else:
            network = torchvision.models.get_model(model, weights="DEFAULT")
            if model.startswith("vit_"):
                adapted = torchvision.models.vision_transformer.interpolate_embeddings(
                    size, network.patch_size, network.state_dict()
                )
                network = torchvision.models.get_model(model, weights=None, image_size=size)
                network.load_state_dict(adapted)
            found = [] if model.startswith("squeezenet") else heads.find_heads(network, 1000, model)
    head = found[0] if found else "classifier.1"
    return Backbone(network.eval(), head, size, statistics["mean"], statistics["std"], tuple(found[1:]))


def of_the_product(source: str, model: str, tag: str, state, classes: int, size: int) -> Backbone:
    """The same weights through `published` and `load`, as fetching and training do."""
    with served(state):
        found = architectures.load(source).published(model, tag)
    entry = {"source": source, "model": model, "image_size": size, "activation": None, "mean": None, "std": None}
    options = found.get("options") or {}
    network = backbones.load(entry, classes, found["state"], model, options)
    names = heads.find_heads(network, classes, model)
    heads.give_biases(network, names)
    heads.zero(network, names)
    return Backbone(network.eval(), names[0], size, found["mean"], found["std"], tuple(names[1:]), options)


def from_a_file(source: str, model: str, state, classes: int, size: int) -> Backbone:
    """The same weights as a user's file of them."""
    state, options = architectures.load(source).convert(model, state)
    entry = {"source": source, "model": model, "image_size": size, "activation": None}
    network = backbones.load(entry, classes, state, model, options)
    names = heads.find_heads(network, classes, model)
    heads.give_biases(network, names)
    heads.zero(network, names)
    mean, std = STATISTICS.values()
    return Backbone(network.eval(), names[0], size, mean, std, tuple(names[1:]), options)
