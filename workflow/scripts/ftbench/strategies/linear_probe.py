"""Linear probe: the backbone is frozen, and a linear classifier is fitted on its features (see `ftbench.probe`)."""

DECLARES = {"start": "pretrained", "engine": "features", "tuned": "l2", "stochastic": False, "recipe": {}}


def trainable(backbone):
    return backbone.head_parameters()
