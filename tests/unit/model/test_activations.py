"""Swapped activations, and the count of silent units against networks whose silence is known."""

import numpy as np
import pytest
import small
import torch
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model import activations, backbones
from ftbench.model.backbones import Backbone


@pytest.mark.parametrize("activation, kind", [("relu", nn.ReLU), ("leaky_relu", nn.LeakyReLU), ("prelu", nn.PReLU)])
def test_every_relu_is_replaced_and_the_pretrained_weights_stay(tmp_path, activation, kind):
    given = small.weights(tmp_path)
    plain = backbones.build(small.NETWORK, 3, 0, given["weights"], small.STATISTICS)
    swapped = backbones.build(small.NETWORK | {"activation": activation}, 3, 0, given["weights"], small.STATISTICS)
    found = [type(m) for m in swapped.network.modules() if isinstance(m, activations.KINDS)]
    assert set(found) == {kind} and len(found) == sum(isinstance(m, nn.ReLU) for m in plain.network.modules())
    for name, tensor in plain.network.state_dict().items():
        assert torch.equal(swapped.network.state_dict()[name], tensor), name
    slopes = set(swapped.network.state_dict()) - set(plain.network.state_dict())
    assert len(slopes) == (len(found) if activation == "prelu" else 0)
    images = torch.from_numpy(small.images(4)[0])
    with torch.no_grad():
        plain.network.eval(), swapped.network.eval()  # features, since the head is still zero
        same = torch.equal(plain.features_and_logits(images)[0], swapped.features_and_logits(images)[0])
    assert same == (activation == "relu")


def test_trained_slopes_are_loaded_with_the_rest(tmp_path):
    entry = small.NETWORK | {"activation": "prelu"}
    trained = backbones.build(entry, 3, 0, None, small.STATISTICS).network
    nn.init.constant_(trained.relu.weight, 0.5)
    from safetensors.torch import save_file

    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    again = backbones.build(entry, 3, 1, tmp_path / "w.safetensors", small.STATISTICS).network
    assert again.relu.weight.item() == 0.5
    with pytest.raises(InputError, match="relu.weight"):  # trained slopes do not fit a network without
        backbones.build(small.NETWORK, 3, 1, tmp_path / "w.safetensors", small.STATISTICS)


def test_a_network_without_relus_is_refused_in_one_sentence():
    with pytest.raises(InputError, match="activation is 'prelu', but 'mlp' has no ReLU module"):
        activations.swap(nn.Sequential(nn.Linear(2, 2), nn.GELU()), "prelu", "mlp")


class Bare(Backbone):
    def to_input(self, images):
        return images


def test_dead_units_and_sparsity_are_counted_over_all_batches():
    first = nn.Linear(3, 4, bias=False)
    with (
        torch.no_grad()
    ):  # unit 0 follows x0, unit 1 is never positive, unit 2 fires on the second batch only, unit 3 always
        first.weight.copy_(torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, 1], [0, 1, 0]]))
    relu = nn.ReLU(inplace=True)
    backbone = Bare(nn.Sequential(first, relu, nn.Linear(4, 4), relu), "2", 1, [0] * 3, [1] * 3)
    batches = [torch.tensor([[1.0, 1, -1], [-1, 1, -1]]), torch.tensor([[1.0, 1, 1], [-1, 1, -1]])]
    rows = activations.activity(backbone, batches)
    assert [row["layer"] for row in rows] == ["1", "1#2"]  # one module, two places
    assert rows[0]["units"] == 4 and rows[0]["dead"] == 0.25
    assert rows[0]["sparsity"] == pytest.approx(1 - (2 + 0 + 1 + 4) / 16)


def test_maps_are_counted_by_channel_and_the_hooks_are_gone_afterwards():
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.LeakyReLU(), nn.Flatten(), nn.Linear(8, 3))
    with torch.no_grad():
        network[0].weight.zero_()
        network[0].bias.copy_(torch.tensor([1.0, -1.0]))
    (row,) = activations.activity(Bare(network, "3", 2, [0] * 3, [1] * 3), [torch.rand(5, 3, 2, 2)])
    assert row == {"layer": "1", "units": 2, "dead": 0.5, "sparsity": 0.5}
    assert not network[1]._forward_pre_hooks
    assert np.isfinite(network(torch.rand(1, 3, 2, 2)).detach().numpy()).all()
