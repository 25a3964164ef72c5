"""The search for a strategy's learning rate: which trials run, and for how long.

`grid`: every value is tried for as long as a final run trains. `successive_halving` (Jamieson and Talwalkar, Non-stochastic
Best Arm Identification and Hyperparameter Optimization, AISTATS 2016; with the factor 3 of Hyperband, Li et al., JMLR
2018): all values are tried for a part of that time, the best third for three times as much, and so on. Snakemake knows
all jobs before the first result: on a rung above the first, trial k is the k-th of those that were promoted, whichever they are.
Each rung is trained anew with a schedule of its own, so that a trial's score comes from a learning rate that has come down.
"""

import math
from typing import NamedTuple

from ftbench.study import grid

FACTOR = 3  # this part of a rung goes on, for so many times as long


class Trial(NamedTuple):
    """One tuning job. `share` is its length as a part of a final run's; `learning_rate` is None if a promotion decides."""

    slot: int
    rung: int
    share: float
    learning_rate: float | None
    name: str  # as in trial<name>/trial.json


def rungs(config: dict, strategy: str) -> list[tuple[int, float]]:
    """(number of trials, share of a final run's length) per rung, the shortest first; [] for an untuned strategy.

    The last rung is as long as a final run. The config's checks see to it that at least two trials reach it.
    """
    return rungs_of(len(grid.trials_of(config, strategy)), config["tuning"])


def rungs_of(count: int, tuning: dict) -> list[tuple[int, float]]:
    """The same for `count` trials on the first rung."""
    if not count or tuning["search"] == "grid":
        return [(count, 1.0)] if count else []
    return [
        (math.ceil(count / FACTOR**rung), FACTOR ** (rung + 1.0 - tuning["rungs"])) for rung in range(tuning["rungs"])
    ]


def trials(config: dict, strategy: str) -> list[Trial]:
    """Every tuning job of a strategy, rung by rung."""
    rates, halving = grid.trials_of(config, strategy), config["tuning"]["search"] != "grid"
    return [
        Trial(slot, rung, share, None if rung else rates[slot], f"{slot}/rung{rung}" if halving else f"{slot}")
        for rung, (size, share) in enumerate(rungs(config, strategy))
        for slot in range(size)
    ]


def shortened(recipe: dict, share: float) -> dict:
    """The recipe of a trial that is `share` as long as a final run, at least one epoch."""
    examples = recipe["examples"] and math.ceil(recipe["examples"] * share)
    return recipe | {"epochs": math.ceil(recipe["epochs"] * share), "examples": examples}
