"""Linear probe: the backbone is frozen, and a linear classifier is fitted on its features (see `ftbench.probe`)."""

import torch

from ftbench import probe

DECLARES = {"start": "pretrained", "engine": "features", "tuned": "l2", "stochastic": False, "recipe": {}}


def trainable(backbone):
    return backbone.head_parameters()


def fit(features, labels, classes, value):
    weight, bias = probe.fit_head(features, labels, classes, value)
    return {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}


def logits(features, fitted):
    return probe.head_logits(features, fitted["weight"].numpy(), fitted["bias"].numpy())
