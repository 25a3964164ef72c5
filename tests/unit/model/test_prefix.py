"""Networks in two halves: together they are the whole, and what moves in one moves in the other."""

import pytest
import small
import torch
import torch.nn.functional as F
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model import architectures, backbones, freezing, heads
from ftbench.model.prefix import cut
from ftbench.train import strategies

NETWORKS = [
    ("ftbench", "resnet8", 16),
    ("torchvision", "mobilenet_v3_small", 64),
    ("torchvision", "vit_b_16", 32),
    ("timm", "tf_efficientnet_lite0", 32),
    ("timm", "vit_tiny_patch16_224", 32),
]


def frozen(source: str, model: str, size: int, kind: str = "last_block") -> backbones.Backbone:
    network = small.randomised(architectures.load(source).build(model, 3, size))
    head, *more = heads.find_heads(network, 3, model)
    backbone = backbones.Backbone(network, head, size, [0.5] * 3, [0.25] * 3, tuple(more))
    freezing.freeze(backbone, strategies.load(kind).trainable(backbone))
    freezing.train_mode(network)
    return backbone


@pytest.mark.parametrize("source, model, size", NETWORKS)
def test_the_halves_are_the_whole_bit_for_bit(source, model, size):
    network = frozen(source, model, size).network
    halves = cut(network, model)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    network.eval()
    with torch.no_grad():
        assert torch.equal(halves.answers(halves.prefix(images)), network(images))
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    freezing.train_mode(network)
    torch.manual_seed(1)  # of dropout behind the cut
    whole = network(images)
    network.load_state_dict(state)
    torch.manual_seed(1)
    assert torch.equal(halves.suffix(halves.prefix(images)), whole)


@pytest.mark.parametrize("source, model, size", NETWORKS)
def test_all_that_moves_is_behind_the_cut_and_nothing_before_it(source, model, size):
    network = frozen(source, model, size).network
    halves = cut(network, model)
    moving = {id(p) for p in network.parameters() if p.requires_grad}
    assert moving and moving <= {id(p) for p in halves.suffix.parameters()}
    assert not moving & {id(p) for p in halves.prefix.parameters()}


def test_the_prefix_gives_the_same_while_the_rest_trains():
    network = frozen("ftbench", "resnet8", 16).network
    halves, images = cut(network, "resnet8"), torch.randn(4, 3, 16, 16)
    before = halves.prefix(images)
    assert not before.requires_grad
    halves.suffix(before).square().sum().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter -= 0.1 * parameter.grad
    assert torch.equal(halves.prefix(images), before)  # its batch norms are in eval mode


def test_a_network_that_moves_from_its_first_layer_on_is_refused():
    with pytest.raises(
        InputError,
        match="^config: cached_views cannot be used with resnet8, since all of it moves from its first layer on; set it to null",
    ):
        cut(frozen("ftbench", "resnet8", 16, "scratch").network, "resnet8")


class Dropping(nn.Module):
    """A frozen layer and one that moves, around a dropout, or a call of one, that belongs to neither."""

    def __init__(self, called: bool):
        super().__init__()
        self.below, self.drop, self.above = nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 4)
        self.below.requires_grad_(False)
        self.called = called

    def forward(self, inputs):
        below = self.below(inputs)
        return self.above(F.dropout(below, 0.5, self.training) if self.called else self.drop(below))


@pytest.mark.parametrize("called", [False, True])
def test_a_frozen_part_that_drops_at_random_is_refused(called):
    with pytest.raises(
        InputError,
        match="with net, since .*drop.* in its frozen part drops something at random while it trains; set it to null",
    ):
        cut(Dropping(called), "net")
