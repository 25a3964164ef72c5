"""How firm the order of the cells is: how often each would be first, and among the first three, with other images and other seeds.

The accuracies of all cells of a data set are drawn again and again from what their intervals are made of: the part of the test images is
shared by all cells (their joint covariance, so that an image that is hard for everyone moves nobody's rank), the part of the
seeds is each cell's own, with a seed variance drawn from what all cells say of it (`ftbench.compare.seed_spread`). The share of draws
in which a cell is best is a Bayesian posterior probability, not a p value.
"""

from collections.abc import Hashable, Mapping

import numpy as np

from ftbench.compare.seed_spread import TAU2, SeedSpread
from ftbench.compare.statistics import Summary, has_seed_part

DRAWS = 10_000  # a probability of 0.5 is known to 1 point
TOP = 3
LEVEL = 0.95


def rank_stability(cells: Mapping[Hashable, Summary], spread: SeedSpread, seed: int = 0) -> dict[Hashable, dict]:
    """Per cell {"p_best", "p_top3", "rank_low", "rank_high"}: probabilities, and the interval that holds its rank in 95 % of draws.

    1 is the best rank. Of a cell whose numbers speak of trained models alone, the seeds stay as they are.
    """
    drawn = _accuracies(cells, spread, np.random.default_rng(seed))
    drawn += 1e-12 * np.random.default_rng(seed).random(drawn.shape)  # equal cells share what is theirs
    place = np.argsort(np.argsort(-drawn, axis=1, kind="stable"), axis=1) + 1  # (DRAWS, C)
    low, high = np.quantile(place, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0, method="inverted_cdf")
    return {
        key: {
            "p_best": float((place[:, number] == 1).mean()),
            "p_top3": float((place[:, number] <= TOP).mean()),
            "rank_low": int(low[number]),
            "rank_high": int(high[number]),
        }
        for number, key in enumerate(cells)
    }


def _accuracies(cells: Mapping[Hashable, Summary], spread: SeedSpread, random: np.random.Generator) -> np.ndarray:
    """(DRAWS, C) accuracies."""
    influence = np.array([cell.influence for cell in cells.values()])  # (C, G)
    groups = influence.shape[1]
    # G - 1 independent directions and less; a covariance of few cells is cheap, and none is lost to rounding.
    values, vectors = np.linalg.eigh((groups - 1) / groups * influence @ influence.T)
    of_images = random.standard_normal((DRAWS, len(cells))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    stochastic = [key for key, cell in cells.items() if has_seed_part(cell, key, spread)]
    tau2 = spread.draw(stochastic, DRAWS, random)
    drawn = np.array([cell.mean for cell in cells.values()]) + of_images
    for number, (key, cell) in enumerate(cells.items()):
        if key in tau2:
            variance = TAU2[tau2[key]] * cell.seen.scale / cell.seeds
            drawn[:, number] += np.sqrt(variance) * random.standard_normal(DRAWS)
    return drawn
