"""Skipping taps that meet padding only is exact: values, gradients and names stay."""

import copy

import pytest
import small
import torch
from timm.layers import Conv2dSame
from torch import nn

from ftbench.machine.skip_padding import crop_kernels
from ftbench.model import architectures


def pair(network):
    """The network and a copy of it with cropped kernels; both without dropout, which would draw differently."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    cropped = copy.deepcopy(network)
    assert crop_kernels(cropped) > 0
    return network, cropped


def gradients(network, images):
    """Outputs, gradients of all parameters, and the gradient of the input, for a loss that weighs every output."""
    images = images.clone().requires_grad_()
    network.zero_grad()
    output = network(images)
    weights = torch.linspace(-1, 1, output.numel()).view(output.shape)
    (output * weights).sum().backward()
    return output.detach(), {n: p.grad for n, p in network.named_parameters()}, images.grad


def assert_same(plain, cropped, images, relative=1e-4):
    one, other = gradients(plain, images), gradients(cropped, images)

    def close(a, b, what):
        assert a.shape == b.shape, what
        assert (a - b).abs().max() <= relative * max(1.0, float(a.abs().max())), what

    close(one[0], other[0], "output")
    close(one[2], other[2], "gradient of the input")
    assert one[1].keys() == other[1].keys()
    for name in one[1]:
        close(one[1][name], other[1][name], name)


@pytest.mark.parametrize("kind", [nn.Conv2d, Conv2dSame])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 3), (4, 2), (5, 5)])
def test_every_kernel_stride_and_padding_gives_the_same_numbers(kind, size):
    torch.manual_seed(0)
    images, checked = torch.randn(2, 4, *size, dtype=torch.double), 0
    for kernel in [(1, 1), (1, 3), (2, 2), (3, 3), (5, 5), (7, 3)]:
        for stride in [(1, 1), (2, 2), (2, 1), (4, 4)]:
            for padding in [(0, 0), (1, 1), (2, 2), (3, 1), (3, 3)]:
                for groups in (1, 4):
                    fits = all(s + 2 * p >= k for s, p, k in zip(size, padding, kernel))
                    if kernel == (1, 1) and groups > 1:  # left alone
                        continue
                    if kind is nn.Conv2d and not fits or kind is Conv2dSame and padding != (0, 0):
                        continue
                    network = nn.Sequential(kind(4, 4, kernel, stride, padding, groups=groups)).double()
                    assert_same(*pair(network), images, relative=1e-12)
                    checked += 1
    assert checked >= 40


@pytest.fixture
def calls(monkeypatch):
    """The shapes of the weights of all convolutions and matrix products, in their order."""
    calls = []
    for name in ("conv2d", "linear"):
        original = getattr(torch.nn.functional, name)
        monkeypatch.setattr(
            torch.nn.functional,
            name,
            lambda x, weight, *rest, original=original: calls.append(tuple(weight.shape)) or original(x, weight, *rest),
        )
    return calls


@pytest.mark.parametrize("size, taps", [(1, 1), (2, 3), (4, 5)])
def test_the_taps_that_meet_a_small_map_are_all_that_is_left_of_a_depthwise_kernel(calls, size, taps):
    network = nn.Conv2d(3, 3, 5, 1, 2, groups=3)
    crop_kernels(network)
    network(torch.zeros(1, 3, size, size))
    assert calls == [(3, 1, taps, taps)]


@pytest.mark.parametrize(
    "kernel, stride, size, matrix",
    [
        (3, 1, 1, (5, 4)),  # one tap of nine
        (3, 1, 2, (4 * 5, 4 * 4)),  # every window has the whole map: outputs × inputs
        (3, 2, 2, (5, 4 * 4)),
        (5, 1, 2, (4 * 5, 4 * 4)),
        (1, 1, 1, (5, 4)),
        (3, 1, 3, None),  # the first window lacks the last row
        (1, 1, 2, None),
        (7, 1, 4, None),  # 16 windows of 16 taps: a matrix five times as large as the kernel
    ],
)
def test_a_convolution_that_sees_its_whole_map_is_a_matrix_product(calls, kernel, stride, size, matrix):
    network = nn.Conv2d(4, 5, kernel, stride, kernel // 2)
    crop_kernels(network)
    network(torch.zeros(2, 4, size, size))
    assert calls == [matrix or (5, 4, kernel, kernel)]


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_gradients_of_a_matrix_product_lie_as_the_weights_do(layout):
    """Otherwise every optimizer step would copy them."""
    network = nn.Conv2d(4, 8, 3, 1, 1).to(memory_format=layout)
    crop_kernels(network)
    network(torch.randn(2, 4, 2, 2).to(memory_format=layout)).sum().backward()
    assert network.weight.grad.stride() == network.weight.stride()


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("count", [0, 3])
def test_any_number_of_images_will_do(size, count):
    plain, cropped = pair(nn.Conv2d(4, 5, 3, 1, 1))
    images = torch.randn(count, 4, size, size)
    one, other = plain(images), cropped(images)
    assert one.shape == other.shape == (count, 5, size, size) and torch.allclose(one, other, atol=1e-6)


def test_a_copy_of_a_network_reads_its_own_weights():
    network = nn.Sequential(nn.Conv2d(4, 5, 3, 1, 1), nn.Conv2d(5, 5, 3, 1, 1, groups=5))
    crop_kernels(network)
    for images in (torch.randn(2, 4, 1, 1), torch.randn(2, 4, 2, 2), torch.randn(2, 4, 6, 6)):  # cut, matrices, neither
        other, before = copy.deepcopy(network), network(images)
        nn.init.zeros_(other[1].weight), nn.init.zeros_(other[1].bias)
        assert other(images).abs().max() == 0 and torch.equal(network(images), before)


def test_a_frozen_kernel_still_passes_the_gradient_on():
    plain, cropped = (network.requires_grad_(False) for network in pair(nn.Conv2d(4, 5, 3, 1, 1, bias=False)))
    found = []
    for network in (plain, cropped):
        images = torch.ones(2, 4, 2, 2).requires_grad_()
        network(images).sum().backward()
        assert network.weight.grad is None
        found.append(images.grad)
    assert torch.allclose(*found, atol=1e-6)


def test_bfloat16_stays_bfloat16_and_close():
    torch.manual_seed(0)
    network, cropped = pair(nn.Conv2d(16, 8, 3, 1, 1))
    images = torch.randn(4, 16, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        one, other = network(images), cropped(images)
    assert other.dtype == torch.bfloat16 and torch.allclose(one, other, atol=0.02)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 3, 3, padding=2, dilation=2),
        nn.Conv2d(3, 3, 3, padding="same"),
        nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(3, 3, 1, groups=3),
        nn.ConvTranspose2d(3, 3, 3, padding=1),
    ],
    ids=["dilated", "same", "reflected", "1x1 depthwise", "transposed"],
)
def test_what_is_not_a_plain_padded_convolution_is_left_alone(convolution):
    assert crop_kernels(nn.Sequential(convolution)) == 0
    assert "forward" not in vars(convolution)


class TwoMaps(nn.Module):
    """A network whose last maps are 2×2 and 1×1, with a depthwise 5×5 among them."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, 2, 1)
        self.wide = nn.Conv2d(8, 8, 5, 1, 2, groups=8)  # on 2×2
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(8, 8, 3, 2, 1)  # to 1×1
        self.on_one = nn.Conv2d(8, 8, 3, 1, 1)  # on 1×1
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.norm(self.wide(self.down(x).relu())).relu()
        return self.head(self.on_one(self.last(x).relu()).flatten(1))


