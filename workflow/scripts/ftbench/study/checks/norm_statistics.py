"""Frozen statistics of batch norms are those of pretraining: a network that starts from random weights has none worth keeping."""

from ftbench.base.errors import InputError
from ftbench.study import grid, kinds, settings


def check_norm_statistics(config: dict) -> None:
    """Raise InputError where a cell would keep the statistics of a network that has seen no image."""
    for cell in grid.trained(config, grid.cells(config)):
        entry = config["strategies"][cell.strategy]
        if kinds.declared(entry["kind"])["engine"] != "loop" or entry["recipe"]["norm_statistics"] == "batch":
            continue
        if settings.start(config, cell) not in grid.PRETRAINED:
            raise InputError(
                f"config: strategies.{cell.strategy}.norm_statistics is frozen, but it starts from random weights on backbones."
                f"{cell.backbone}, whose batch norms have seen no image yet; set it to batch for this strategy."
            )
