"""Layer-wise learning rates: everything moves, each stage slower than the one above it by the factor `layer_decay`.

The bottom of a pretrained network is general and needs little change. As in BEiT (Bao et al. 2021, arXiv:2106.08254) and
ConvNeXt's fine-tuning; layers are timm's own where the network has them, else the stages of `ftbench.model.stages`.
"""

from ftbench.model.stages import library_groups, stages

DECLARES = {
    "start": "pretrained",
    "engine": "loop",
    "tuned": "learning_rate",
    "stochastic": True,
    "recipe": {},
    "options": {"layer_decay": 0.75},
}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters()]


def scales(backbone, recipe):
    layers = _layers(backbone)
    depth = {name: number for number, layer in enumerate(reversed(layers), start=1) for name in layer}
    return {name: recipe["layer_decay"] ** steps for name, steps in depth.items()}


def _layers(backbone):
    """The backbone's parameter names by layer, from the images to the head, which is left out."""
    network, head = backbone.network, set(backbone.head_parameters())
    if not hasattr(network, "group_matcher"):
        return stages(network, backbone.heads)
    return library_groups(network, [name for name, _ in network.named_parameters() if name not in head], coarse=False)
