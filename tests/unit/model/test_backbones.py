import numpy as np
import pytest
import small
import torch
from safetensors.torch import load_file
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model import backbones
from ftbench.model.backbones import Backbone

CPU = torch.device("cpu")


def plain(size=8, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, 4), nn.ReLU(), nn.Linear(4, 3))
    return Backbone(network, "3", size, list(mean), list(std))


def pictures(count=6, size=8, seed=0):
    return torch.from_numpy(small.images(count, seed, size)[0])


# --- input -----------------------------------------------------------------------------------------------------------


def test_the_input_is_normalized_by_the_backbones_own_statistics():
    images = pictures()
    result = plain(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2)).to_input(images)
    expected = (images.numpy() / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 0.2]
    assert result.dtype == torch.float32 and result.shape == (6, 3, 8, 8)
    assert np.allclose(result.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)
    assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("stored, wanted", [(8, 20), (20, 8), (8, 8)])
def test_images_are_resized_to_the_networks_size_and_a_flat_one_stays_flat(stored, wanted):
    flat = torch.full((2, stored, stored, 3), 100, dtype=torch.uint8)
    result = plain(wanted, mean=(0, 0, 0), std=(1 / 255,) * 3).to_input(flat)
    assert result.shape == (2, 3, wanted, wanted)
    assert torch.allclose(result, torch.tensor(100.0))


def test_shrinking_averages_instead_of_picking_pixels():
    stripes = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    stripes[:, :, ::4] = 200  # between the points that a plain bilinear resize would look at
    result = plain(8, mean=(0, 0, 0), std=(1 / 255,) * 3).to_input(stripes)
    assert (result - 50).abs().max() < 15  # the borders weigh fewer pixels


# --- head ------------------------------------------------------------------------------------------------------------


def test_the_head_is_the_last_linear_layer_with_that_many_outputs():
    network = nn.ModuleDict({"a": nn.Linear(2, 3), "b": nn.Linear(2, 3), "c": nn.Linear(3, 2)})
    assert backbones.find_head(network, 3, "m") == "b"


@pytest.mark.parametrize("network", [nn.Sequential(nn.Conv2d(3, 3, 3)), nn.Sequential(nn.Linear(2, 5), nn.ReLU())])
def test_a_network_without_a_linear_head_is_refused_by_name(network):
    with pytest.raises(InputError, match=r"^config: the model 'squeezy' does not end in a linear layer.*\.$"):
        backbones.find_head(network, 3, "squeezy")


HEADS = {"vgg16_bn_64": "classifier.6", "mobilenet_v3_large_128": "classifier.3", "efficientnet_b0_128": "classifier.1",
         "convnext_tiny_96": "classifier.2", "vit_b_16_96": "heads.head", "efficientnet_lite0": "classifier"}  # fmt: skip


@pytest.mark.parametrize("name", small.META_BACKBONES)
def test_the_heads_of_the_study(name):
    assert small.meta_network(name)[2] == HEADS.get(name, "fc")


def test_features_are_the_heads_input_and_logits_its_output():
    backbone = small.backbone()
    backbone.network.eval()
    with torch.no_grad():
        features, logits = backbone.features_and_logits(pictures())
        assert torch.equal(backbone.network(backbone.to_input(pictures())), logits)
        assert torch.equal(backbone.head_module(features), logits)
    assert features.shape == (6, 64)
    assert not backbone.head_module._forward_pre_hooks  # the hook is gone


# --- building --------------------------------------------------------------------------------------------------------


def build(weights=None, seed=0, classes=3, statistics=small.STATISTICS, **changes):
    return backbones.build(small.NETWORK | changes, classes, seed, weights, statistics)


