"""Networks whose weights are weighted sums of finished networks' weights: each combination is validated, and the best kept."""

import time
from dataclasses import dataclass, field

import numpy as np
import torch

from ftbench.base.logits import validation_scores
from ftbench.data.images import Data
from ftbench.model.backbones import Backbone, validation_logits
from ftbench.train.combined import batch_norm

State = dict[str, torch.Tensor]


def mixed(states: list[State], coefficients: tuple[float, ...]) -> State:
    """The weighted sum of networks' tensors; one with the whole weight is itself, to the bit. Counters are the last network's."""
    used = [(state, share) for state, share in zip(states, coefficients) if share]
    if len(used) == 1:
        return used[0][0]
    last = used[-1][0]
    return {
        name: sum(state[name].double() * share for state, share in used).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in last.items()
    }


@dataclass
class Mixer:
    """What weighs networks against each other. `sources` has the networks of every made run: one list for each, all of one length."""

    backbone: Backbone
    data: Data
    run: dict
    sources: list[list[State]]
    tried: list[dict] = field(default_factory=list)  # a row per combination
    forward_images: int = 0

    def make(self, states: list[State], coefficients: tuple[float, ...]) -> np.ndarray:
        """Put the combination into the network, with statistics of its own where it needs them; returns its validation logits."""
        network = self.backbone.network
        network.load_state_dict(mixed(states, coefficients))
        used = [state for state, share in zip(states, coefficients) if share]
        layers = batch_norm.differing(self.backbone, used)
        self.forward_images += batch_norm.measure(self.backbone, layers, self.data, self.run)
        self.forward_images += len(self.data.validation)
        return validation_logits(self.backbone, self.data, self.run, self.data.images.device)

    def score(self, coefficients: tuple[float, ...]) -> tuple[float, float]:
        """The mean over runs of the validation score that chooses, and of -NLL to break its ties."""
        begun = time.perf_counter()
        labels = self.data.labels[self.data.validation]
        found = [validation_scores(self.make(states, coefficients), labels) for states in self.sources]
        means = {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}
        weights = " ".join(f"{share:.6g}" for share in coefficients)
        row = {"trial": len(self.tried), "weights": weights, **means, "seconds": time.perf_counter() - begun}
        self.tried.append(row | {"coefficients": coefficients})
        print(f"weights {weights}: validation accuracy {means['validation_accuracy']:.4f}")
        return means[f"validation_{self.run['selection_metric']}"], -means["validation_nll"]
