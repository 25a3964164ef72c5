"""What a machine with GPUs has beside one device: leases, several devices for one run, the compiler."""

import os
import subprocess
import sys
import threading

import on_device
import pytest
import torch

from ftbench.base.lease import devices as visible
from ftbench.base.lease import leased


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return on_device.study(tmp_path_factory.mktemp("data"))


def test_two_jobs_never_hold_one_device(device, tmp_path):
    environment = {"CUDA_VISIBLE_DEVICES": "0"}
    came = threading.Event()

    def second():
        with leased(1, environment, tmp_path):
            came.set()

    with leased(1, environment, tmp_path) as held:
        assert held == ["0"]
        other = threading.Thread(target=second, daemon=True)
        other.start()
        assert not came.wait(0.2)
    assert came.wait(30)
    other.join()


def test_a_job_sees_the_device_that_it_leased_and_no_other(gpu, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name == "CUDA_VISIBLE_DEVICES"}
    if not visible(environment):
        pytest.skip("no nvidia-smi here, and CUDA_VISIBLE_DEVICES is not set: nothing is leased")
    with leased(1, environment, tmp_path) as held:
        assert len(held) == 1
        code = "import torch; print(torch.cuda.device_count(), torch.ones(2, device='cuda').sum().item())"
        seen = os.environ | {"CUDA_VISIBLE_DEVICES": held[0], "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        done = subprocess.run([sys.executable, "-c", code], env=seen, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "2.0"], done.stderr


def test_a_run_on_two_devices_trains_as_one_on_one(gpu, inputs, tmp_path):
    """tests/stress/test_distributed.py does it with two processes on a CPU."""
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU here")
    one, two = (
        on_device.train(tmp_path / str(count), inputs, on_device.settings(gpu, gpus_per_run=count)) for count in (1, 2)
    )
    assert on_device.losses(one) == pytest.approx(on_device.losses(two), rel=0.01)
    assert two["run"]["gpus_per_run"] == 2


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_compiled_network_trains_as_a_plain_one(gpu, inputs, tmp_path, precision):
    """tests/unit/train/test_run.py does it on a CPU."""
    plain, compiled = (
        on_device.train(
            tmp_path / name, inputs, on_device.settings(gpu, precision=precision, compile=name == "compiled")
        )
        for name in ("plain", "compiled")
    )
    assert on_device.losses(compiled) == pytest.approx(on_device.losses(plain), rel=0.1)
    assert set(compiled["model"]) == set(plain["model"])
