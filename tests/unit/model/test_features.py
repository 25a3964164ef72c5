from pathlib import Path

import numpy as np
import pytest
import small
import torch
from safetensors.torch import load_file

from ftbench.base.digests import sha256_of_file
from ftbench.base.files import read_json
from ftbench.data.split import training_rows
from ftbench.model import backbones, features
from ftbench.model.features import extract_features


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    return small.study(folder / "data") | small.weights(folder)


def extract(folder, inputs, split=True, **changes):
    out, cost = str(folder / "f.npy"), str(folder / "cost.json")
    run = small.run("linear_probe", **changes)
    extract_features(run, inputs["images"], inputs["weights"], inputs["record"], out, cost, inputs["split"] if split else None)  # fmt: skip
    return np.load(out), read_json(cost)


def direct(inputs, rows):
    """The features by a forward pass of the network without its head."""
    backbone = small.backbone()
    state = {name: t for name, t in load_file(inputs["weights"]).items() if not name.startswith("fc.")}
    backbone.network.load_state_dict(state, strict=False)
    backbone.network.fc = torch.nn.Identity()
    images = torch.from_numpy(np.load(inputs["images"])[rows])
    with torch.no_grad():
        return backbone.network.eval()(backbone.to_input(images)).numpy()


def test_features_are_the_pretrained_networks_output_before_its_head(inputs, tmp_path):
    vectors, cost = extract(tmp_path, inputs)
    assert vectors.dtype == np.float32 and vectors.shape == (60, 64) == (cost["images"], cost["dimension"])
    assert np.allclose(vectors, direct(inputs, np.arange(60)), atol=1e-5)
    assert cost["head"] == "fc" and cost["digest"] == sha256_of_file(tmp_path / "f.npy")
    assert cost["backbone_params"] == 77_587 - 195
    assert cost["feature_seconds"] > 0 and cost["images_per_second"] > 0 and cost["peak_memory_mb"] > 10


def test_rows_are_those_of_the_split_in_order_and_all_without_one(inputs, tmp_path):
    parts = np.load(inputs["split"])
    few = {"train": parts["train"][::3], "validation": parts["validation"][::2]}
    np.savez(tmp_path / "few.npz", **dict(parts) | few)
    rows = training_rows(tmp_path / "few.npz")
    assert (np.diff(rows) > 0).all()
    assert set(rows) == set(parts["train"][::3]) | set(parts["validation"][::2])
    few, _ = extract(tmp_path, inputs | {"split": str(tmp_path / "few.npz")})
    everything, _ = extract(tmp_path, inputs, split=False)
    assert len(everything) == 60 and np.allclose(few, everything[rows], atol=1e-5)


def test_the_batch_size_does_not_matter(inputs, tmp_path, monkeypatch):
    whole, _ = extract(tmp_path, inputs)
    monkeypatch.setattr(features, "BATCH", 7)
    parts, _ = extract(tmp_path, inputs)
    assert np.allclose(whole, parts, atol=1e-5)


def test_the_same_inputs_give_the_same_bytes_and_leave_the_weights_alone(inputs, tmp_path):
    before = Path(inputs["weights"]).read_bytes()
    extract(tmp_path, inputs)
    first = (tmp_path / "f.npy").read_bytes()
    torch.manual_seed(77)
    extract(tmp_path, inputs)
    assert (tmp_path / "f.npy").read_bytes() == first and Path(inputs["weights"]).read_bytes() == before


def test_the_identity_follows_what_may_change_the_features(inputs, tmp_path):
    first, second, other, coarse = (
        extract(tmp_path, inputs, **changes)[1]["identity"]
        for changes in ({}, {"threads": 2}, {"network": {"image_size": 16}}, {"precision": "bfloat16"})
    )
    torch.set_num_threads(1)
    assert first == second and len({first, other, coarse}) == 3


def test_the_backbone_is_frozen_while_it_looks(inputs, tmp_path, monkeypatch):
    seen = []
    original = backbones.predict

    def predict(backbone, *rest, **options):
        before = {name: tensor.clone() for name, tensor in backbone.network.state_dict().items()}
        result = original(backbone, *rest, **options)
        seen.append(all(torch.equal(t, before[n]) for n, t in backbone.network.state_dict().items()))
        return result

    monkeypatch.setattr(backbones, "predict", predict)
    extract(tmp_path, inputs)
    assert seen == [True]  # batch norms have not adapted
