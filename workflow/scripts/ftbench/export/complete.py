"""A run as one torch module: stored pixels in, logits and features out, whatever the strategy.

LoRA was merged and the moving average applied when the run was saved. A probe's head is joined to its backbone here, and nearest
neighbours become layers: their bank of training features is a buffer.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ftbench.base.digests import refuse_damaged
from ftbench.base.errors import InputError
from ftbench.export.finished import Finished, pooled
from ftbench.model import backbones, heads
from ftbench.model.backbones import Backbone
from ftbench.predict import trained
from ftbench.study import kinds
from ftbench.study.paths import weights_stem
from ftbench.train.strategies import knn, load_fitted

LARGEST_BANK = 1_500_000_000  # bytes in float32; a file of ONNX ends at 2 GB


class Resize(nn.Module):
    """torch's antialiased bilinear resize from one size to another as two matrix products.

    It is a linear map of rows and one of columns, whose matrices torch's own function gives. So every runtime computes the same,
    whatever its own resize does.
    """

    def __init__(self, stored: tuple[int, int], size: int):
        super().__init__()
        for name, length in (("resize_rows", stored[0]), ("resize_columns", stored[1])):
            identity = torch.eye(length)[None, None]  # the resize of its rows alone is the matrix
            matrix = F.interpolate(identity, (size, length), mode="bilinear", align_corners=False, antialias=True)
            # (size, length) from the left, (length, size) from the right: a transpose in the graph would hide the name
            self.register_buffer(name, (matrix[0, 0] if name == "resize_rows" else matrix[0, 0].T).contiguous())

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.resize_rows @ pixels @ self.resize_columns


class Neighbours(nn.Module):
    """The votes of the nearest training images as `ftbench.train.strategies.knn` has them, from features (B, D) to (B, C)."""

    def __init__(self, fitted: dict[str, torch.Tensor]):
        super().__init__()
        self.k, self.classes = fitted["k_and_classes"].tolist()
        self.register_buffer("bank", fitted["bank"].float().T.contiguous())  # (D, N), as the product takes it
        self.register_buffer("one_hot", F.one_hot(fitted["labels"].long(), self.classes).float())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        length = features.square().sum(1, keepdim=True).sqrt().clamp_min(1e-12)  # as F.normalize
        cosines, nearest = (features / length @ self.bank).topk(self.k, dim=1)
        votes = ((cosines / knn.TEMPERATURE).exp()[:, :, None] * self.one_hot[nearest]).sum(1)
        return (votes / votes.sum(1, keepdim=True) + knn.UNSEEN).log()


class Complete(nn.Module):
    """(B, H, W, 3) uint8 of the stored size -> logits (B, C) and features (B, D) float32.

    Features are the head's input; a network without such a vector has none, and they are (B, 0).
    """

    def __init__(self, backbone: Backbone, stored: tuple[int, int], neighbours: Neighbours | None = None):
        super().__init__()
        self.network, self.heads, self.neighbours = backbone.network, backbone.heads, neighbours
        self.normalization = {"mean": backbone.mean, "std": backbone.std}
        self.stored, self.image_size, self.options = stored, backbone.image_size, backbone.options
        same = stored == (backbone.image_size, backbone.image_size)
        self.resize = None if same else Resize(stored, backbone.image_size)
        for name, values in self.normalization.items():
            self.register_buffer(f"input_{name}", torch.tensor(values).view(3, 1, 1) * 255)
        self.readers = _readers(backbone)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = images.permute(0, 3, 1, 2).float()
        if self.resize is not None:
            pixels = self.resize(pixels)
        with heads.captured(self.network, self.heads) as inputs:
            logits = self.network((pixels - self.input_mean) / self.input_std)
        parts = [inputs[name].flatten(1) for name in self.readers]
        features = torch.cat(parts, dim=1) if parts else logits[:, :0]
        return (logits if self.neighbours is None else self.neighbours(features)), features


@torch.no_grad()
def _readers(backbone: Backbone) -> list[str]:
    """One head for each different vector that heads read: a graph cannot ask whether two tensors are the same memory."""
    backbone.network.eval()
    with heads.captured(backbone.network, backbone.heads) as inputs:
        backbone.network(torch.zeros(1, 3, backbone.image_size, backbone.image_size))
    return [names[0] for _, names in heads.vectors(inputs)]


class Calibrated(nn.Module):
    """The same with probabilities (B, C) at a temperature in the place of logits."""

    def __init__(self, complete: Complete, temperature: float):
        super().__init__()
        self.complete, self.temperature = complete, temperature

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, features = self.complete(images)
        return torch.softmax(logits / self.temperature, dim=1), features


def load(run: Finished) -> Complete:
    """The run's network on the CPU, in float32 and evaluation mode.

    Raises InputError if the run is pooled of several folds, diverged or a file is missing or damaged, and for nearest neighbours whose bank is too large.
    """
    record, about = run.read("run.json"), run.read("train.json", of_data=True)
    if "folds" in record:
        raise InputError(f"{run.folder} is {pooled(run.cell[0], len(record['folds']), run.cell[0])}.")
    facts = kinds.declared(record["kind"])
    neighbours = None
    if facts["engine"] == "features" and not facts.get("linear_head"):
        backbone, neighbours = _with_neighbours(run, record)
    else:
        backbone = trained.load(run.folder, run.resources).backbone
    return Complete(backbone, tuple(about["size"]), neighbours).eval().requires_grad_(False)


def _with_neighbours(run: Finished, record: dict) -> tuple[Backbone, Neighbours]:
    if record["status"] == "diverged":
        raise InputError(f"{run.folder} diverged and has no network; take another seed or strategy.")
    if not kinds.declared(record["kind"]).get("bank"):
        raise InputError(f"{run.folder} is of kind {record['kind']}, which no graph of a network can stand for; take another strategy.")  # fmt: skip
    model = run.folder / "model.safetensors"
    refuse_damaged(model, record["digests"]["model_file"])
    fitted = load_fitted(model)
    size = fitted["bank"].numel() * 4
    if size > LARGEST_BANK:
        raise InputError(
            f"{run.folder} keeps {len(fitted['bank']):,} training images to compare with, {size / 1e9:.1f} GB, and a file of ONNX holds at "
            f"most {LARGEST_BANK / 1e9:.1f} GB of them; take another strategy, or a train_limit."
        )
    network = record["network"]
    weights, statistics = pretrained(run, network)
    return backbones.build(network, 2, 0, weights, statistics), Neighbours(fitted)


def pretrained(run: Finished, network: dict) -> tuple[Path, dict]:
    """The pretrained weights of a backbone's entry, and their record."""
    stem = weights_stem(network, run.resources)
    weights, record = Path(f"{stem}.safetensors"), run.read_optional(Path(f"{stem}.json"))
    if record is None or not weights.exists():
        raise InputError(f"{weights} is missing; start the study again, which fetches it.")
    return weights, record


def state(complete: Complete) -> dict[str, torch.Tensor]:
    """All tensors of a run under the names of its library; nearest neighbours add neighbours.bank and neighbours.one_hot."""
    tensors = dict(complete.network.state_dict())
    if complete.neighbours is not None:
        tensors |= {f"neighbours.{name}": tensor for name, tensor in complete.neighbours.state_dict().items()}
    return {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
