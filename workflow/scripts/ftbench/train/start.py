"""What a trial or run starts from: its files, and the network that its strategy begins with."""

from pathlib import Path

from safetensors.torch import load_file

from ftbench.model import backbones
from ftbench.model.backbones import Backbone


def input_files(given) -> dict:
    """The `inputs` of a run from a rule's named inputs, in which an input that this cell lacks is an empty list."""
    files = {name: value if value else None for name, value in given.items()}
    probe = {"model": files.pop("probe_model"), "cost": files.pop("probe_cost")}
    return files | {"probe": probe if probe["model"] else None}


def build(run: dict, inputs: dict, classes: int, statistics: dict) -> Backbone:
    """The network that the strategy starts from: random, pretrained with a random head, or with the probe's head."""
    weights = Path(inputs["weights"]) if inputs["weights"] else None
    backbone = backbones.build(run["network"], classes, run["seed"], weights, statistics)
    if inputs["probe"]:
        head = load_file(inputs["probe"]["model"])
        backbone.network.load_state_dict(head, strict=False)
        if set(head) != set(backbone.head_parameters()):
            raise RuntimeError(f"the probe holds {sorted(head)}, not the head {backbone.head_parameters()}")
    return backbone
