"""Precisions, layouts and optimizers: what a device computes is what the CPU computes in float32, as near as the precision allows."""

import on_device
import pytest
import torch
import torch.nn.functional as F

from ftbench.machine import devices
from ftbench.train import recipes

CPU = torch.device("cpu")
NEAR = {"float32": 0.01, "bfloat16": 0.1, "float16": 0.05}  # relative, of the loss of an epoch


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return on_device.study(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def reference(inputs, tmp_path_factory):
    """The loss of each epoch on the CPU in float32."""
    return on_device.losses(on_device.train(tmp_path_factory.mktemp("run"), inputs, on_device.settings(CPU)))


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_each_precision_and_layout_trains_as_float32_does_on_the_cpu(
    device, inputs, reference, tmp_path, precision, channels_last
):
    if (device.type, precision, channels_last) == ("cpu", "float16", False):
        pytest.skip("float16 is slow on a CPU: one layout is enough there")
    run = on_device.settings(device, precision=precision, channels_last=channels_last)
    result = on_device.train(tmp_path, inputs, run)
    assert on_device.losses(result) == pytest.approx(reference, rel=NEAR[precision])
    assert all(tensor.dtype != torch.float16 and tensor.isfinite().all() for tensor in result["model"].values())
    assert result["run"]["device"] == device.type and result["run"]["precision"] == precision


@pytest.mark.parametrize("precision", ["float32", *devices.LOW])
def test_autocast_computes_in_the_precision_of_the_config(device, precision):
    layer = torch.nn.Linear(4, 4).to(device)
    with devices.autocast(device, precision):
        assert layer(torch.ones(2, 4, device=device)).dtype == devices.LOW.get(precision, torch.float32)


def test_kernels_and_images_have_the_layout_of_the_config(device, inputs):
    step = on_device.step_of(device, inputs)
    kernels = [p for p in step.backbone.network.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    assert kernels and all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    batch = step.backbone.to_input(step.data.images.batch(step.data.train[:4]))
    assert batch.is_contiguous(memory_format=torch.channels_last) and batch.device.type == device.type


def test_float32_means_float32(device, inputs):
    """TF32 would leave errors of a thousandth."""
    devices.set_up(on_device.settings(device))
    generator = torch.Generator().manual_seed(0)
    one, two = (torch.randn(256, 256, generator=generator) for _ in range(2))
    exact = one.double() @ two.double()
    assert ((one.to(device) @ two.to(device)).cpu() - exact).abs().max() < 1e-3 * exact.abs().max() / 10
    image, kernel = torch.randn(2, 64, 8, 8, generator=generator), torch.randn(64, 64, 3, 3, generator=generator)
    exact = F.conv2d(image.double(), kernel.double())
    assert (F.conv2d(image.to(device), kernel.to(device)).cpu() - exact).abs().max() < 1e-3 * exact.abs().max() / 10


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_fused_optimizer_steps_as_the_plain_one(device, name):
    recipe = on_device.RECIPE | {"optimizer": name, "learning_rate": 0.01, "weight_decay": 0.1}
    networks = [torch.nn.Linear(5, 3).to(device) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    fused, plain = (recipes.make_optimizer(network, recipe) for network in networks)
    assert all(group["fused"] for group in fused.param_groups)
    for group in plain.param_groups:
        group["fused"], group["foreach"] = False, False
    for number in range(4):
        for network, optimizer in zip(networks, (fused, plain)):
            network(torch.full((2, 5), 1.0 + number, device=device)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    for one, other in zip(*(network.parameters() for network in networks)):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_in_float16_a_step_whose_gradients_overflow_moves_nothing_and_halves_the_scale(device, inputs):
    step = on_device.step_of(device, inputs, precision="float16")
    step.scaler.load_state_dict(step.scaler.state_dict() | {"scale": 2.0**120})
    before = {name: p.detach().clone() for name, p in step.backbone.network.named_parameters()}
    ids = step.data.train[:8]
    loss, norm = step.take(ids, 0, 0)
    assert loss.isfinite() and not norm.isfinite()
    assert all(torch.equal(p, before[name]) for name, p in step.backbone.network.named_parameters())
    assert step.scaler.get_scale() == 2.0**119
    step.scaler.load_state_dict(step.scaler.state_dict() | {"scale": 2.0**10})
    _, norm = step.take(ids, 0, 1)
    assert norm.isfinite() and norm > 0
    assert any(not torch.equal(p, before[name]) for name, p in step.backbone.network.named_parameters())


def test_the_scale_of_float16_changes_no_gradient_and_is_part_of_a_saved_state(device, inputs):
    norms = []
    for scale in (2.0**4, 2.0**12):
        step = on_device.step_of(device, inputs, precision="float16")
        step.scaler.load_state_dict(step.scaler.state_dict() | {"scale": scale})
        norms.append(float(step.take(step.data.train[:8], 0, 0)[1]))
        assert step.state_dict()["scaler"]["scale"] == scale
    assert norms[0] == pytest.approx(norms[1], rel=0.02)
    other = on_device.step_of(device, inputs, precision="float16")
    other.load_state_dict(step.state_dict())
    assert other.scaler.state_dict() == step.scaler.state_dict()
