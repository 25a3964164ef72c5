import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import small
import torch

from ftbench.base.errors import InputError
from ftbench.machine import devices


@pytest.fixture(autouse=True)
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv(devices.CUBLAS, raising=False)
    yield
    torch.set_num_threads(1)


def test_cuda_where_there_is_none_is_one_sentence():
    with pytest.raises(InputError) as caught:
        devices.set_up(small.run(device="cuda"))
    sentence = str(caught.value)
    assert sentence.startswith("config: device is 'cuda', but torch finds no usable CUDA device")
    assert "auto or cpu" in sentence and "\n" not in sentence and sentence.count(". ") == 0


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_auto_is_the_cpu_where_there_is_no_cuda_and_the_choice_is_printed(name, capsys):
    assert devices.set_up(small.run(device=name, precision="bfloat16")) == torch.device("cpu")
    assert "bfloat16, 1 threads" in capsys.readouterr().out


@pytest.fixture
def cuda(monkeypatch):
    """As if there were a GPU; what set_up asks torch for is noted."""
    asked = {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A GPU")
    monkeypatch.setattr(
        torch, "use_deterministic_algorithms", lambda on, warn_only: asked.update(on=on, warn=warn_only)
    )
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace())
    monkeypatch.setattr(torch.backends, "cuda", SimpleNamespace(matmul=SimpleNamespace()))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: asked.get("bfloat16", True))
    yield asked
    os.environ.pop(devices.CUBLAS, None)


@pytest.mark.parametrize("deterministic", [True, False])
def test_on_cuda_determinism_and_arithmetic_are_those_of_the_config(cuda, deterministic):
    device = devices.set_up(small.run(device="auto", deterministic=deterministic, precision="float32"))
    assert device.type == "cuda" and cuda == ({"on": True, "warn": False} if deterministic else {})
    assert torch.backends.cudnn.benchmark is (not deterministic)  # a timing would pick the algorithm
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32  # float32 means float32
    # Without it, torch refuses every matrix product of a deterministic run.
    assert os.environ.get(devices.CUBLAS) == (devices.REPEATABLE[0] if deterministic else None)


@pytest.mark.parametrize("given", devices.REPEATABLE)
def test_a_workspace_that_repeats_is_left_as_the_user_gave_it(cuda, monkeypatch, given):
    monkeypatch.setenv(devices.CUBLAS, given)
    devices.set_up(small.run(device="cuda", deterministic=True))
    assert os.environ[devices.CUBLAS] == given


def test_a_workspace_that_cannot_repeat_is_refused_in_a_sentence(cuda, monkeypatch):
    monkeypatch.setenv(devices.CUBLAS, ":0:0")
    with pytest.raises(
        InputError, match="deterministic is true, but CUBLAS_WORKSPACE_CONFIG is ':0:0'.*valid are :4096:8 and :16:8"
    ):
        devices.set_up(small.run(device="cuda", deterministic=True))


@pytest.mark.parametrize("precision, tf32", [("float32", False), ("bfloat16", True), ("float16", True)])
def test_tf32_goes_with_the_low_precisions(cuda, precision, tf32):
    devices.set_up(small.run(device="cuda", precision=precision))
    assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is tf32


@pytest.mark.parametrize("units", [True, False])
def test_a_gpu_that_emulates_bfloat16_is_told(cuda, capsys, units):
    cuda["bfloat16"] = units
    devices.set_up(small.run(device="cuda", precision="bfloat16"))
    assert ("emulates" in capsys.readouterr().out) is not units


def test_mps_where_there_is_none_is_one_sentence(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match="^config: device is 'mps', but torch finds no Metal device here"):
        devices.set_up(small.run(device="mps"))


def test_mps_is_taken_where_it_is_asked_for_and_said_to_be_untested(monkeypatch, capsys):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.set_up(small.run(device="auto")).type == "cpu"
    assert devices.set_up(small.run(device="mps")).type == "mps"
    assert "nothing was ever tested on it" in capsys.readouterr().out


@pytest.mark.parametrize("said", [
    "upsample_bicubic2d_backward does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms(True)'",
    "Deterministic behavior was enabled with either `torch.use_deterministic_algorithms(True)` or ...",
])  # fmt: skip
def test_what_cannot_be_repeated_is_said_of_the_config(said):
    sentence = "^config: deterministic is true, but resnet8 needs an operation"
    with pytest.raises(InputError, match=sentence), devices.determinism_explained(small.run()):
        raise RuntimeError(said)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_fixed(threads):
    devices.set_up(small.run(threads=threads))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    "precision, dtype", [("float32", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)]
)
def test_autocast_is_on_for_the_low_precisions(precision, dtype):
    layer = torch.nn.Linear(4, 4)
    with devices.autocast(torch.device("cpu"), precision):
        assert layer(torch.zeros(2, 4)).dtype == dtype


def test_what_is_recorded_of_the_machine():
    versions = devices.versions()
    assert set(versions) == {"python", *devices.RECORDED} and all(versions.values())  # all are installed here
    assert devices.device_name(torch.device("cpu"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel's own figure is Linux's")
def test_peak_memory_is_in_megabytes():
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    assert devices.peak_memory_mb(torch.device("cpu")) == pytest.approx(int(line.split()[1]) * 1024 / 1e6, rel=0.02)


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(devices, "RECORDED", ("torch", "no-such-package"))
    assert set(devices.versions()) == {"python", "torch"}


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_gradients_are_scaled_in_float16_alone(precision):
    assert devices.gradient_scaler(torch.device("cpu"), precision).is_enabled() is (precision == "float16")
