"""Training from scratch: the same architecture from random weights. What pretraining is worth is the distance to it."""

DECLARES = {"start": "random", "engine": "loop", "tuned": "learning_rate", "stochastic": True, "recipe": {}}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters()]
