import pytest
import torch

from ftbench.base.errors import InputError
from ftbench.model import backbones, sizes

STATISTICS = {"mean": [0.5] * 3, "std": [0.25] * 3}


def tried(source, model, size):
    entry = {"source": source, "model": model, "image_size": size, "activation": None, "mean": None, "std": None}
    network = backbones.build(entry, 3, 0, None, STATISTICS).network.train()
    sizes.check_size(network, entry)
    assert network.training  # as it was
    return network


@pytest.mark.parametrize(
    "source, model, size, says",
    [
        ("timm", "vit_tiny_patch16_224", 100, "patches of 16 pixels, which do not divide image_size 100: the last 4 rows .* take 96 or 112"),
        ("timm", "convnext_atto", 100, "do not divide image_size 100"),
        ("timm", "convnext_atto", 16, "cannot run at image_size 16|do not divide"),
        ("torchvision", "alexnet", 32, "cannot run at image_size 32 .*its own size is 224 pixels"),
        ("torchvision", "maxvit_t", 96, "cannot build 'maxvit_t' at image_size 96"),
        ("torchvision", "vit_b_32", 100, "cannot build 'vit_b_32' at image_size 100"),
    ],
)  # fmt: skip
def test_a_size_that_a_network_cannot_see_whole_is_one_sentence(source, model, size, says):
    with pytest.raises(InputError, match=says) as caught:
        tried(source, model, size)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source, model, size", [("timm", "test_vit", 96), ("timm", "convnext_atto", 64), ("ftbench", "resnet8", 9), ("torchvision", "resnet18", 33)])  # fmt: skip
def test_other_sizes_pass(source, model, size):
    assert isinstance(tried(source, model, size), torch.nn.Module)
