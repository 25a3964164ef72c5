"""Full fine-tuning: every parameter moves, from the pretrained weights and a head of zeros."""

DECLARES = {"start": "pretrained", "engine": "loop", "tuned": "learning_rate", "stochastic": True, "recipe": {}}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters()]
