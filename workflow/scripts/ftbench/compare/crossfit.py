"""The accuracy of the chosen cell on seeds that did not choose it.

A cell is chosen by the mean validation score of its seeds, and the same trained networks give its test accuracy: the winner's seeds are
lucky ones, on the test images too. In simulated studies its accuracy lies 0.1 to 2 points above what its recipe reaches at two or three
seeds (docs/statistics.md). So each seed is left out once: the others choose, and the one left out is reported (Varma & Simon
2006, "Bias in error estimation when using cross-validation for model selection"). It estimates the recipe that a choice
with one seed less finds, so it errs a little low where the other does high.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np

from ftbench.evaluate.cells import recommended_cell


class Run(NamedTuple):
    """A finished run."""

    validation: float  # the score that chooses
    nll: float
    accuracy: float  # on the test images


def crossfitted_accuracy(cells: Mapping[Hashable, dict]) -> float | None:
    """Mean over seeds of the accuracy, at that seed, of the cell that the other seeds choose.

    `cells` maps a key to {"stochastic": bool, "diverged": number of seeds, "runs": {seed: Run}}. A deterministic cell is the same at every
    seed. None where no stochastic cell has two finished seeds, if any is stochastic; without one the choice has no luck of seeds in
    it, and the accuracy is that of the chosen cell.
    """
    drawn = {key for key, cell in cells.items() if cell["stochastic"]}
    seeds = sorted({seed for key in drawn for seed in cells[key]["runs"]})
    if not drawn:
        seeds = [None]
    elif not any(len(cells[key]["runs"]) > 1 for key in drawn):
        return None
    found = [_at(cells, drawn, seed) for seed in seeds]
    found = [value for value in found if value is not None]
    return float(np.mean(found)) if found else None


def _at(cells: Mapping[Hashable, dict], drawn: set, seed) -> float | None:
    """The accuracy at `seed` of the cell that the other seeds choose, among those that finished it."""
    scores, accuracy = {}, {}
    for key, cell in cells.items():
        runs = cell["runs"]
        others = [run for number, run in runs.items() if key not in drawn or number != seed]
        if others and (key not in drawn or seed in runs):
            means = {name: float(np.mean([getattr(run, name) for run in others])) for name in ("validation", "nll")}
            scores[key] = means | {"diverged": cell["diverged"]}
            accuracy[key] = runs[seed].accuracy if key in drawn else others[0].accuracy
    chosen = recommended_cell(scores)
    return None if chosen is None else accuracy[chosen]
