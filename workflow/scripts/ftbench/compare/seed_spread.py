"""How much the seeds of every cell vary, learnt from all cells of a data set together.

Two or three seeds say little about their own variance, and a study has dozens of cells. A cell's seed variance is written as
tau² p(1 - p), with p its accuracy, and log tau² of the cells as draws from one normal distribution, whose centre and width are
unknown too (a hierarchical model: Gelman et al. 2013, "Bayesian Data Analysis", ch. 5; Smyth 2004 does the same with an inverse
gamma distribution). What the seeds of one cell show is a mean square with seeds - 1 degrees of freedom (chi-squared): it holds
tau² p(1 - p), and the chance by which a seed gets single images right or wrong. Nothing is fixed at an estimate: what is asked later
averages over the centre, the width and the tau² that the data leave possible, on a grid. So cells that are alike lend each other
strength, and where they differ the width grows and each speaks for itself. docs/statistics.md compares this with its rivals.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np

LOG_TAU2 = np.arange(-17.0, 1.01, 0.25)  # tau 0.0002 ... 1.6: at an accuracy of 90 % a seed sd of 0.006 to 50 points
TAU2 = np.exp(LOG_TAU2)
WIDTHS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)  # standard deviations of log tau² over cells
# Half-Cauchy for the centre of tau (Gelman 2006, "Prior distributions for variance parameters", section 3.2). At 90 % this scale is a seed
# sd of 3 points, above what is usual, so that the prior never promises seeds that agree. It and the rate, by which wide
# spreads count as more likely than narrow ones, were chosen on simulated studies other than those of docs/statistics.md.
SCALE, WIDTH_RATE = 0.1, 1.2
KEPT = 1e-6  # a centre and width less probable than this times the most probable one is left out


class Seen(NamedTuple):
    """What the seeds of one cell show."""

    mean_square: float  # variance over seeds of a seed's accuracy; 0 with one seed
    noise: float  # the part of it that chance on single images adds
    scale: float  # p(1 - p)
    seeds: int


def _prior() -> tuple[np.ndarray, np.ndarray]:
    """The possible distributions of log tau² over the grid (H, J), and their log prior (H,): every centre with every width."""
    tau = np.sqrt(TAU2)
    centre = np.log(tau / (1 + (tau / SCALE) ** 2))  # the half-Cauchy's density, of log tau
    squares = np.square(LOG_TAU2[None] - LOG_TAU2[:, None])
    density = [np.exp(-squares / (2 * width**2)) for width in WIDTHS]  # normal; each row is scaled to 1 below
    grids = np.concatenate([one / one.sum(axis=1, keepdims=True) for one in density])
    return grids, np.concatenate([centre + WIDTH_RATE * width for width in WIDTHS])


GRID, LOG_PRIOR = _prior()


class SeedSpread:
    """The posterior of every cell's tau², given what the seeds of all cells show: {cell: Seen}, deterministic cells left out."""

    def __init__(self, cells: Mapping[Hashable, Seen]):
        likelihood = np.array([_likelihood(cell) for cell in cells.values()]).reshape(-1, len(TAU2))  # (C, J)
        marginal = np.maximum(likelihood @ GRID.T, np.finfo(float).tiny)  # (C, H)
        log_weight = LOG_PRIOR + np.log(marginal).sum(axis=0)
        weight = np.exp(log_weight - log_weight.max())
        kept = weight > KEPT
        self._weight = weight[kept] / weight[kept].sum()  # (H',)
        self._grid = GRID[kept]
        self._likelihood = dict(zip(cells, likelihood))
        self._known: dict[Hashable, np.ndarray] = {}
        self._marginal = dict(zip(cells, marginal[:, kept]))
        self.learnt = any(cell.seeds > 1 for cell in cells.values())  # else no cell shows how its seeds vary

    def __contains__(self, cell: Hashable) -> bool:
        return cell in self._likelihood

    def _conditional(self, cell: Hashable) -> np.ndarray:
        """(H', J): the probabilities of tau² given each centre and width."""
        if cell not in self._known:
            self._known[cell] = self._grid * self._likelihood[cell] / self._marginal[cell][:, None]
        return self._known[cell]

    def single(self, cell: Hashable) -> np.ndarray:
        """(J,) probabilities of the values `TAU2` for one cell."""
        return self._weight @ self._conditional(cell)

    def pair(self, a: Hashable, b: Hashable) -> np.ndarray:
        """(J, J) joint probabilities for two cells, whose common centre and width tie them together."""
        return (self._conditional(a) * self._weight[:, None]).T @ self._conditional(b)

    def draw(self, cells: list[Hashable], number: int, random: np.random.Generator) -> dict[Hashable, np.ndarray]:
        """(number,) places in `TAU2` of every cell, drawn together: each draw has one centre and width for all of them."""
        common = random.choice(len(self._weight), size=number, p=self._weight)
        drawn = {}
        for cell in cells:
            cumulative = np.cumsum(self._conditional(cell), axis=1)  # (H', J)
            uniform = random.random(number) * cumulative[common, -1]
            drawn[cell] = (cumulative[common] < uniform[:, None]).sum(axis=1)
        return drawn


def _likelihood(cell: Seen) -> np.ndarray:
    """(J,) up to a factor: the chi-squared density of a cell's mean square at every tau²; 1 with a single seed."""
    if cell.seeds < 2:
        return np.ones(len(TAU2))
    expected, df = TAU2 * cell.scale + cell.noise, cell.seeds - 1
    log = -df / 2 * (np.log(expected) + cell.mean_square / expected)
    return np.exp(log - log.max())
