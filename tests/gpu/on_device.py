"""A run in small, on any device: the files of a data set, and the settings of a job as the workflow hands them over.

Written out instead of made by `ftbench.study`, which reads YAML and schemas: these tests run where nothing but torch's wheels are.
The same bodies run on the CPU with every `make test`, so that the settings here cannot fall behind.
"""

import csv
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ftbench.base.files import read_json, write_json, write_npy, write_npz
from ftbench.data.images import Data, read_data
from ftbench.machine import devices
from ftbench.model import backbones, freezing
from ftbench.train import loop, strategies
from ftbench.train import run as training
from ftbench.train.step import Step

CLASSES, SIZE = 3, 16
STATISTICS = {"mean": [0.4, 0.5, 0.6], "std": [0.25, 0.2, 0.3]}
RECIPE = {
    "epochs": 2, "batch_size": 8, "optimizer": "adamw", "momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "schedule": "cosine",
    "warmup_steps": 1, "norm_momentum": 0.1, "label_smoothing": 0.0, "augmentation": "crop_flip", "examples": None, "patience": None,
    "accumulate": 1, "clip_norm": None, "class_weights": "none", "mixup": 0.0, "cutmix": 0.0, "ema_decay": 0.0, "image_sizes": None,
}  # fmt: skip
NETWORK = {"source": "ftbench", "model": "resnet8", "weights": "none", "activation": None, "image_size": SIZE, "mean": None, "std": None}  # fmt: skip
# With dropout behind its pooling, and with depthwise convolutions.
DROPOUT = NETWORK | {"source": "torchvision", "model": "mobilenet_v3_small", "image_size": 32}


def images(count: int, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """(count, size, size, 3) uint8 and labels: the channel of an image's class is brighter, under noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % CLASSES
    pixels = rng.normal(110, 45, (count, size, size, 3))
    pixels[np.arange(count), :, :, labels] += 60
    return np.clip(pixels, 0, 255).astype(np.uint8), labels.astype(np.int64)


def study(folder: Path, count: int = 36, size: int = SIZE) -> dict:
    """Write the files of a data set; a third of the images validate. Returns the `inputs` of a run from random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels, labels = images(count, size)
    write_npy(folder / "images.npy", pixels)
    validation = np.arange(count)[2 * count // 3 :]
    parts = {"train": np.arange(2 * count // 3), "validation": validation, "labels": labels, "classes": CLASSES}
    write_npz(folder / "split.npz", **parts, digest="d" * 64, images_sha256=sha256(pixels).hexdigest(), cleaning="{}")
    write_json(folder / "normalization.json", STATISTICS)
    names = {"images": "images.npy", "split": "split.npz", "normalization": "normalization.json"}
    given = {key: str(folder / name) for key, name in names.items()}
    return given | {"weights": None, "record": None, "probe": None}


def settings(device: torch.device, recipe: dict | None = None, **changes) -> dict:
    """The settings of a run from random weights, with what a test changes."""
    given = {
        "dataset": "colours", "backbone": "network", "strategy": "scratch", "kind": "scratch", "seed": 0, "selection_metric": "accuracy",
        "device": device.type, "precision": "float32", "channels_last": True, "crop_kernels": True, "compile": False,
        "deterministic": False, "threads": 1, "gpus_per_run": 1, "network": NETWORK, "recipe": RECIPE | (recipe or {}),
    }  # fmt: skip
    return given | changes


def train(folder: Path, inputs: dict, run: dict) -> dict:
    """Train a run into `folder`: {"history": rows, "model": tensors, "run": record, "cost": measured}."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {"status": "finished", "diverged": None, "tuned": True, "recipe": run["recipe"] | {"learning_rate": 0.003}}
    write_json(folder / "recipe.json", chosen)
    names = {"model": "model.safetensors", "history": "history.csv", "run_json": "run.json", "cost": "cost.json",
             "val_logits": "val_logits.npz", "resume": "model.resume"}  # fmt: skip
    outputs = {key: str(folder / name) for key, name in names.items()}
    training.train(run=run, code="c", inputs=inputs, recipe=str(folder / "recipe.json"), **outputs)
    with (folder / "history.csv").open() as stream:
        history = list(csv.DictReader(stream))
    records = {name: read_json(folder / f"{name}.json") for name in ("run", "cost")}
    return {"history": history, "model": load_file(folder / "model.safetensors"), **records}


def train_for_ever(folder: str, inputs: dict, run: dict) -> None:
    """What a process does that is killed: a state is saved after every epoch."""
    loop.EPOCH_SAVE_SECONDS = -1.0
    train(Path(folder), inputs, run)


def losses(result: dict) -> list[float]:
    return [float(row["train_loss"]) for row in result["history"]]


def step_of(device: torch.device, inputs: dict, recipe: dict | None = None, **changes) -> Step:
    """The first steps of a run: its network on the device, and what takes a step."""
    run = settings(device, recipe, **changes)
    devices.set_up(run)
    data: Data = read_data(inputs, device)
    backbone = backbones.build(run["network"], CLASSES, 0, None, STATISTICS)
    backbones.prepare(backbone, run, device)
    freezing.freeze(backbone, strategies.load(run["kind"]).trainable(backbone))
    step = Step(backbone, data, run, run["recipe"] | {"learning_rate": 0.003}, device)
    step.seed(0)
    step.open_epoch(0)
    return step
