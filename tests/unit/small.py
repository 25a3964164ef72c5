"""A study's files in small, for the tests of the first two floors: 8-pixel images of three colours and a ResNet-8.

`study(folder)` writes what the data jobs write; `weights(folder)` what fetch_weights writes; `run(...)` gives the
resolved settings of one job. A run over them takes a fraction of a second.
"""

import functools
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from ftbench.base.digests import sha256_of_file
from ftbench.base.files import read_json, write_json, write_npy, write_npz
from ftbench.data.images import Data, read_data
from ftbench.model import architectures, backbones, freezing
from ftbench.model.backbones import Backbone
from ftbench.model.features import extract_features
from ftbench.study import config, grid, kinds, settings
from ftbench.train import strategies
from ftbench.train.fit_on_features import fit_on_features

CLASSES = ["red", "green", "blue"]
SIZE = 8
STATISTICS = {"mean": [0.4, 0.5, 0.6], "std": [0.25, 0.2, 0.3]}
TRAINING = {
    "epochs": 3,
    "batch_size": 8,
    "optimizer": "adamw",
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_steps": 2,
    "norm_momentum": 0.1,
    "norm_statistics": "batch",
    "label_smoothing": 0.0,
    "augmentation": "crop_flip",
    "examples": None,
    "image_sizes": None,
    "patience": None,
    "accumulate": 1,
    "clip_norm": None,
    "class_weights": "none",
    "mixup": 0.0,
    "cutmix": 0.0,
    "ema_decay": 0.0,
}
PENALTIES = [0.001, 0.01, 0.1, 1.0]
# What trains or fits: all kinds but those that are made of finished runs, or given.
KINDS = [kind for kind in kinds.names("strategies") if kinds.declared(kind)["engine"] in ("loop", "features")]
OPTIONS = {"layer_decay": 0.75, "rank": 2, "pull": 0.01}  # of single kinds, given to all: each reads its own
RECIPE = TRAINING | OPTIONS
STUDY = config.resolve(
    {
        "study": "small",
        "seeds": [0],
        "device": "cpu",
        "precision": "float32",
        "channels_last": True,
        "crop_kernels": False,
        "deterministic": False,
        "threads": 1,
        "datasets": {"colours": {"source": "digits"}},
        "backbones": {"resnet8": {"source": "ftbench", "model": "resnet8", "weights": "none", "image_size": SIZE}},
        "training": TRAINING,
        "strategies": {kind: {"kind": kind} for kind in KINDS},
    }
)
NETWORK = settings.network(STUDY, "resnet8")
MACHINE = {key: STUDY[key] for key in settings.MACHINE}


def images(count: int, seed: int = 0, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """(count, size, size, 3) uint8 and labels: the class's channel is brighter, under noise that hides it a little."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    pixels = rng.normal(110, 45, (count, size, size, 3))
    pixels[np.arange(count), :, :, labels] += 40
    return np.clip(pixels, 0, 255).astype(np.uint8), labels.astype(np.int64)


def study(folder: Path, count: int = 60) -> dict:
    """Write the data of a study below `folder`: every third row validates. Returns the `inputs` of a scratch run."""
    pixels, labels = images(count)
    rows = np.arange(count)
    # Blocks of three rows hold one image of each class, so both parts are balanced.
    validation = rows[rows // len(CLASSES) % 3 == 2]
    write_npy(folder / "images.npy", pixels)
    write_npy(folder / "labels.npy", labels)
    pixels_sha256 = sha256(pixels).hexdigest()
    digests = {"digest": "d" * 64, "images_sha256": pixels_sha256}
    parts = {"train": np.setdiff1d(rows, validation), "validation": validation}
    write_npz(folder / "split.npz", **parts, labels=labels, classes=len(CLASSES), **digests)
    write_json(folder / "classes.json", CLASSES)
    write_json(
        folder / "train.json",
        {
            "images": count,
            "per_class": dict.fromkeys(CLASSES, count // len(CLASSES)),
            "digest": "d" * 64,
            "size": [SIZE, SIZE],
            "range": None,
            "given_validation": 0,
            "source": {"fit": "crop", "max_pixels": 10**8},
            "sha256": {"images": pixels_sha256, "labels": sha256_of_file(folder / "labels.npy")},
        },
    )
    write_json(folder / "normalization.json", STATISTICS)
    names = {
        "images": "images.npy",
        "labels": "labels.npy",
        "split": "split.npz",
        "classes": "classes.json",
        "data": "train.json",
        "normalization": "normalization.json",
    }
    given = {key: str(folder / name) for key, name in names.items()}
    return given | {"weights": None, "record": None, "probe": None}


def weights(folder: Path, seed: int = 7) -> dict:
    """Write random "pretrained" weights of a ResNet-8 with 5 outputs and their record; returns both paths."""
    torch.manual_seed(seed)
    network = architectures.load("ftbench").build("resnet8", 5, SIZE)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as if it had seen images
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    path, record = folder / "weights.safetensors", folder / "weights.json"
    save_file(network.state_dict(), path)
    write_json(record, {"sha256": sha256_of_file(path), **STATISTICS})
    return {"weights": str(path), "record": str(record), "normalization": None}


def run(
    kind: str = "scratch", seed: int = 0, recipe: dict | None = None, network: dict | None = None, **changes
) -> dict:
    """The resolved settings of one training job, with options of every kind in its recipe, and with what a test changes."""
    given = settings.run(STUDY, grid.Cell("colours", "resnet8", kind), seed)
    return given | {"network": NETWORK | (network or {}), "recipe": RECIPE | (recipe or {})} | changes


def selected(path: Path, recipe: dict, learning_rate: float | None = 0.01, **changes) -> str:
    """Write a selected.json; returns its path."""
    write_json(
        path,
        {
            "status": "finished",
            "diverged": None,
            "tuned": True,
            "recipe": recipe | {"learning_rate": learning_rate},
        }
        | changes,
    )
    return str(path)


def outputs(folder: Path) -> dict:
    """The outputs of a training job, below `folder`, by the names of train()'s arguments."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        "model": "model.safetensors",
        "history": "history.csv",
        "run_json": "run.json",
        "cost": "cost.json",
        "val_logits": "val_logits.npz",
        "resume": "model.resume",
    }
    return {key: str(folder / name) for key, name in names.items()}


