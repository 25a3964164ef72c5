"""WiSE-FT: weights between the pretrained network under a fitted probe and the fine-tuned network, at a share α of the latter.

Wortsman et al. 2022 (arXiv:2109.01903). One α, chosen by the mean validation score over all seeds, mixes every seed with the probe;
ties go to the lower validation NLL, then to the larger α.
"""

DECLARES = {
    "start": "probe",
    "engine": "runs",
    "tuned": "alpha",
    "stochastic": True,
    "recipe": {},
    "shared_start": True,
}


def search(score, count, options):
    """`count` is 2: the start and the fine-tuned network."""
    reached = {alpha: score((1 - alpha, alpha)) for alpha in options["alpha"]}
    best = max(reached, key=lambda alpha: (reached[alpha], alpha))
    return 1 - best, best
