"""The same bits twice under `deterministic: true`, and after a run was stopped or killed."""

import multiprocessing
import os
import signal
import time

import on_device
import pytest
import torch

from ftbench.base.errors import InputError
from ftbench.machine import devices
from ftbench.train import loop

SLOW = "float16 is slow on a CPU: tests/gpu/test_arithmetic.py trains in it there"
LARGER = [
    ("torchvision", "resnet18", 64),
    ("torchvision", "mobilenet_v3_small", 64),
    ("timm", "tf_efficientnet_lite0", 64),
    ("timm", "vit_tiny_patch16_224", 64),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return on_device.study(tmp_path_factory.mktemp("data"))


def model_of(result: dict) -> str:
    return result["run"]["digests"]["model"]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_the_same_seed_gives_the_same_bits_twice(device, inputs, tmp_path, precision):
    if (device.type, precision) == ("cpu", "float16"):
        pytest.skip(SLOW)
    augmentation = "trivial_augment" if device.type == "cuda" else "crop_flip"
    recipe = {
        "mixup": 0.2,
        "cutmix": 1.0,
        "clip_norm": 1.0,
        "ema_decay": 0.9,
        "augmentation": augmentation,
        "epochs": 1,
    }
    run = on_device.settings(device, recipe, deterministic=True, precision=precision)
    one, two = (on_device.train(tmp_path / name, inputs, run) for name in ("one", "two"))
    assert model_of(one) == model_of(two) and on_device.losses(one) == on_device.losses(two)


@pytest.mark.parametrize("source, model, size", LARGER)
def test_a_published_network_repeats_itself_or_says_which_operation_cannot(gpu, inputs, tmp_path, source, model, size):
    network = on_device.NETWORK | {"source": source, "model": model, "image_size": size}
    run = on_device.settings(gpu, {"epochs": 2}, deterministic=True, precision="bfloat16", network=network)
    try:
        one, two = (on_device.train(tmp_path / name, inputs, run) for name in ("one", "two"))
    except InputError as error:
        assert "deterministic is true" in str(error) and model in str(error)
        pytest.skip(str(error))
    assert model_of(one) == model_of(two)


def test_a_workspace_that_cannot_repeat_is_refused(gpu, monkeypatch):
    monkeypatch.setenv(devices.CUBLAS, ":0:0")
    with pytest.raises(InputError, match=devices.CUBLAS):
        devices.set_up(on_device.settings(gpu, deterministic=True))


def test_dropout_goes_on_where_it_was_saved(device, inputs):
    step = on_device.step_of(device, inputs)
    torch.rand(3, device=device)
    state = step.state_dict()
    drawn = torch.rand(5, device=device)
    torch.rand(7, device=device)
    step.load_state_dict(state)
    assert torch.equal(torch.rand(5, device=device), drawn)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_run_that_is_stopped_within_an_epoch_ends_with_the_bits_of_one_that_was_not(
    device, tmp_path, monkeypatch, precision
):
    if device.type == "cpu" and precision == "float16":
        pytest.skip(SLOW)
    inputs = on_device.study(tmp_path / "data", 24, 32)
    run = on_device.settings(device, deterministic=True, network=on_device.DROPOUT, precision=precision)
    whole = on_device.train(tmp_path / "whole", inputs, run)
    take, taken = loop.TrainingLoop.train_step, []

    def stop_after_three(self, ids):
        take(self, ids)
        taken.append(ids)
        if len(taken) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(loop.TrainingLoop, "train_step", stop_after_three)
    with pytest.raises(SystemExit) as stopped:
        on_device.train(tmp_path / "run", inputs, run)
    assert stopped.value.code == 128 + signal.SIGTERM
    torch.rand(1000, device=device)  # the new process has another state
    resumed = on_device.train(tmp_path / "run", inputs, run)
    assert resumed["cost"]["resumes"] == 1
    assert model_of(resumed) == model_of(whole) and on_device.losses(resumed) == on_device.losses(whole)


def test_a_run_whose_process_is_killed_ends_with_the_bits_of_one_that_was_not(device, inputs, tmp_path):
    run = on_device.settings(device, {"epochs": 40}, deterministic=True)
    whole = on_device.train(tmp_path / "whole", inputs, run)
    spawned = multiprocessing.get_context("spawn").Process(
        target=on_device.train_for_ever, args=(str(tmp_path / "run"), inputs, run)
    )
    spawned.start()
    state, given_up = tmp_path / "run" / "model.resume" / "state.pt", time.monotonic() + 120
    while not state.exists() and spawned.is_alive() and time.monotonic() < given_up:
        time.sleep(0.002)
    spawned.kill()
    spawned.join()
    if spawned.exitcode == 0:
        pytest.skip("the run was done before it could be killed")
    assert state.exists()
    resumed = on_device.train(tmp_path / "run", inputs, run)
    assert resumed["cost"]["resumes"] == 1 and model_of(resumed) == model_of(whole)
