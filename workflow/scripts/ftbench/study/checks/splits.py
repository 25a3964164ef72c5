"""What is checked of a study in which every seed has a split of its own."""

from ftbench.base.errors import InputError
from ftbench.study import grid, kinds

LARGEST_SEED = 2**64 - 1  # that torch takes


def check_splits(config: dict) -> None:
    """No trial has the seed of a final run, and nothing needs one validation part for all seeds."""
    _seeds(config)
    if not grid.own_splits(config):
        return
    for name, entry in config["strategies"].items():
        if kinds.declared(entry["kind"])["engine"] == "runs":
            raise InputError(
                f"config: strategies.{name} has the kind {entry['kind']}, which brings together networks of several seeds or parts, and splits is "
                "per_seed: what validates for one seed was trained on by another; remove it, or set splits: shared."
            )
    for cell in grid.cells(config):
        weights = config["backbones"].get(cell.backbone, {}).get("weights", "none")
        if weights.startswith(f"run:{config['study']}/{cell.dataset}/"):
            raise InputError(
                f"config: backbones.{cell.backbone}.weights is {weights}, a run on one seed's split of {cell.dataset}, and splits is per_seed: "
                "what validates for another seed was trained on by it; leave that data set out by exclude, or set splits: shared."
            )
    for name, entry in config["datasets"].items():
        if entry["validation"] == "given":
            raise InputError(
                f"config: datasets.{name}.validation is given, so that no split is drawn, and splits is per_seed; set validation: merge, or "
                "splits: shared."
            )
        if entry["drop_label_issues"]:
            raise InputError(
                f"config: datasets.{name}.drop_label_issues is {entry['drop_label_issues']}, which leaves images out of the training part of one "
                "split, and splits is per_seed; set it to 0, or splits: shared."
            )


def _seeds(config: dict) -> None:
    tuning, seeds = config["tuning"]["seed"], config["seeds"]
    if not grid.own_splits(config):
        if tuning in seeds:
            raise InputError(
                f"config: tuning.seed is {tuning}, which is also one of seeds; choose another, "
                "so that no final run repeats the trial that selected its recipe."
            )
        return
    both = sorted({tuning + seed for seed in seeds} & set(seeds))
    if both or tuning + max(seeds) > LARGEST_SEED:
        raise InputError(
            f"config: tuning.seed is {tuning}; with splits per_seed the trials of each seed have this number more, "
            + (
                f"which for {both[0] - tuning} is {both[0]}, one of seeds; "
                if both
                else f"which is above {LARGEST_SEED}; "
            )
            + "choose another."
        )
