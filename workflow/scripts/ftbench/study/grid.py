"""The grid of a study: data sets × backbones × strategies × seeds, without what cannot or shall not run."""

from typing import NamedTuple

from ftbench.study.kinds import declared


class Cell(NamedTuple):
    """One row of the comparison table: a backbone, fine-tuned by a strategy, on a data set."""

    dataset: str
    backbone: str
    strategy: str


def excluded(cell: Cell, patterns: list[dict]) -> bool:
    """Whether one of the `exclude` entries matches: each names a data set, backbone or strategy (or a list of them)."""

    def matches(pattern: dict) -> bool:
        return all(
            getattr(cell, axis) in (names if isinstance(names, list) else [names]) for axis, names in pattern.items()
        )

    return any(matches(pattern) for pattern in patterns)


def admits(backbone: dict, strategy: dict) -> bool:
    """Whether the strategy can start from this backbone: one without weights cannot be fine-tuned."""
    return backbone["weights"] != "none" or declared(strategy["kind"])["start"] in ("random", "any")


def cells(config: dict) -> list[Cell]:
    """Every cell of the study, in the order of the config: the order of the tables and of the colours."""
    product = (
        Cell(dataset, backbone, strategy)
        for dataset in config["datasets"]
        for backbone in config["backbones"]
        for strategy in config["strategies"]
    )
    return [
        cell
        for cell in product
        if not excluded(cell, config["exclude"])
        and admits(config["backbones"][cell.backbone], config["strategies"][cell.strategy])
    ]


def seeds_of(config: dict, strategy: str) -> list[int]:
    """The seeds that a strategy runs with: `seeds`, or just 0 if nothing in it is random."""
    return config["seeds"] if declared(config["strategies"][strategy]["kind"])["stochastic"] else [0]


def trials_of(config: dict, strategy: str) -> list[float]:
    """The learning rates that the tuning jobs of a strategy try, one job each; none for an untuned one or a probe."""
    rates = config["strategies"][strategy]["learning_rate"]
    return rates if isinstance(rates, list) else []
