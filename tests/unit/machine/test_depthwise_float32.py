import pytest
import small
import torch
from torch import nn

from ftbench.machine import depthwise_float32
from ftbench.model import backbones


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(8, 16, 1),
        nn.Conv2d(16, 16, 3, padding=1, groups=16),
        nn.Conv2d(16, 8, 1),
        nn.Conv2d(8, 8, 3, groups=2),
    )


def types(net, precision):
    """The type of every layer's output under autocast."""
    found = []
    hooks = [module.register_forward_hook(lambda _m, _i, output: found.append(output.dtype)) for module in net]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        output = net(torch.rand(2, 8, 6, 6, generator=torch.Generator().manual_seed(1)))
    for hook in hooks:
        hook.remove()
    return found, output


def test_depthwise_kernels_alone_stay_in_float32_and_state_and_gradients_are_whole():
    plain, changed = network(), network()
    assert depthwise_float32.keep_float32(changed) == 1
    bf16, f32 = torch.bfloat16, torch.float32
    assert types(plain, "bfloat16")[0] == [bf16, bf16, bf16, bf16]
    found, output = types(changed, "bfloat16")
    assert found == [bf16, f32, bf16, bf16]  # grouped, but not depthwise, is left alone
    exact = types(network(), "float32")[1]
    assert torch.allclose(output.float(), exact, atol=0.02)
    output.float().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == f32 for p in changed.parameters())
    assert changed.state_dict().keys() == plain.state_dict().keys()


def test_without_autocast_it_changes_nothing():
    changed = network()
    depthwise_float32.keep_float32(changed)
    assert torch.equal(types(changed, "float32")[1], types(network(), "float32")[1])


@pytest.mark.parametrize("precision, wrapped", [("float32", False), ("bfloat16", True)])
def test_a_network_is_prepared_so_for_bfloat16_on_a_cpu(monkeypatch, precision, wrapped):
    calls = []
    monkeypatch.setattr(depthwise_float32, "keep_float32", lambda network: calls.append(network))
    backbones.prepare(small.backbone(), small.run(precision=precision), torch.device("cpu"))
    assert bool(calls) == wrapped