def test_random_weights_follow_from_the_seed():
    first, same, other = (build(seed=seed).network.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_pretrained_weights_are_all_loaded_but_for_the_head_which_starts_at_zero(tmp_path):
    paths = small.weights(tmp_path)
    saved = load_file(paths["weights"])
    backbone = build(paths["weights"])
    for name, tensor in backbone.network.state_dict().items():
        if name in backbone.head_parameters():
            assert not tensor.any() and len(tensor) == 3  # the file's has 5 outputs
        else:
            assert torch.equal(tensor, saved[name]), name
    backbone.network.eval()
    with torch.no_grad():
        assert not backbone.features_and_logits(pictures())[1].any()  # every class equally likely before the first step


def test_the_entrys_statistics_win_over_the_weights_own():
    assert build().mean == small.STATISTICS["mean"] and build().std == small.STATISTICS["std"]
    own = build(mean=[0.1, 0.1, 0.1], std=[0.9, 0.9, 0.9])
    assert own.mean == [0.1] * 3 and own.std == [0.9] * 3


def test_weights_of_another_architecture_are_refused_with_the_first_names(tmp_path):
    with pytest.raises(InputError) as caught:
        build(small.weights(tmp_path)["weights"], model="resnet14")
    sentence = str(caught.value)
    assert "weights.safetensors are of another architecture" in sentence
    assert "missing (layer1.1.conv1.weight, layer1.1.bn1.weight, layer1.1.bn1.bias, ...)" in sentence
    assert "\n" not in sentence


def test_the_fit_counts_missing_unknown_and_misshapen_tensors_and_forgives_counters_and_head():
    network = small.backbone().network
    state = dict(network.state_dict())
    backbones.check_fit(state, network, "fc.", "w")
    for name in ("bn1.num_batches_tracked", "fc.weight"):
        state.pop(name)
    backbones.check_fit(state, network, "fc.", "w")
    del state["layer1.0.conv1.weight"]
    state["mystery"] = torch.zeros(1)
    state["conv1.weight"] = torch.zeros(16, 3, 5, 5)
    with pytest.raises(InputError) as caught:
        backbones.check_fit(state, network, "fc.", "w")
    assert str(caught.value) == (
        "The weights in w are of another architecture: tensors 1 missing (layer1.0.conv1.weight); 1 unknown (mystery); "
        "1 of another shape (conv1.weight (16, 3, 5, 5) instead of (16, 3, 3, 3))."
    )


@pytest.mark.parametrize("channels_last, layout", [(True, torch.channels_last), (False, torch.contiguous_format)])
def test_the_layout_and_the_kernels_are_those_of_the_settings(channels_last, layout):
    for crop in (True, False):
        backbone = small.backbone()
        backbones.prepare(backbone, small.MACHINE | {"channels_last": channels_last, "crop_kernels": crop}, CPU)
        weight = backbone.network.layer1[0].conv1.weight
        assert weight.is_contiguous(memory_format=layout)
        assert ("forward" in vars(backbone.network.layer1[0].conv1)) == crop


# --- predicting ------------------------------------------------------------------------------------------------------


def test_predictions_do_not_depend_on_the_batches_and_leave_the_modes_as_they_were():
    backbone = small.backbone(kind="norm_bias")
    backbone.network.train()
    backbone.network.layer1.eval()
    modes = [module.training for module in backbone.network.modules()]
    before = {name: tensor.clone() for name, tensor in backbone.network.state_dict().items()}
    images = pictures(10)
    whole, features = backbones.predict(backbone, [images], torch.autocast("cpu", enabled=False), features=True)
    parts, none = backbones.predict(backbone, [images[:3], images[3:]], torch.autocast("cpu", enabled=False))
    assert whole.dtype == features.dtype == np.float32 and none is None
    assert whole.shape == (10, 3) and features.shape == (10, 64)
    assert np.allclose(whole, parts, atol=1e-5)
    assert [module.training for module in backbone.network.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.network.state_dict().items())


def test_predictions_are_float32_under_autocast_too():
    logits, _ = backbones.predict(small.backbone(), [pictures()], torch.autocast("cpu", dtype=torch.bfloat16))
    assert logits.dtype == np.float32 and np.isfinite(logits).all()
