"""What a run sees of the data, and its score on the validation part."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ftbench import backbones, devices
from ftbench.arrays import Images
from ftbench.backbones import Backbone

BATCH = 256


@dataclass
class Data:
    """What a run sees: images, their labels (N,), and the rows of each part. No test image is among them."""

    images: Images
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    classes: int


def validation_logits(
    backbone: Backbone, data: Data, run: dict, device: torch.device, look: Callable = lambda: None
) -> np.ndarray:
    """Logits (N, C) float32 of the validation part, in eval mode, without augmentation. `look` is called before each batch."""
    return part_logits(backbone, data.images, data.validation, run, device, look)


def part_logits(
    backbone: Backbone,
    images: Images,
    rows: np.ndarray,
    run: dict,
    device: torch.device,
    look: Callable = lambda: None,
) -> np.ndarray:
    def batches():
        for first in range(0, len(rows), BATCH):
            look()
            yield images.batch(rows[first : first + BATCH])

    return backbones.predict(backbone, batches(), devices.autocast(device, run["precision"]))[0]


def validation_scores(logits: np.ndarray, labels: np.ndarray) -> dict:
    """Accuracy, balanced accuracy (mean recall of the classes present) and NLL (mean, natural log) of logits (N, C).

    In numpy: importing scikit-learn would cost a training job more than the score does.
    """
    right = logits.argmax(1) == labels
    images = np.bincount(labels)
    recalls = np.bincount(labels, weights=right)[images > 0] / images[images > 0]
    nll = F.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(labels))
    return {
        "validation_accuracy": float(right.mean()),
        "validation_balanced_accuracy": float(recalls.mean()),
        "validation_nll": float(nll),
    }
