"""Features of a frozen backbone, computed once and shared by every strategy that is fitted on them."""

import time
from pathlib import Path

import numpy as np

from ftbench.base.digests import digest, sha256_of_file
from ftbench.base.files import read_json, write_json, write_npy
from ftbench.data.images import Images
from ftbench.data.split import training_rows
from ftbench.machine import devices
from ftbench.model import backbones

BATCH = 256


def extract_features(
    run: dict,
    images: str,
    weights: str,
    record: str,
    out: str,
    cost: str,
    split: str | None = None,
    data: str | None = None,
) -> None:
    """Write the frozen backbone's features, (N, D) float32, of the images without augmentation, and what they cost.

    With `split`, the rows are `training_rows(split)` in that order, otherwise all images, and then `data` is their test.json: either
    says what sha256 the images must have. `run` has network (a
    backbone's config), device, precision, channels_last, deterministic and threads; `record` is the weights' JSON.
    `cost` gets feature_seconds, images_per_second, peak_memory_mb, head, dimension, total_params and digest.
    """
    start = time.perf_counter()
    device = devices.set_up(run)
    source = read_json(record)
    backbone = backbones.build(run["network"], 2, 0, Path(weights), source)
    backbones.prepare(backbone, run, device)
    store = Images(images, device)
    if split or data:
        store.check(str(np.load(split)["images_sha256"]) if split else read_json(data)["sha256"]["images"])
    rows = training_rows(split) if split else np.arange(len(store))

    def batches():
        for first in range(0, len(rows), BATCH):
            yield store.batch(rows[first : first + BATCH])
            done = min(first + BATCH, len(rows))
            if done == len(rows) or first // BATCH % 20 == 0:
                print(f"{done}/{len(rows)} images, {done / (time.perf_counter() - start):.0f} images/s")

    _, vectors = backbones.predict(backbone, batches(), devices.autocast(device, run["precision"]), features=True)
    write_npy(out, vectors)
    seconds = time.perf_counter() - start
    head = set(backbone.head_parameters())
    backbone_params = sum(p.numel() for name, p in backbone.network.named_parameters() if name not in head)
    write_json(
        cost,
        {
            "feature_seconds": seconds,
            "images": len(rows),
            "images_per_second": len(rows) / seconds,
            "peak_memory_mb": devices.peak_memory_mb(device),
            "threads": run["threads"],
            "device": device.type,
            "device_name": devices.device_name(device),
            "head": backbone.head,
            "dimension": vectors.shape[1],
            "backbone_params": backbone_params,
            "digest": sha256_of_file(out),
            "identity": digest({"network": run["network"], "weights": source["sha256"], "precision": run["precision"]}),
        },
    )
