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


def start(config: dict, backbone: str, strategy: str) -> str:
    """Where a strategy starts on a backbone: "random", "pretrained" or "probe"."""
    entry = config["strategies"][strategy]
    fact = declared(entry["kind"])["start"]
    if fact == "of":
        return start(config, backbone, entry["of"])
    if fact != "any":
        return fact
    return "random" if config["backbones"][backbone]["weights"] == "none" else "pretrained"


def admits(config: dict, backbone: str, strategy: str) -> bool:
    """Whether the strategy can start from this backbone: one without weights cannot be fine-tuned."""
    entry = config["strategies"][strategy]
    begins = start(config, backbone, strategy)
    if declared(entry["kind"]).get("shared_start") and start(config, backbone, entry["of"]) == "random":
        return False
    return begins == "random" or config["backbones"][backbone]["weights"] != "none"


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


def cells(config: dict) -> list[Cell]:
    """Every cell of the study, in the order of the config: the order of the tables and of the colours."""
    product = (
        Cell(dataset, backbone, strategy)
        for dataset in config["datasets"]
        for backbone in config["backbones"]
        for strategy in config["strategies"]
    )
    admitted = [
        cell
        for cell in product
        if not excluded(cell, config["exclude"]) and admits(config, cell.backbone, cell.strategy)
    ]
    return [cell for cell in admitted if set(needed_by(config, cell)) <= set(admitted)]


def seeds_of(config: dict, strategy: str) -> list[int]:
    """The seeds that a strategy runs with: `seeds`, or just 0 if nothing in it is random."""
    return config["seeds"] if declared(config["strategies"][strategy]["kind"])["stochastic"] else [0]


def trials_of(config: dict, strategy: str) -> list[float]:
    """The learning rates that the tuning jobs of a strategy try, one job each; none for an untuned one or a probe."""
    rates = config["strategies"][strategy]["learning_rate"]
    return rates if isinstance(rates, list) else []
