import pytest
import small
import torch

from ftbench.train.averaging import WeightAverage


def test_the_average_follows_its_formula_with_buffers_and_is_only_in_place_inside_the_block():
    network = small.backbone().network
    average, name = WeightAverage(network, 0.9), "layer1.0.bn1.running_mean"
    expected = {key: tensor.clone() for key, tensor in network.state_dict().items() if tensor.is_floating_point()}
    for step in range(1, 200):
        with torch.no_grad():
            for tensor in network.state_dict().values():
                tensor.add_(1)
        average.update()
        decay = min(0.9, (1 + step) / (10 + step))
        state = network.state_dict()
        expected = {key: decay * value + (1 - decay) * state[key] for key, value in expected.items()}
    last = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    assert last[name].mean() - expected[name].mean() == pytest.approx(0.9 / 0.1, abs=0.01)  # how far it lags behind
    with average.in_place():
        for key, value in expected.items():
            assert torch.allclose(network.state_dict()[key], value, rtol=1e-4), key
        assert torch.equal(network.state_dict()["bn1.num_batches_tracked"], last["bn1.num_batches_tracked"])
    assert all(torch.equal(tensor, last[key]) for key, tensor in network.state_dict().items())


def test_the_first_steps_are_not_an_average_with_the_start():
    network = small.backbone().network
    average = WeightAverage(network, 0.9999)
    with torch.no_grad():
        network.fc.bias.fill_(1.0)
    for _ in range(50):
        average.update()
    with average.in_place():
        assert network.fc.bias.mean() > 0.99


def test_an_error_inside_the_block_puts_the_weights_back():
    network = small.backbone().network
    average, before = WeightAverage(network, 0.5), network.fc.bias.detach().clone()
    with torch.no_grad():
        network.fc.bias.add_(1)
    with pytest.raises(KeyError), average.in_place():
        raise KeyError
    assert torch.equal(network.fc.bias, before + 1)


def test_it_goes_on_from_a_saved_state():
    network = small.backbone().network
    first, second = WeightAverage(network, 0.9), WeightAverage(network, 0.9)
    with torch.no_grad():
        network.fc.bias.add_(1)
    first.update()
    state = {"steps": first.steps, "tensors": {k: v.clone() for k, v in first.state_dict()["tensors"].items()}}
    second.load_state_dict(state)
    first.update(), second.update()
    with first.in_place():
        one = network.fc.bias.detach().clone()
    with second.in_place():
        assert torch.equal(network.fc.bias, one)
