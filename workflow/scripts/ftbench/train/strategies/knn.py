"""k nearest neighbours: nothing is trained at all; the training images nearest in feature space vote.

Votes are weighted by exp(cosine / 0.07), as in Wu et al. 2018 (arXiv:1805.01978) and DINO (Caron et al. 2021,
arXiv:2104.14294, section 4.1). k is chosen on validation. What the features know without any fitting is the floor under
every other strategy. The fitted "model" is the bank of training features itself.
"""

import torch
import torch.nn.functional as F

DECLARES = {"start": "pretrained", "engine": "features", "tuned": "k", "stochastic": False, "recipe": {}, "bank": True}
TEMPERATURE = 0.07
UNSEEN = 1e-3  # share of the votes of a class that gets none, so that its log-probability is finite
CHUNK = 1024  # queries compared with the bank at a time


def trainable(backbone):
    return []


def fit(features, labels, classes, value):
    bank = F.normalize(torch.from_numpy(features).float(), dim=1)
    numbers = torch.tensor([min(value, len(bank)), classes])
    return {"bank": bank.half(), "labels": torch.from_numpy(labels), "k_and_classes": numbers}


def logits(features, fitted):
    k, classes = fitted["k_and_classes"].tolist()
    bank, labels = fitted["bank"].float(), fitted["labels"]
    queries = F.normalize(torch.from_numpy(features).float(), dim=1)
    shares = []
    for chunk in queries.split(CHUNK):
        cosines, nearest = (chunk @ bank.T).topk(k, dim=1)
        votes = torch.zeros(len(chunk), classes).scatter_add_(1, labels[nearest], (cosines / TEMPERATURE).exp())
        shares.append(votes / votes.sum(1, keepdim=True))
    return (torch.cat(shares) + UNSEEN).log().numpy()
