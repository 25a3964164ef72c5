"""What `ftbench check` finds by building a study's networks, each fault in a sentence."""

import copy
import time

import pytest
import torch
from safetensors.torch import save_file

from ftbench.model import architectures
from ftbench.study import config
from ftbench.tools.try_networks import faults

STUDY = {
    "study": "tried",
    "seeds": [0],
    "datasets": {"digits": {"source": "digits"}},
    "backbones": {"small": {"source": "ftbench", "model": "resnet8", "image_size": 8}},
    "strategies": {"scratch": {"kind": "scratch"}},
}


def found(**changes) -> list[str]:
    study = copy.deepcopy(STUDY)
    for key, value in changes.items():
        table, name = key.split("__")
        study[table].setdefault(name, {}).update(value)
    return list(faults(config.resolve(study)))


def test_nothing_is_wrong_with_a_study_that_runs():
    assert found() == []


@pytest.mark.parametrize(
    "entry, says",
    [
        ({"source": "timm", "model": "vit_tiny_patch16_224", "image_size": 100}, "do not divide image_size 100"),
        ({"source": "timm", "model": "resnot18", "image_size": 32}, "close names: "),
        ({"model": "alexnet", "image_size": 32}, "cannot run at image_size 32"),
        ({"source": "timm", "model": "test_vit", "image_size": 160, "weights": "r161_in1k"}, "valid: r160_in1k"),
        ({"source": "timm", "model": "test_vit", "image_size": 64, "activation": "prelu"}, "has no ReLU module to replace"),
    ],
)  # fmt: skip
def test_a_backbone_that_cannot_be_had_is_one_sentence(entry, says):
    (sentence,) = found(backbones__other=entry, strategies__tutorial={"kind": "tutorial"})
    assert sentence.startswith("backbones.other: ") and says in sentence and "\n" not in sentence


@pytest.mark.parametrize(
    "entry, sizes, says",
    [
        ({"source": "timm", "model": "vit_tiny_patch16_224", "image_size": 64}, [48, 64], "cannot run at size 48 of image_sizes"),
        ({"source": "timm", "model": "test_vit", "image_size": 64}, [48, 64], ""),  # its positions fit any size
        ({"source": "timm", "model": "convnext_atto", "image_size": 64}, [40, 64], "do not divide size 40 of image_sizes"),
        ({"model": "alexnet", "image_size": 64}, [32, 64], "leave that size out, or train it at its own size alone"),
        ({"source": "timm", "model": "tf_efficientnet_lite0", "image_size": 64}, [40, 48, 64], ""),
    ],
)  # fmt: skip
def test_sizes_that_a_network_cannot_train_at_are_one_sentence(entry, sizes, says):
    study = copy.deepcopy(STUDY) | {"backbones": {"other": entry}}
    study["strategies"]["scratch"]["image_sizes"] = sizes
    sentences = list(faults(config.resolve(study)))
    assert len(sentences) == bool(says)
    assert all(said.startswith("strategies.scratch on backbones.other: ") and says in said for said in sentences)


def with_cached_views(**changes) -> list[str]:
    """What is found of a strategy with cached views on a network that has weights."""
    weights = {"weights": "run:before/digits/small/scratch/0"}
    study = copy.deepcopy(STUDY) | {"backbones": {"small": STUDY["backbones"]["small"] | weights}} | changes
    study["strategies"] = {"last": {"kind": "last_block", "cached_views": 2}}
    return list(faults(config.resolve(study)))


@pytest.mark.parametrize(
    "changes, says",
    [
        ({}, ""),
        ({"cached_views_gb": 0.001}, "cached_views 2 for datasets.digits would take 0.0"),
        ({"datasets": {"digits": {"source": "digits", "train_limit": 5}}, "cached_views_gb": 0.001}, ""),
    ],
)  # fmt: skip
def test_views_that_are_too_large_are_one_sentence(changes, says):
    sentences = with_cached_views(**changes)
    assert len(sentences) == bool(says)
    assert all(said.startswith("strategies.last on backbones.small: ") and says in said for said in sentences)


def test_a_network_that_cannot_be_cut_is_one_sentence(monkeypatch):
    def trace(*_):
        raise TypeError

    monkeypatch.setattr("ftbench.model.prefix._Tracer.trace", trace)
    (sentence,) = with_cached_views()
    assert (
        "cannot be used with resnet8, since its forward pass cannot be recorded (TypeError); set it to null" in sentence
    )


def test_a_file_of_another_architecture_is_refused(tmp_path):
    save_file(dict(architectures.load("ftbench").build("resnet14", 3, 8).state_dict()), tmp_path / "w.safetensors")
    entry = {"source": "ftbench", "model": "resnet8", "image_size": 8, "weights": f"file:{tmp_path / 'w.safetensors'}"}
    entry |= {"mean": [0.5] * 3, "std": [0.25] * 3}
    (sentence,) = found(backbones__other=entry)
    assert "are of another architecture" in sentence


@pytest.mark.parametrize(
    "changes", [{"batch_size": 1}, {"batch_size": 4, "accumulate": 4}, {"batch_size": 4, "accumulate": 3}]
)
def test_one_image_at_a_time_is_refused_with_batch_norms_alone(changes):
    (sentence,) = found(strategies__scratch=changes)
    assert sentence.startswith("strategies.scratch on backbones.small: ") and "the batch norm bn1" in sentence
    plain = {"source": "timm", "model": "test_vit", "image_size": 64}
    study = copy.deepcopy(STUDY) | {"backbones": {"vit": plain}}
    study["strategies"]["scratch"] |= changes
    assert list(faults(config.resolve(study))) == []


@pytest.mark.parametrize("first", ["frozen", "batch"])
def test_strategies_that_differ_in_their_norms_alone_are_both_tried(first):
    study = copy.deepcopy(STUDY)
    study["backbones"] = {"network": {"model": "resnet18", "weights": "IMAGENET1K_V1", "image_size": 32}}
    order = {"frozen": ["frozen", "batch"], "batch": ["batch", "frozen"]}[first]
    study["strategies"] = {name: {"kind": "finetune", "batch_size": 1, "norm_statistics": name} for name in order}
    (sentence,) = faults(config.resolve(study))
    assert sentence.startswith("strategies.batch on backbones.network: ") and "norm_statistics: frozen" in sentence


def test_ten_backbones_take_less_than_a_minute_of_this_processs_own_time():
    study = copy.deepcopy(STUDY)
    study["backbones"] = {
        f"small{size}": {"source": "ftbench", "model": "resnet8", "image_size": size} for size in range(8, 18)
    }
    before = time.process_time()
    assert list(faults(config.resolve(study))) == []
    assert time.process_time() - before < 60
    assert torch.get_default_dtype() == torch.float32
