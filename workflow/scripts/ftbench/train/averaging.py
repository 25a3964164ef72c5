"""The exponential moving average of a network's weights and buffers, which is scored and kept in their place.

Polyak and Juditsky 1992; as in the EMA of timm and of mean teachers (arXiv:1703.01780). Early on the decay is
(1 + t) / (10 + t) for step t, so that a short run is not an average with its own start.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn


class WeightAverage:
    """Follows `network`'s tensors, which have to stay the same objects (load_state_dict copies into them)."""

    def __init__(self, network: nn.Module, decay: float):
        self.decay, self.steps = decay, 0
        state = network.state_dict()
        self._names = [
            name for name, tensor in state.items() if tensor.is_floating_point()
        ]  # counters stay as they are
        self._live = [state[name] for name in self._names]
        self._average = [tensor.clone() for tensor in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Take the network as it is after an optimizer step into the average."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self._average, self._live, 1 - decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside the block, the network has the averaged tensors."""
        kept = [tensor.clone() for tensor in self._live]
        torch._foreach_copy_(self._live, self._average)
        try:
            yield
        finally:
            torch._foreach_copy_(self._live, kept)

    def state_dict(self) -> dict:
        return {"steps": self.steps, "tensors": dict(zip(self._names, self._average))}

    def load_state_dict(self, state: dict) -> None:
        self.steps = state["steps"]
        for name, tensor in zip(self._names, self._average):
            tensor.copy_(state["tensors"][name])
