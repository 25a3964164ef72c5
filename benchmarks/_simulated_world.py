"""Studies whose truth is known: an item-response world of image difficulty × cell × seed.

An image is right where ability + its difficulty + what it is to this cell + the luck of this seed, its split and its tuning + chance is
above 0. All effects are
normal, so a cell's true accuracy, over all images and all seeds, is exact: Phi(ability / the root of the sum of variances). Images of a
group share most of their difficulty and of what they are to a cell.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

DIFFICULTY, IMAGE_BY_CELL, CHANCE = 2.0, 0.5, 0.8  # standard deviations
IN_GROUP = 0.8  # share of the first two that images of a group have in common


class World(NamedTuple):
    """What is drawn. A cell's accuracy is `accuracy`, or within ± `spread` of it; cells 2 and 3 are `gap` apart."""

    images: int = 600
    seeds: int = 3
    cells: int = 8
    accuracy: float = 0.85
    gap: float = 0.05
    seed_sd: float = 0.1  # of the ability: at 85 % about a tenth of it in accuracy
    log_sd: float = 0.0  # of the cells' seed_sd, of its natural logarithm
    group: int = 1  # images of a group
    deterministic: int = 0  # how many of the first cells
    one_seed: int = 0  # how many of the next ones have one finished seed
    outlier: float = 1.0  # the second cell's seed_sd is so many times as large
    spread: float = 0.0
    split_sd: float = 0.0  # of the ability: what a split does to all cells
    tuning_sd: float = 0.0  # and what split and tuning do to each cell
    per_seed: bool = False  # each seed draws its own of both, deterministic cells too; else they are drawn once
    folds: int = 0  # of the test images: each has networks, a split and a tuning of its own; 0 tests all by the same


class Study(NamedTuple):
    right: list[np.ndarray]  # (S, N) bool of each cell
    accuracy: np.ndarray  # (C,) the truth
    stochastic: np.ndarray  # (C,) bool
    groups: np.ndarray | None  # (N,) int
    folds: np.ndarray | None = None  # (N,) int


def draw(world: World, rng: np.random.Generator) -> Study:
    accuracy = np.clip(world.accuracy + world.spread * rng.uniform(-1, 1, world.cells), 0.05, 0.9995)
    if world.cells > 3:
        accuracy[2], accuracy[3] = (np.clip(world.accuracy + sign * world.gap / 2, 0.05, 0.9995) for sign in (-1, 1))
    groups = np.arange(world.images) // world.group
    if world.folds:
        return _in_folds(world, accuracy, groups, rng)
    difficulty = _of_images(rng, DIFFICULTY, groups, world)
    stochastic = np.arange(world.cells) >= (0 if world.per_seed else world.deterministic)
    of_split, right = _drawn(rng, world.split_sd, world), []
    for cell, truth in enumerate(accuracy):
        sd = (
            (cell >= world.deterministic)
            * world.seed_sd
            * np.exp(world.log_sd * rng.normal())
            * (world.outlier if cell == 1 else 1)
        )
        total = np.sqrt(DIFFICULTY**2 + IMAGE_BY_CELL**2 + CHANCE**2 + sd**2 + world.split_sd**2 + world.tuning_sd**2)
        alone = not world.per_seed and cell < world.deterministic + world.one_seed
        score = stats.norm.ppf(truth) * total + difficulty + _of_images(rng, IMAGE_BY_CELL, groups, world)
        luck = rng.normal(0, sd, (1 if alone else world.seeds, 1))
        luck = luck + (of_split + _drawn(rng, world.tuning_sd, world))[: len(luck)]
        chance = CHANCE * rng.standard_normal((len(luck), world.images), dtype=np.float32)
        right.append(score + luck + chance > 0)
    return Study(right, accuracy, stochastic, groups if world.group > 1 else None)


def _in_folds(world: World, accuracy: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> Study:
    """Whole groups are dealt into folds. In each, a split does the same to all cells and split and tuning something to each, in all seeds; every
    seed's network has luck of its own, but for a deterministic cell."""
    folds = (groups * world.folds) // (groups.max() + 1)
    difficulty = _of_images(rng, DIFFICULTY, groups, world)
    of_split, right = rng.normal(0, world.split_sd, world.folds), []
    for cell, truth in enumerate(accuracy):
        alone = cell < world.deterministic
        sd = 0.0 if alone else world.seed_sd * np.exp(world.log_sd * rng.normal())
        total = np.sqrt(DIFFICULTY**2 + IMAGE_BY_CELL**2 + CHANCE**2 + sd**2 + world.split_sd**2 + world.tuning_sd**2)
        score = stats.norm.ppf(truth) * total + difficulty + _of_images(rng, IMAGE_BY_CELL, groups, world)
        of_fold = of_split + rng.normal(0, world.tuning_sd, world.folds)
        luck = of_fold + rng.normal(0, sd, (1 if alone else world.seeds, world.folds))
        chance = CHANCE * rng.standard_normal((len(luck), world.images), dtype=np.float32)
        right.append(score + luck[:, folds] + chance > 0)
    stochastic = np.arange(world.cells) >= world.deterministic
    return Study(right, accuracy, stochastic, groups if world.group > 1 else None, folds)


def _drawn(rng, sd: float, world: World) -> np.ndarray:
    """(S, 1) of what split or tuning do to each seed; nothing is drawn where there is none."""
    if not sd:
        return np.zeros((world.seeds, 1))
    return np.broadcast_to(rng.normal(0, sd, (world.seeds if world.per_seed else 1, 1)), (world.seeds, 1))


def _of_images(rng, sd: float, groups: np.ndarray, world: World) -> np.ndarray:
    own = rng.normal(0, sd, world.images)
    if world.group == 1:
        return own
    shared = rng.normal(0, sd, groups.max() + 1)[groups]
    return np.sqrt(IN_GROUP) * shared + np.sqrt(1 - IN_GROUP) * own
