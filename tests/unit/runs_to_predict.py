"""A test part and finished runs of several seeds, as jobs leave them."""

import small
from safetensors.torch import save_file

from ftbench.base.files import write_json


def seed_run(folder, seed, status="finished"):
    """A run's record and model, as train() writes them; its normalization is its own."""
    backbone = small.backbone(seed)
    statistics = {"mean": [0.3 + seed / 10] * 3, "std": [0.2] * 3}
    backbone.mean, backbone.std = statistics["mean"], statistics["std"]
    model, record = folder / f"{seed}.safetensors", folder / f"{seed}.json"
    save_file(backbone.network.state_dict() if status == "finished" else {}, model)
    write_json(record, {"status": status, "normalization": statistics})
    return backbone, str(model), str(record), str(folder / f"{seed}.npz")
