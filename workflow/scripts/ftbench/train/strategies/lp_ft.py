"""LP-FT: fine-tune everything, starting from the fitted linear probe instead of an untrained head.

Kumar et al. 2022 (arXiv:2202.10054): while an untrained head learns, its gradients distort the backbone's features; a
head that fits already moves them less. The logits before the first step are the probe's. That start is worth little
where batch norms train on images far from the pretraining's: their new statistics move the features from under the head;
`norm_statistics: frozen` leaves them as they are.
"""

DECLARES = {"start": "probe", "engine": "loop", "tuned": "learning_rate", "stochastic": True, "recipe": {}}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters()]
