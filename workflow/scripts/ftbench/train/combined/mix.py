"""Networks whose weights are weighted sums of finished networks' weights: each combination is validated, and the best kept.

Batch norms whose running statistics differ among the networks get them in two ways, and validation chooses for every combination: the
weighted sum of the statistics too ("averaged", as a sum of whole state dicts has them, Wortsman et al. 2022, arXiv:2109.01903), or
statistics "measured" on the training images (`ftbench.train.combined.batch_norm`). The first fits a combination near one of its networks,
whose head was trained on them; the second one in the middle, where the sum describes the activations of no network.
"""

import time
from dataclasses import dataclass, field

import numpy as np
import torch

from ftbench.base.logits import validation_scores
from ftbench.data.images import Data
from ftbench.model.backbones import Backbone, validation_logits
from ftbench.train.combined import batch_norm

State = dict[str, torch.Tensor]
AVERAGED, MEASURED = "averaged", "measured"  # in the order in which a tie is decided: the first costs nothing


def mixed(states: list[State], coefficients: tuple[float, ...]) -> State:
    """The weighted sum of networks' tensors; one with the whole weight is itself, to the bit. Counters are the last network's."""
    used = _used(states, coefficients)
    if len(used) == 1:
        return used[0]
    shares = [share for share in coefficients if share]
    return {
        name: sum(state[name].double() * share for state, share in zip(used, shares)).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in used[-1].items()
    }


@dataclass
class Mixer:
    """What weighs networks against each other. `sources` has the networks of every made run: one list for each, all of one length."""

    backbone: Backbone
    data: Data
    run: dict
    sources: list[list[State]]
    tried: list[dict] = field(default_factory=list)  # a row per combination and way to its statistics
    forward_images: int = 0

    def make(self, states: list[State], coefficients: tuple[float, ...], statistics: str | None) -> np.ndarray:
        """Put the combination into the network, with batch norm statistics that are AVERAGED or MEASURED; returns its validation logits."""
        self.backbone.network.load_state_dict(mixed(states, coefficients))
        if statistics == MEASURED:
            layers = batch_norm.differing(self.backbone, _used(states, coefficients))
            self.forward_images += batch_norm.measure(self.backbone, layers, self.data, self.run)
        self.forward_images += len(self.data.validation)
        return validation_logits(self.backbone, self.data, self.run, self.data.images.device)

    def score(self, coefficients: tuple[float, ...]) -> tuple[float, float]:
        """The mean over runs of the validation score that chooses, and of -NLL to break its ties: by the better statistics."""
        differ = any(batch_norm.differing(self.backbone, _used(states, coefficients)) for states in self.sources)
        number = self.combinations
        self.tried += [
            self._try(coefficients, statistics, number) for statistics in ((AVERAGED, MEASURED) if differ else (None,))
        ]
        return self._reached(self.best(coefficients))

    def _try(self, coefficients: tuple[float, ...], statistics: str | None, number: int) -> dict:
        begun = time.perf_counter()
        labels = self.data.labels[self.data.validation]
        found = [validation_scores(self.make(states, coefficients, statistics), labels) for states in self.sources]
        means = {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}
        weights = " ".join(f"{share:.6g}" for share in coefficients)
        said = f", statistics {statistics}" if statistics else ""
        print(f"weights {weights}{said}: validation accuracy {means['validation_accuracy']:.4f}")
        row = {"trial": number, "weights": weights, "statistics": statistics, **means}
        return row | {"seconds": time.perf_counter() - begun, "coefficients": coefficients}

    @property
    def combinations(self) -> int:
        """How many combinations were tried."""
        return len({row["trial"] for row in self.tried})

    def best(self, coefficients: tuple[float, ...]) -> dict:
        """The row of a combination that was tried, by its better statistics; `seconds` are those of all its rows."""
        own = [row for row in self.tried if row["coefficients"] == coefficients]
        return max(own, key=self._reached) | {"seconds": sum(row["seconds"] for row in own)}

    def _reached(self, row: dict) -> tuple[float, float]:
        return row[f"validation_{self.run['selection_metric']}"], -row["validation_nll"]


def _used(states: list[State], coefficients: tuple[float, ...]) -> list[State]:
    return [state for state, share in zip(states, coefficients) if share]