def test_logits_and_all_gradients_of_a_network_with_small_maps_stay():
    torch.manual_seed(0)
    assert_same(*pair(TwoMaps().eval()), torch.randn(6, 3, 4, 4))
    assert_same(*pair(TwoMaps().train()), torch.randn(6, 3, 4, 4))


def test_efficientnet_lite0_at_32_pixels_stays():
    torch.manual_seed(0)
    entry = small.META_BACKBONES["efficientnet_lite0"]
    network = architectures.load("timm").build(entry["model"], 10, 32).eval()
    for module in network.modules():  # random statistics would let 50 layers explode or vanish
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.05, 0.2)
    assert_same(*pair(network), torch.randn(4, 3, 32, 32))


def test_names_state_and_layout_stay():
    network, cropped = pair(small.backbone().network)
    assert list(cropped.state_dict()) == list(network.state_dict())
    assert [n for n, _ in cropped.named_parameters()] == [n for n, _ in network.named_parameters()]
    cropped.load_state_dict(small.backbone(seed=3).network.state_dict())  # the cropped forward reads the new weights
    images = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        assert torch.allclose(cropped.eval()(images), small.backbone(seed=3).network.eval()(images), atol=1e-5)
        channels_last = cropped.to(memory_format=torch.channels_last)
        assert torch.allclose(channels_last(images), small.backbone(seed=3).network.eval()(images), atol=1e-5)
