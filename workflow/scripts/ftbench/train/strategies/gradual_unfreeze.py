"""Gradual unfreezing: the head alone at first, then stage after stage from the top, until everything moves.

Howard and Ruder 2018 (ULMFiT, arXiv:1801.06146): one more stage per epoch. With fewer epochs than stages several open at
once, so that the last epoch always trains the whole network. It has no `cached_views`: what is frozen changes from epoch to epoch, and
the first epochs, which alone would gain, are its cheap ones.
"""

from ftbench.model.stages import stages

DECLARES = {
    "start": "pretrained",
    "engine": "loop",
    "tuned": "learning_rate",
    "stochastic": True,
    "recipe": {},
    "training_passes": 2.4,
}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters()]


def moving(backbone, epoch, epochs):
    closed = stages(backbone.network, backbone.heads)
    last = min(len(closed), epochs - 1)  # the epoch from which on everything moves
    opened = len(closed) if epoch >= last else round(epoch * len(closed) / last)
    return [name for stage in closed[len(closed) - opened :] for name in stage] + backbone.head_parameters()
