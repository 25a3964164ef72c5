"""Memory of a device: its peak is recorded, what is too much is told in one sentence, and clocks wait for the device."""

import numpy as np
import on_device
import pytest
import torch

from ftbench.base.out_of_memory import out_of_memory
from ftbench.machine import devices
from ftbench.measure import efficiency

TOO_MUCH = 2**45  # bytes: 32 TiB


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return on_device.study(tmp_path_factory.mktemp("data"))


def test_the_peak_of_a_run_is_recorded(device, inputs, tmp_path):
    result = on_device.train(tmp_path, inputs, on_device.settings(device))
    peaks = [float(row["peak_memory_mb"]) for row in result["history"]]
    assert 0 < peaks[0] <= peaks[-1] <= result["cost"]["peak_memory_mb"]
    assert result["cost"]["device_name"] == devices.device_name(device)


def test_a_job_begins_with_a_peak_of_its_own(gpu):
    large = torch.empty(300_000_000, dtype=torch.uint8, device=gpu)
    assert devices.peak_memory_mb(gpu) >= 300
    del large
    devices.set_up(on_device.settings(gpu))
    assert devices.peak_memory_mb(gpu) < 300
    assert devices.free_bytes(gpu) > 0


@pytest.mark.parametrize("batch, parts, said", [
    (8, 1, ["8 images, 8 of them at a time", "`accumulate: 2`", "4 at a time", "`batch_size: 4`"]),
    (8, 2, ["8 images, 4 of them at a time", "`accumulate: 4`", "2 at a time", "`batch_size: 4`"]),
    (4, 2, ["4 images, 2 of them at a time", "smaller image size"]),
])  # fmt: skip
def test_a_step_that_does_not_fit_names_the_batch_size_to_try(
    device, inputs, tmp_path, monkeypatch, batch, parts, said
):
    """The allocation is refused by the device itself."""
    plain = efficiency.Step._add_gradients

    def hungry(self, ids, *rest):
        torch.empty(TOO_MUCH, dtype=torch.uint8, device=self.device)
        return plain(self, ids, *rest)

    monkeypatch.setattr(efficiency.Step, "_add_gradients", hungry)
    run = on_device.settings(device, {"batch_size": batch, "accumulate": parts})
    with pytest.raises(RuntimeError) as caught:
        on_device.train(tmp_path, inputs, run)
    sentence = out_of_memory(caught.value)
    assert sentence.startswith(f"Not enough memory{' on the GPU' * (device.type == 'cuda')} (")
    assert "\n" not in sentence and all(words in sentence for words in said)


def test_a_batch_that_really_does_not_fit_is_told(gpu, inputs, tmp_path):
    """A network of real size, on a sliver of the device."""
    torch.cuda.empty_cache()
    total = torch.cuda.mem_get_info(gpu)[1]
    network = on_device.NETWORK | {"source": "torchvision", "model": "resnet18", "image_size": 512}
    torch.cuda.set_per_process_memory_fraction(600e6 / total)
    try:
        with pytest.raises(RuntimeError) as caught:
            on_device.train(tmp_path, inputs, on_device.settings(gpu, {"batch_size": 24}, network=network))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    assert "`batch_size: 12`" in out_of_memory(caught.value)


def test_a_latency_is_that_of_work_done(device, inputs):
    """A clock that does not wait for a GPU measures how fast work is handed over: large batches would cost what small ones do."""
    step = on_device.step_of(device, inputs)
    size = 8 if device.type == "cpu" else 4096
    one, many = (efficiency.latency_ms(step.backbone, step.data, count, step.run, device) for count in (1, size))
    assert one > 0 and (device.type == "cpu" or many > one)


def test_operations_of_a_step_are_counted_alike_on_every_device(device, inputs):
    counts = {}
    for where in {"cpu", device.type}:
        run = on_device.settings(torch.device(where), crop_kernels=False)
        step = on_device.step_of(torch.device(where), inputs, crop_kernels=False)
        counts[where] = efficiency.count_steps(run, step.data, torch.device(where))
    assert counts[device.type] == counts["cpu"] and counts["cpu"]["step_flops"][0] > 0


def test_features_are_those_of_the_cpu(device, inputs):
    found = []
    for where in (torch.device("cpu"), device):
        step = on_device.step_of(where, inputs)
        step.backbone.network.eval()
        with torch.no_grad():
            vectors, logits = step.backbone.features_and_logits(step.data.images.batch(np.arange(6)))
        found.append((vectors.cpu(), logits.cpu()))
    for one, other in zip(*found):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)