def record(folder: Path) -> dict:
    return read_json(folder / "run.json")


def recipe(**changes) -> dict:
    """A recipe as the training loop takes it, learning rate included."""
    return RECIPE | {"learning_rate": 0.01} | changes


def backbone(seed: int = 0, kind: str = "scratch") -> Backbone:
    """A ResNet-8 from random weights, with what strategy `kind` moves set free."""
    result = backbones.build(NETWORK, len(CLASSES), seed, None, STATISTICS)
    freezing.freeze(result, strategies.load(kind).trainable(result))
    return result


def loop_data(inputs: dict) -> Data:
    """The data of `study` as the training loop takes them."""
    return read_data(inputs, torch.device("cpu"))


def _shipped() -> dict:
    """The backbones of the study and of the demo: the networks that have to work."""
    folder = Path(__file__).parents[2] / "config"
    return {
        name: entry
        for file in ("config.yaml", "demo.yaml")
        for name, entry in config.read(folder / file)["backbones"].items()
    }


META_BACKBONES = _shipped()


@functools.cache
def meta_network(name: str) -> tuple[dict, torch.nn.Module, str]:
    """(entry, network for 10 classes on torch's meta device, name of its head): shapes without the cost of numbers.

    Shared by all tests of a process: give it back as it was.
    """
    entry = META_BACKBONES[name]
    with torch.device("meta"):
        network = architectures.load(entry["source"]).build(entry["model"], 10, entry["image_size"])
    return entry, network, backbones.find_head(network, 10, entry["model"])


def probe_job(
    folder: Path, inputs: dict, features: str | None = None, features_cost: str | None = None, **changes
) -> dict:
    """Extract features (unless given) and fit a probe into `folder`; returns the paths of every file."""
    settings = run("linear_probe", grid=PENALTIES) | changes
    paths = outputs(folder) | {"selected": str(folder / "selected.json")}
    del paths["resume"]
    if features is None:
        features, features_cost = str(folder / "features.npy"), str(folder / "features_cost.json")
        extract_features(settings, inputs["images"], inputs["weights"], inputs["record"], features, features_cost, inputs["split"])  # fmt: skip
    fit_on_features(
        run=settings, code="c" * 16, features=features, features_cost=features_cost, labels=inputs["labels"],
        split=inputs["split"], classes=inputs["classes"], data=inputs["data"], record=inputs["record"], **paths,
    )  # fmt: skip
    return paths | {"features": features, "features_cost": features_cost}


def randomised(network: torch.nn.Module, scale: float = 0.02) -> torch.nn.Module:
    """As if it had been trained: no parameter is zero, and no running statistic is where it began."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(0, scale, generator=generator)
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._NormBase) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network
