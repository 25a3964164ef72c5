"""timm's models and the weights that timm publishes for them."""

import timm
import torch
from timm.models import load_state_dict_from_hf

from ftbench.base.errors import InputError
from ftbench.model import architectures

DECLARES = {"publishes": True}


def names() -> list[str]:
    return timm.list_models()


def build(model: str, classes: int, image_size: int):
    architectures.check_model("timm", model, names())
    config = timm.get_pretrained_cfg(model)
    options = {"img_size": image_size} if config is not None and config.fixed_input_size else {}
    return timm.create_model(model, pretrained=False, num_classes=classes, **options)


def published(model: str, tag: str) -> dict:
    """The weights `tag` of `model`, from the cache or the hub that timm names for them."""
    architectures.check_model("timm", model, names())
    tags = [
        name.partition(".")[2]
        for name in timm.list_models(f"{model}.*", pretrained=True)
        if name.startswith(f"{model}.")
    ]
    architectures.check_tag("timm", model, tag, tags)
    config = timm.get_pretrained_cfg(f"{model}.{tag}")
    if config.hf_hub_id:
        state = load_state_dict_from_hf(config.hf_hub_id, weights_only=True)
        origin = f"hf-hub:{config.hf_hub_id}"
    elif config.url:
        state = torch.hub.load_state_dict_from_url(config.url, map_location="cpu", weights_only=True)
        origin = config.url
    else:
        raise InputError(f"timm names no address for the weights {model}.{tag}; use another tag.")
    return {
        "state": state,
        "mean": list(map(float, config.mean)),
        "std": list(map(float, config.std)),
        "origin": origin,
        "licence": config.license,
    }


def adapt(model: str, state: dict, network: torch.nn.Module, image_size: int) -> dict:
    """Resample position embeddings with the model family's own filter, where it has one."""
    module = __import__(type(network).__module__, fromlist=["checkpoint_filter_fn"])
    convert = getattr(module, "checkpoint_filter_fn", None)
    return convert(state, network) if convert and "pos_embed" in state else state
