"""The costs that cells are compared by, and the front: the cells that no other beats in both accuracy and cost.

The cost of training is time if all cells ran on one kind of device with one thread count, and floating-point operations if
not: seconds of different machines have no order.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from ftbench.report.layout.formats import count, duration, operations
from ftbench.report.layout.frames import mixed_hardware


class Cost(NamedTuple):
    """The cost axis: one value per cell, and how a value is written."""

    values: np.ndarray
    show: Callable[[float], str]
    label: str


def cost_of(frame) -> Cost:
    """What training and tuning one model of each cell costs, or the models of all folds: seconds, or operations if the hardware is mixed."""
    folds = frame.get("test_folds", pd.Series([0])).max()
    models = f"the models of all {folds:.0f} folds" if folds > 0 else "one model"
    if mixed_hardware(frame):
        values = (frame["train_flops"] + frame["tuning_flops"]).to_numpy(float)
        return Cost(np.maximum(values, 1.0), operations, f"operations of training + tuning {models} (log scale)")
    values = (frame["train_seconds"] + frame["tuning_seconds"]).to_numpy(float)
    return Cost(np.maximum(values, 0.1), duration, f"training + tuning of {models} (log scale)")


def latency_of(frame) -> Cost:
    """Milliseconds from one image to its prediction."""
    values = frame["latency_ms_batch1"].to_numpy(float)
    return Cost(values, lambda value: f"{value:.3g} ms", "latency of one image (log scale)")


def size_of(frame) -> Cost:
    """Parameters of the whole network."""
    return Cost(frame["total_params"].to_numpy(float), count, "parameters of the network (log scale)")


def front(cost: np.ndarray, accuracy: np.ndarray) -> list[int]:
    """Positions of the points that no other beats in both: cheapest first, each more accurate than all before it."""
    kept, best = [], -np.inf
    for position in np.lexsort((-accuracy, cost)):
        if accuracy[position] > best:
            kept.append(int(position))
            best = accuracy[position]
    return kept
