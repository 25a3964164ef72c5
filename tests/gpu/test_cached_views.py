"""A frozen part that runs once: made on the device, read from its memory or batch by batch, the same run."""

import json
from hashlib import sha256

import numpy as np
import on_device
import pytest
import torch
from safetensors.torch import save_file

from ftbench.data import images as data
from ftbench.model import architectures
from ftbench.train.cache_views import cache_views


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views")
    torch.manual_seed(0)
    path, record = folder / "weights.safetensors", folder / "weights.json"
    save_file(architectures.load("ftbench").build("resnet8", 5, on_device.SIZE).state_dict(), path)
    record.write_text(json.dumps({"sha256": sha256(path.read_bytes()).hexdigest(), **on_device.STATISTICS}))
    return on_device.study(folder) | {"weights": str(path), "record": str(record), "normalization": None}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_on_cached_views_is_the_same_however_they_are_kept(device, inputs, tmp_path, precision, monkeypatch):
    run = on_device.settings(device, {"cached_views": 2}, kind="last_block", precision=precision, deterministic=True)
    paths = {
        "views": str(tmp_path / "views.npy"),
        "plain": str(tmp_path / "plain.npy"),
        "cost": str(tmp_path / "cost.json"),
    }
    files = {name: inputs[name] for name in ("images", "split", "weights", "record")}
    cache_views(run | {"augmentation": "crop_flip", "views": 2, "own_splits": False}, **files, **paths, limit_gb=1.0)
    assert np.load(paths["views"]).dtype == np.float16 and np.load(paths["views"]).any()
    cached = inputs | {"views": paths["views"], "plain": paths["plain"], "views_cost": paths["cost"]}
    resident = on_device.train(tmp_path / "resident", cached, run)
    monkeypatch.setattr(data, "free_bytes", lambda device: 0)
    read = on_device.train(tmp_path / "read", cached, run)
    assert (
        resident["run"]["status"] == "finished"
        and resident["run"]["digests"]["model"] == read["run"]["digests"]["model"]
    )
    assert resident["cost"]["view_seconds"] > 0
