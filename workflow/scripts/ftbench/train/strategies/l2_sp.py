"""L2-SP: full fine-tuning in which weights decay towards where they started instead of towards zero; the head to zero.

Li et al. 2018 (arXiv:1802.01483). `pull` is the strength of both. It acts on the weights directly, after the optimizer's step,
as AdamW's decay does: through Adam's own scaling a penalty in the loss would pull rarely used weights least.
"""

import torch

DECLARES = {
    "start": "pretrained",
    "engine": "loop",
    "tuned": "learning_rate",
    "stochastic": True,
    "recipe": {"weight_decay": 0.0},
    "options": {"pull": 0.01},
}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters()]


def pull(backbone, recipe):
    head = set(backbone.head_parameters())
    named = [(name, p) for name, p in backbone.network.named_parameters() if p.requires_grad]
    weights = [p.data for _, p in named]
    starts = [torch.zeros_like(p) if name in head else p.detach().clone() for name, p in named]

    def after_step(rate):
        torch._foreach_lerp_(weights, starts, rate * recipe["pull"])

    return after_step
