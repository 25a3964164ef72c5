"""Libraries of architectures, one file each, with its facts in `DECLARES` (see `ftbench.study.kinds`).

names() -> list of model names
build(model, classes, image_size, **options) -> network with random weights and a head of `classes` outputs
tags(model) -> the names of the weights that the library publishes for a model
published(model, tag) -> {"state", "mean", "std", "origin", "licence", "options"}: the library's own network with the weights that it
    publishes, downloaded and loaded by itself; `options` are arguments that `build` needs for the same network (may be left out)
convert(model, state) -> (state, options): a user's file, with the names that such files had when they were published
load(model, state, classes, image_size, fit, **options) -> network with these weights, at this size; fit(state, network) -> state is
    called with what is about to be loaded, and raises InputError where it is of another architecture
native_size(model) -> the side, in pixels, that its weights were made for, or None
"""

import contextlib
import difflib
import importlib
from collections.abc import Callable
from types import ModuleType

from torch import nn

from ftbench.base.errors import InputError
from ftbench.machine.spared_compiler import spare_compiler
from ftbench.study import kinds


def load(source: str) -> ModuleType:
    spare_compiler()  # timm and torchvision would import it, and so would the first step of an optimizer
    return importlib.import_module(kinds.module("architectures", source))


def check_model(source: str, model: str, names: list[str]) -> None:
    """Raise InputError, with the closest names, where the library has no such model."""
    if model in names:
        return
    if model.startswith(("hf-hub:", "hf_hub:", "local-dir:")):
        raise InputError(
            f"config: the model {model!r} names a place, not an architecture; give the architecture as model, and its weights as a tag "
            "of the library or as file:<path>."
        )
    name, dot, tag = model.partition(".")
    if dot and name in names:
        raise InputError(
            f"config: the model {model!r} holds the tag of its weights; write model: {name} and weights: {tag}."
        )
    close = difflib.get_close_matches(model, names, n=5, cutoff=0.4) or names[:5]
    raise InputError(
        f"config: the model {model!r} does not exist in {source}; close names: {', '.join(close)} ({len(names)} in all)."
    )


def check_tag(source: str, model: str, tag: str, tags: list[str]) -> None:
    if tag not in tags:
        raise InputError(
            f"config: the weights {tag!r} of {model!r} do not exist in {source}; valid: {', '.join(tags) or 'none at all'}, none."
        )


@contextlib.contextmanager
def refusing_sizes(source: str, model: str, image_size: int):
    """Turn what a library raises while it builds or adapts a network at `image_size` into one sentence."""
    try:
        yield
    except InputError:
        raise
    except (AssertionError, ValueError, RuntimeError, TypeError, KeyError, ZeroDivisionError, IndexError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise InputError(
            f"config: {source} cannot build {model!r} at image_size {image_size} ({reason}); choose a size that its patches and windows "
            "divide, such as its own."
        ) from error


@contextlib.contextmanager
def loading(fit: Callable):
    """While a library loads weights by itself, what it has made of them goes through `fit` before it is copied.

    A library hands its adapted tensors to the network's load_state_dict, and forgives there what is missing where the number of
    classes differs; `fit` forgives the head alone.
    """
    original = nn.Module.load_state_dict

    def checked(network, state, strict=True, assign=False):
        return original(network, fit(dict(state), network), strict=False, assign=assign)

    nn.Module.load_state_dict = checked
    try:
        yield
    finally:
        nn.Module.load_state_dict = original
