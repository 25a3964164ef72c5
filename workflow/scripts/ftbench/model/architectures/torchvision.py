"""torchvision's classification models and the weights that torchvision publishes for them."""

import torchvision.models
from torchvision.models.vision_transformer import interpolate_embeddings

from ftbench.model import architectures

DECLARES = {"publishes": True}


def names() -> list[str]:
    return torchvision.models.list_models(module=torchvision.models)


def build(model: str, classes: int, image_size: int):
    architectures.check_model("torchvision", model, names())
    options = {"weights": None, "num_classes": classes}
    if model.startswith("vit_"):
        options["image_size"] = image_size
    if model in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": True}
    return torchvision.models.get_model(model, **options)


def published(model: str, tag: str) -> dict:
    """The weights `tag` of `model`, from torch's cache or the hub, checked against the hash in their name."""
    architectures.check_model("torchvision", model, names())
    weights = torchvision.models.get_model_weights(model)
    architectures.check_tag("torchvision", model, tag, [entry.name for entry in weights])
    entry = weights[tag]
    transform = entry.transforms()
    return {
        "state": entry.get_state_dict(progress=False, check_hash=True),
        "mean": [float(value) for value in transform.mean],
        "std": [float(value) for value in transform.std],
        "origin": entry.url,
        "licence": entry.meta.get("license"),
    }


def adapt(model: str, state: dict, network, image_size: int) -> dict:
    """Interpolate a vision transformer's position embeddings from the size it was trained at to `image_size`."""
    if not model.startswith("vit_"):
        return state
    return dict(interpolate_embeddings(image_size, network.patch_size, state))
