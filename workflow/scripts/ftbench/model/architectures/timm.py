"""timm's models and the weights that timm publishes for them."""

import re
from pathlib import Path

import timm
import torch
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name
from timm.models import is_model

from ftbench.base.digests import sha256_of_file
from ftbench.base.errors import InputError
from ftbench.model import architectures
from ftbench.model.architectures._cache import cached_file

DECLARES = {"publishes": True}
SHA256 = re.compile(r"[0-9a-f]{64}")


def names() -> list[str]:
    return timm.list_models()


def _options(model: str, image_size: int) -> dict:
    config = timm.get_pretrained_cfg(model)
    return {"img_size": image_size} if config is not None and config.fixed_input_size else {}


def build(model: str, classes: int, image_size: int) -> torch.nn.Module:
    architectures.check_model("timm", model, names())
    with architectures.refusing_sizes("timm", model, image_size):
        return timm.create_model(model, pretrained=False, num_classes=classes, **_options(model, image_size))


def tags(model: str) -> list[str]:
    found = timm.list_models(f"{model}.*", pretrained=True)
    return [name.partition(".")[2] for name in found if name.startswith(f"{model}.")]


def published(model: str, tag: str) -> dict:
    """timm's own network with the weights `tag` of `model`, from the cache or the hub that timm names for them."""
    architectures.check_model("timm", model, names())
    architectures.check_tag("timm", model, tag, tags(model))
    config = timm.get_pretrained_cfg(f"{model}.{tag}")
    if not config.hf_hub_id and not config.url:
        raise InputError(f"timm names no address for the weights {model}.{tag}; use another tag.")
    network = timm.create_model(f"{model}.{tag}", pretrained=True)
    if config.hf_hub_id:
        _refuse_damaged_cache(config.hf_hub_id)
    return {
        "state": network.state_dict(),
        "mean": list(map(float, config.mean)),
        "std": list(map(float, config.std)),
        "origin": f"hf-hub:{config.hf_hub_id}" if config.hf_hub_id else config.url,
        "file": {} if config.hf_hub_id else cached_file(config.url),
        "licence": config.license,
    }


def _refuse_damaged_cache(repository: str) -> None:
    """Compare the cached files of a repository with the sha256 that the hub gave for them: their blobs are called by it.

    The hub's own client compares sizes alone. Raises RuntimeError where a file is another one than the hub announced.
    """
    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model") / "blobs"
    for blob in sorted(folder.glob("*")):
        if SHA256.fullmatch(blob.name) and sha256_of_file(blob) != blob.name:
            raise RuntimeError(f"invalid sha256 of {blob}: it is another file than the hub announced, delete it")


def convert(model: str, state: dict) -> tuple[dict, dict]:
    return state, {}  # `load` knows every name that timm does


def load(model: str, state: dict, classes: int, image_size: int, fit) -> torch.nn.Module:
    """timm builds the network and loads `state` by itself, with the filter of the model's family: old names, position
    embeddings, bias tables and coordinates for another size.
    """
    architectures.check_model("timm", model, names())
    # Never the number of classes asked for: the head goes, also where both have a thousand classes.
    overlay = {"state_dict": dict(state), "num_classes": -1, "label_offset": 0}
    with architectures.refusing_sizes("timm", model, image_size), architectures.loading(fit):
        network = timm.create_model(
            model,
            pretrained=True,
            num_classes=classes,
            pretrained_cfg_overlay=overlay,
            **_options(model, image_size),
        )
    network.pretrained_cfg.pop("state_dict", None)
    return network


def native_size(model: str) -> int | None:
    """The side, in pixels, that the default weights of `model` were made for; None where timm does not say."""
    config = timm.get_pretrained_cfg(model) if is_model(model) else None
    return config.input_size[-1] if config else None
