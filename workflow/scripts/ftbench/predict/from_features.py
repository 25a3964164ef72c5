"""Test logits of a strategy that was fitted on cached features."""

import numpy as np

from ftbench.base.digests import refuse_damaged
from ftbench.base.files import read_json, write_npz
from ftbench.train import strategies


def predict_from_features(
    kind: str, features: str, models: list[str], labels: str, out: list[str], cost: str | None = None
) -> None:
    """Write test_logits.npz for every fitted model in `models` from the cached test features (N, D).

    Raises InputError where the features are not those whose digest stands in `cost`, the record of their extraction.
    """
    if cost:
        refuse_damaged(features, read_json(cost)["digest"])
    strategy, vectors, target = strategies.load(kind), np.load(features), np.load(labels)
    for model, path in zip(models, out):
        logits = strategy.logits(vectors, strategies.load_fitted(model))
        write_npz(path, logits=logits, labels=target, ids=np.arange(len(target)))
