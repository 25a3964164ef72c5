"""What a training step minimises: cross-entropy with its variations - smoothing, class weights, mixed images.

Mixup (Zhang et al. 2018, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899) replace a batch by mixtures of
itself with itself in another order; where a recipe asks for both, each batch draws one of them.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from ftbench.machine.upload import upload


class Batch(NamedTuple):
    """Network inputs (B, 3, S, S), labels (B,), and the labels and share of what was mixed into them (share 0: nothing)."""

    inputs: torch.Tensor
    labels: torch.Tensor
    others: torch.Tensor
    share: float

    def parts(self, count: int) -> list["Batch"]:
        """The batch in `count` parts of nearly equal size, for gradients accumulated over several passes."""
        if count == 1:
            return [self]
        pieces = (tensor.tensor_split(min(count, len(self.labels))) for tensor in self[:3])
        return [Batch(*piece, self.share) for piece in zip(*pieces)]


def mix(inputs: torch.Tensor, labels: torch.Tensor, recipe: dict, rng: np.random.Generator) -> Batch:
    """Mix a batch by the `mixup` and `cutmix` of `recipe`: the alpha of Beta(alpha, alpha), 0 for off."""
    ways = [way for way in ("mixup", "cutmix") if recipe[way] > 0]
    if not ways:
        return Batch(inputs, labels, labels, 0.0)
    way = ways[rng.integers(len(ways))]
    share = float(rng.beta(recipe[way], recipe[way]))
    order = upload(torch.from_numpy(rng.permutation(len(labels))), labels.device)
    if way == "mixup":
        return Batch(inputs.lerp(inputs[order], share), labels, labels[order], share)
    height, width = inputs.shape[2:]
    box_height, box_width = (round(side * share**0.5) for side in (height, width))
    top, left = rng.integers(height - box_height + 1), rng.integers(width - box_width + 1)
    mixed = inputs.clone()
    box = (..., slice(top, top + box_height), slice(left, left + box_width))
    mixed[box] = inputs[order][box]
    return Batch(mixed, labels, labels[order], box_height * box_width / (height * width))


def class_weights(labels: np.ndarray, classes: int) -> torch.Tensor:
    """(C,) weights N / (C · N_c) of labels (N,): scikit-learn's "balanced". A class without images gets 0."""
    counts = np.bincount(labels, minlength=classes)
    weights = np.divide(len(labels), classes * counts, out=np.zeros(classes), where=counts > 0)
    return torch.from_numpy(weights).float()


def loss_sum(logits: torch.Tensor, batch: Batch, weights: torch.Tensor | None, smoothing: float) -> torch.Tensor:
    """Weighted sum over the batch of the cross-entropy of logits (B, C), in nats: divide by `total_weight` for the mean."""

    def towards(labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, weights, reduction="sum", label_smoothing=smoothing)

    if batch.share == 0:
        return towards(batch.labels)
    return (1 - batch.share) * towards(batch.labels) + batch.share * towards(batch.others)


def total_weight(batch: Batch, weights: torch.Tensor | None) -> torch.Tensor | int:
    """What a sum over `batch` is divided by: its number of images, or the sum of their classes' weights."""
    if weights is None:
        return len(batch.labels)
    return (1 - batch.share) * weights[batch.labels].sum() + batch.share * weights[batch.others].sum()
