import pytest
import small
import torch
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model import architectures, backbones
from ftbench.model.stages import _group, stages

# The number of stages, the stem among them, and the first name of the last one.
EXPECTED = {
    "resnet18_128": (5, "layer4.0.conv1.weight"),
    "resnet50_128": (5, "layer4.0.conv1.weight"),
    "vgg16_bn_64": (5, "features.34.weight"),
    "mobilenet_v3_large_128": (16, "features.15.block.0.0.weight"),
    "efficientnet_b0_128": (8, "features.7.0.block.0.0.weight"),
    "convnext_tiny_96": (5, "features.6.0.weight"),
    "vit_b_16_96": (13, "encoder.layers.encoder_layer_11.ln_1.weight"),
    "efficientnet_lite0": (8, "blocks.6.0.conv_pw.weight"),
    "resnet8": (4, "layer3.0.conv1.weight"),
}
STEMS = {"vgg16_bn_64": "features.0.", "vit_b_16_96": "class_token", "efficientnet_lite0": "conv_stem."}


@pytest.mark.parametrize("name", small.META_BACKBONES)
def test_stages_partition_the_parameters_before_the_head_in_order(name):
    _, network, head = small.meta_network(name)
    groups = stages(network, head)
    flat = [parameter for group in groups for parameter in group]
    assert flat == [n for n, _ in network.named_parameters() if not n.startswith(f"{head}.")]
    assert all(groups)


@pytest.mark.parametrize("name", small.META_BACKBONES)
def test_stages_of_the_study(name):
    _, network, head = small.meta_network(name)
    groups = stages(network, head)
    assert (len(groups), groups[-1][0]) == EXPECTED[name]
    assert groups[0][0].startswith(STEMS.get(name, ("conv1.", "features.0.0.")))


def test_what_follows_the_last_block_belongs_to_it_and_a_downsampling_to_the_next():
    _, network, head = small.meta_network("vit_b_16_96")
    assert stages(network, head)[-1][-2:] == ["encoder.ln.weight", "encoder.ln.bias"]
    _, network, head = small.meta_network("efficientnet_b0_128")
    assert stages(network, head)[-1][-3:] == ["features.8.0.weight", "features.8.1.weight", "features.8.1.bias"]
    _, network, head = small.meta_network("convnext_tiny_96")
    groups = stages(network, head)
    assert [group[0] for group in groups[2:]] == ["features.2.0.weight", "features.4.0.weight", "features.6.0.weight"]
    assert groups[-1][-2:] == ["classifier.0.weight", "classifier.0.bias"]


@pytest.mark.parametrize(
    "source, model, count",
    [
        ("torchvision", "densenet121", 5),
        ("torchvision", "regnet_y_400mf", 5),
        ("torchvision", "mobilenet_v2", 18),
        ("torchvision", "shufflenet_v2_x1_0", 4),
        ("torchvision", "swin_t", 5),
        ("torchvision", "vgg11", 5),
        ("timm", "convnext_atto", 5),
        ("timm", "vit_tiny_patch16_224", 13),
        ("timm", "swin_tiny_patch4_window7_224", 5),
        ("timm", "mobilenetv3_small_100", 7),
        ("timm", "regnety_002", 5),
    ],
)
def test_stages_of_other_families(source, model, count):
    with torch.device("cpu" if "regnet_y_" in model else "meta"):  # torchvision's RegNet computes its widths by tensors
        network = architectures.load(source).build(model, 10, 224)
    head = backbones.find_head(network, 10, model)
    groups = stages(network, head)
    flat = [parameter for group in groups for parameter in group]
    assert flat == [n for n, _ in network.named_parameters() if not n.startswith(f"{head}.")]
    assert len(groups) == count


def test_what_stands_inside_a_stage_stays_there_in_order():
    names, numbers = ["stem", "a", "odd", "b", "between", "c", "end"], [None, "1", None, "1", None, "2", None]
    assert _group(names, numbers) == [["stem"], ["a", "odd", "b"], ["between", "c", "end"]]


def test_an_unknown_pattern_is_one_sentence():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
    with pytest.raises(InputError, match=r"^config: the stages of Sequential are not known.*stages\.py\.$"):
        stages(network, "1")
