"""Operations of a training step against a count by hand, grouped and depthwise convolutions among them."""

import pytest
import torch
from torch import nn

from ftbench.measure.operations import operation_counter


def counted(network: nn.Module, images: torch.Tensor) -> tuple[int, int]:
    """(operations of the forward pass, of forward and backward)."""
    with operation_counter() as forward, torch.no_grad():
        network(images)
    with operation_counter() as both:
        network(images).sum().backward()
    return forward.get_total_flops(), both.get_total_flops()


@pytest.mark.parametrize("groups", [1, 4, 16])
def test_each_gradient_of_a_convolution_costs_its_forward_pass(groups):
    layer = nn.Conv2d(16, 32, 3, padding=1, groups=groups, bias=False)
    images = torch.rand(5, 16, 10, 10, requires_grad=True)
    by_hand = 2 * 5 * 10 * 10 * 32 * (16 // groups) * 9  # 2 flops per multiply-add
    assert counted(layer, images) == (by_hand, 3 * by_hand)
    assert counted(layer, images.detach()) == (by_hand, 2 * by_hand)  # no gradient of the images is asked for
    layer.requires_grad_(False)
    assert counted(layer, images) == (by_hand, 2 * by_hand)  # nor of a frozen weight


def test_a_strided_and_a_transposed_convolution():
    strided = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False)
    by_hand = 2 * 2 * 5 * 5 * 8 * 9
    assert counted(strided, torch.rand(2, 8, 10, 10, requires_grad=True)) == (by_hand, 3 * by_hand)
    transposed = nn.ConvTranspose2d(8, 4, 2, stride=2, bias=False)
    by_hand = 2 * 2 * 5 * 5 * 8 * 4 * 4
    assert counted(transposed, torch.rand(2, 8, 5, 5, requires_grad=True)) == (by_hand, 3 * by_hand)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18", "convnext_tiny", "efficientnet_b0"])
def test_a_whole_network_trains_at_three_forward_passes(name):
    """The images' gradient alone is missing, that of the first convolution."""
    import torchvision

    with torch.device("meta"):
        network = torchvision.models.get_model(name, num_classes=10).train()
        images = torch.rand(2, 3, 64, 64)
        first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
        seen = {}
        first.register_forward_hook(lambda module, given, out: seen.update(out=out.shape))
        forward, both = counted(network, images)
    stem = 2 * seen["out"].numel() * 3 * first.kernel_size[0] * first.kernel_size[1]
    assert both == 3 * forward - stem
