"""Libraries of architectures, one file each, with its facts in `DECLARES` (see `ftbench.study.kinds`).

names() -> list of model names
build(model, classes, image_size) -> network with random weights and a linear head of `classes` outputs
published(model, tag) -> {"state", "mean", "std", "origin", "licence"}: downloads the weights that the library publishes
adapt(model, state, network, image_size) -> state: fits weights trained at another input size, where that needs work
"""

import difflib
import importlib
from types import ModuleType

from ftbench.base.errors import InputError
from ftbench.study import kinds


def load(source: str) -> ModuleType:
    return importlib.import_module(kinds.module("architectures", source))


def check_model(source: str, model: str, names: list[str]) -> None:
    """Raise InputError, with the closest names, where the library has no such model."""
    if model not in names:
        close = difflib.get_close_matches(model, names, n=5, cutoff=0.4) or names[:5]
        raise InputError(
            f"config: the model {model!r} does not exist in {source}; close names: {', '.join(close)} ({len(names)} in all)."
        )


def check_tag(source: str, model: str, tag: str, tags: list[str]) -> None:
    if tag not in tags:
        raise InputError(
            f"config: the weights {tag!r} of {model!r} do not exist in {source}; valid: {', '.join(tags) or 'none at all'}, none."
        )
