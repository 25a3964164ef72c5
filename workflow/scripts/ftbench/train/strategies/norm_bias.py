"""The head, every bias and every norm's scale and shift move: BitFit with the norms.

Zaken et al. 2022 (arXiv:2106.10199) for biases, Frankle et al. 2021 (arXiv:2003.00152) for batch norm. A batch norm
that moves is in train mode, so its running statistics adapt too.
"""

from ftbench.model.parameters import norm_parameters

DECLARES = {
    "start": "pretrained",
    "engine": "loop",
    "tuned": "learning_rate",
    "stochastic": True,
    "recipe": {},
    "training_passes": 2,
}


def trainable(backbone):
    chosen = norm_parameters(backbone.network) | set(backbone.head_parameters())
    return [
        name
        for name, _ in backbone.network.named_parameters()
        if name in chosen or name.split(".")[-1].endswith("bias")
    ]
