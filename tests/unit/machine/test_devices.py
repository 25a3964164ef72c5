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


@pytest.mark.parametrize("deterministic", [True, False])
def test_on_cuda_determinism_and_arithmetic_are_those_of_the_config(monkeypatch, deterministic):
    asked = {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A GPU")
    monkeypatch.setattr(
        torch, "use_deterministic_algorithms", lambda on, warn_only: asked.update(on=on, warn=warn_only)
    )
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace())
    monkeypatch.setattr(torch.backends, "cuda", SimpleNamespace(matmul=SimpleNamespace()))
    device = devices.set_up(small.run(device="auto", deterministic=deterministic, precision="float32"))
    assert device.type == "cuda" and asked == {"on": deterministic, "warn": False}
    assert torch.backends.cudnn.benchmark is (not deterministic)  # a timing would pick the algorithm
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32  # float32 means float32


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_fixed(threads):
    devices.set_up(small.run(threads=threads))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("precision, dtype", [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_autocast_is_on_for_bfloat16_alone(precision, dtype):
    layer = torch.nn.Linear(4, 4)
    with devices.autocast(torch.device("cpu"), precision):
        assert layer(torch.zeros(2, 4)).dtype == dtype


def test_what_is_recorded_of_the_machine():
    versions = devices.versions()
    assert set(versions) == {"python", *devices.RECORDED} and all(versions.values())
    assert devices.device_name(torch.device("cpu"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel's own figure is Linux's")
def test_peak_memory_is_in_megabytes():
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    assert devices.peak_memory_mb(torch.device("cpu")) == pytest.approx(int(line.split()[1]) * 1024 / 1e6, rel=0.02)
