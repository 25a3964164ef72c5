"""The grid of a study: data sets × backbones × strategies × seeds, without what cannot or shall not run."""

from collections.abc import Iterable
from typing import NamedTuple

from ftbench.study.kinds import declared


class Cell(NamedTuple):
    """One row of the comparison table: a backbone, fine-tuned by a strategy, on a data set."""

    dataset: str
    backbone: str
    strategy: str


PRETRAINED = ("pretrained", "probe")  # what `start` says of those that start from pretrained weights


def given(config: dict, strategy: str) -> dict | None:
    """What the user gives of a strategy whose predictions come from outside: backbone, files, values and the like; else None."""
    return config["strategies"][strategy].get("given")  # a study.json of an earlier version lacks the key


def backbones(config: dict) -> list[str]:
    """Every name that a cell may have as its backbone, in config order: the backbones, then the labels of predictions from outside."""
    labels = [one["backbone"] for name in config["strategies"] if (one := given(config, name))]
    return list(dict.fromkeys([*config["backbones"], *labels]))


def excluded(cell: Cell, patterns: list[dict]) -> bool:
    """Whether one of the `exclude` entries matches: each names a data set, backbone or strategy (or a list of them)."""

    def matches(pattern: dict) -> bool:
        return all(
            getattr(cell, axis) in (names if isinstance(names, list) else [names]) for axis, names in pattern.items()
        )

    return any(matches(pattern) for pattern in patterns)


def start(config: dict, backbone: str, strategy: str) -> str:
    """Where a strategy starts on a backbone: "random", "pretrained" or "probe"; "given" if its predictions come from outside."""
    entry = config["strategies"][strategy]
    fact = declared(entry["kind"])["start"]
    if fact == "of":
        return start(config, backbone, entry["of"])
    if fact != "any":
        return fact
    return "random" if config["backbones"][backbone]["weights"] == "none" else "pretrained"


def admits(config: dict, backbone: str, strategy: str) -> bool:
    """Whether the strategy can start from this backbone: one without weights cannot be fine-tuned.

    Predictions from outside stand under a label of their own, and nothing else does.
    """
    entry, outside = config["strategies"][strategy], given(config, strategy)
    if outside or backbone not in config["backbones"]:
        return outside is not None and outside["backbone"] == backbone
    begins = start(config, backbone, strategy)
    if declared(entry["kind"]).get("shared_start") and start(config, backbone, entry["of"]) == "random":
        return False
    return begins == "random" or config["backbones"][backbone]["weights"] != "none"


def answered(config: dict, cell: Cell) -> bool:
    """Whether predictions from outside have a file for the cell's data set; true of every other strategy."""
    outside = given(config, cell.strategy)
    return outside is None or cell.dataset in outside["files"]


def members_of(config: dict, cell: Cell) -> Cell | None:
    """The cell whose runs this one is made of, or None."""
    of = config["strategies"][cell.strategy].get("of")  # a study.json of an earlier version lacks the key
    return Cell(cell.dataset, cell.backbone, of) if of else None


def needed_by(config: dict, cell: Cell) -> list[Cell]:
    """The cells without which this one is left out: those whose runs it is made of, and the probe that it mixes them with."""
    of = members_of(config, cell)
    if of is None:
        return []
    probe = config["strategies"][cell.strategy]["probe"]
    return [of, *([of._replace(strategy=probe)] if probe else [])]


def folds_of(config: dict, dataset: str) -> list[str]:
    """The data sets that are the folds of one that is tested in folds; [] of any other."""
    # a study.json of an earlier version lacks the key
    return [name for name, entry in config["datasets"].items() if entry.get("fold_of") == dataset]


def trained(config: dict, some: Iterable[Cell]) -> list[Cell]:
    """Those of some cells that train networks here: in the place of a cell on a data set that is tested in folds, its folds'."""
    return [cell._replace(dataset=name) for cell in some for name in folds_of(config, cell.dataset) or [cell.dataset]]


def cells(config: dict) -> list[Cell]:
    """Every cell of the study, in the order of the config: the order of the tables and of the colours.

    Of a data set that is tested in folds the cells are those that pool them; `trained` gives the folds' own.
    """
    product = (
        Cell(dataset, backbone, strategy)
        for dataset, entry in config["datasets"].items()
        if entry.get("fold_of") is None
        for backbone in backbones(config)
        for strategy in config["strategies"]
    )
    admitted = [
        cell
        for cell in product
        if not excluded(cell, config["exclude"])
        and admits(config, cell.backbone, cell.strategy)
        and answered(config, cell)
    ]
    return [cell for cell in admitted if set(needed_by(config, cell)) <= set(admitted)]


def own_splits(config: dict) -> bool:
    """Whether every seed trains and validates on a split of its own."""
    return config.get("splits") == "per_seed"  # a study.json of an earlier version lacks the key


def repeats(config: dict, strategy: str) -> bool:
    """Whether a strategy runs with every seed: something in it is random, or the split that it is fitted on is."""
    facts = declared(config["strategies"][strategy]["kind"])
    return facts["stochastic"] or (own_splits(config) and facts["engine"] == "features")


def seeds_of(config: dict, strategy: str) -> list[int]:
    """The seeds that a strategy runs with: `seeds`, or just 0 if each would give the same."""
    return config["seeds"] if repeats(config, strategy) else [0]


def trials_of(config: dict, strategy: str) -> list[float]:
    """The learning rates that the tuning jobs of a strategy try, one job each; none for an untuned one or a probe."""
    rates = config["strategies"][strategy]["learning_rate"]
    return rates if isinstance(rates, list) else []
