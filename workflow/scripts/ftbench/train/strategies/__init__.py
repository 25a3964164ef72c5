"""Strategies, one file each: which parameters move, and where they start.

A file declares its facts in `DECLARES` (read without import, see `ftbench.study.kinds`). One of the training loop defines
`trainable`, and of the other functions of `Strategy` those that make it what it is; one that is fitted on cached features
defines `fit` and `logits`; one that is made of finished runs defines `answers` or `search`; predictions from outside define nothing. Parameters that do not move are frozen, with every module that holds only frozen ones in eval
mode.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from safetensors.torch import load_file

from ftbench.study import kinds


@dataclass(frozen=True)
class Strategy:
    """The functions of a strategy's file; what it leaves out does nothing.

    trainable(backbone)                    names of all parameters that move at some time of the run
    adapt(backbone, recipe)                adds parameters of its own, before `trainable` is asked
    merge(backbone)                        folds them back, so that the plain network remains
    moving(backbone, epoch, epochs)        names that move in this epoch (0-based), where that changes
    scales(backbone, recipe)               {name: factor of the learning rate}; 1 where a name is missing
    pull(backbone, recipe)                 makes a function of the learning rate that is called after every step
    fit(features, labels, classes, value)  {name: tensor} fitted on features (N, D), for one value of the grid
    logits(features, fitted)               (N, C) float32 from features and what `fit` gave
    answers(logits)                        (N, C) float32 from the logits (K, N, C) of K networks that answer together
    search(score, count, options)          the coefficients of a weighted sum of `count` networks; score(coefficients) is what such a
                                           sum reaches on validation, better where it is larger
    """

    trainable: Callable | None = None
    adapt: Callable = lambda backbone, recipe: None
    merge: Callable = lambda backbone: None
    moving: Callable | None = None
    scales: Callable = lambda backbone, recipe: {}
    pull: Callable | None = None
    fit: Callable | None = None
    logits: Callable | None = None
    answers: Callable | None = None
    search: Callable | None = None


def load(kind: str) -> Strategy:
    module = importlib.import_module(kinds.module("strategies", kind))
    return Strategy(
        **{field.name: getattr(module, field.name) for field in fields(Strategy) if hasattr(module, field.name)}
    )


def load_fitted(model: str | Path) -> dict:
    """{name: tensor} as a strategy's `fit` gave it, from the file of its run, where the names begin with the head's."""
    return {name.rpartition(".")[2]: tensor for name, tensor in load_file(model).items()}
