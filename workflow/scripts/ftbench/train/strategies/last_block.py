"""The head and the last stage move, the rest is frozen: the middle between feature extraction and fine-tuning.

What is frozen gives the same for the same image in every epoch, trial and seed: with `cached_views` it runs once.
"""

from ftbench.model.stages import stages

DECLARES = {
    "start": "pretrained",
    "engine": "loop",
    "tuned": "learning_rate",
    "stochastic": True,
    "recipe": {},
    "options": {"cached_views": None},
    "training_passes": 1.35,
}


def trainable(backbone):
    return [*stages(backbone.network, backbone.heads)[-1], *backbone.head_parameters()]
