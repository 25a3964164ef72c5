"""LP-FT: fine-tune everything, starting from the fitted linear probe instead of a random head.

Kumar et al. 2022 (arXiv:2202.10054): a random head sends large gradients into the backbone and distorts its features;
a head that fits already does not. The logits before the first step are the probe's.
"""

DECLARES = {"start": "probe", "engine": "loop", "tuned": "learning_rate", "stochastic": True, "recipe": {}}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters()]
