"""A run's trained network, ready to use outside of the study: `load(folder).predict(images)`."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ftbench.base import verified
from ftbench.base.digests import refuse_damaged
from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.data.decode.stored import as_stored
from ftbench.model import backbones
from ftbench.model.backbones import Backbone
from ftbench.study import kinds
from ftbench.study.paths import weights_stem

BATCH = 256


@dataclass
class Trained:
    """A network with what it needs beside its weights; `backbone.network` is the torch module, in evaluation mode."""

    backbone: Backbone
    classes: list[str]
    about: dict  # train.json: how images were stored

    def predict(self, images: Iterable) -> np.ndarray:
        """Probabilities (N, C) float32 of N raw images of any size, each a file, a PIL image or an (H, W, 3) uint8 array.

        Each enters as the study's own did (`ftbench.data.decode.stored`): turned, scaled, cut or padded to the stored size, then resized and
        normalized for the network.
        """
        parts, waiting = [], iter(images)
        with torch.inference_mode():
            while batch := [as_stored(image, self.about) for image in itertools.islice(waiting, BATCH)]:
                pixels = torch.from_numpy(np.stack(batch))
                parts.append(self.backbone.network(self.backbone.to_input(pixels)).softmax(dim=1))
        return torch.cat(parts).numpy() if parts else np.empty((0, len(self.classes)), np.float32)


def load(folder: str | Path, resources: str | Path = "resources") -> Trained:
    """The network of the run in `folder`, results/<study>/runs/<dataset>/<backbone>/<strategy>/seed<k>, on the CPU in float32.

    What is fitted on features saved its linear head alone: the rest is read from the pretrained weights below `resources`. Raises
    InputError if the run diverged, if its strategy fits no linear head, and if a file is missing or is not the one that was written.
    """
    folder = Path(folder)
    above = folder.absolute().parents
    if len(above) < 5:
        raise InputError(
            f"{folder} is no folder of a run; give results/<study>/runs/<dataset>/<backbone>/<strategy>/seed<k>."
        )
    data = above[4] / "data" / above[2].name
    record, classes, about = (_read(path) for path in (folder / "run.json", data / "classes.json", data / "train.json"))
    if record["status"] == "diverged":
        raise InputError(f"{folder} diverged and has no network; take another seed or strategy.")
    facts = kinds.declared(record["kind"])
    if facts.get("together"):
        raise InputError(
            f"{folder} answers with the networks of all seeds of {record['of']} together and has none of its own; take one of those runs."
        )
    if facts["engine"] == "given":
        raise InputError(
            f"{folder} holds predictions from outside and has no network here; take a run that was trained here."
        )
    on_features = facts["engine"] == "features"
    if on_features and not facts.get("linear_head"):
        raise InputError(
            f"{folder} is of kind {record['kind']}, which has no network of its own; take another strategy."
        )
    network = record["network"]
    weights, normalization = None, record.get("normalization")
    if on_features:
        stem = weights_stem(network, resources)
        weights, normalization = Path(f"{stem}.safetensors"), _read(Path(f"{stem}.json"))
    backbone = backbones.build(network, len(classes), 0, weights, normalization)
    refuse_damaged(folder / "model.safetensors", record["digests"]["model_file"])
    state = load_file(folder / "model.safetensors")
    if on_features:
        backbone.take_head(state)
    else:
        backbone.network.load_state_dict(state)
    backbone.network.eval()
    return Trained(backbone, classes, about)


def _read(path: Path):
    if not path.exists():
        raise InputError(f"{path} is missing; give the folder of a finished run, in the results of its study.")
    verified.check([path])
    return read_json(path)
