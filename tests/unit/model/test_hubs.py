"""The code that downloads weights, against both hubs on this machine: the endpoints that the environment names, nothing replaced."""

import hashlib
import io
import json
import os
import subprocess
from pathlib import Path

import hubs
import pytest
import timm
import torch
import torchvision.models
import warm_python
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file, save_file

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
ENTRY = {"activation": None, "image_size": 64, "mean": None, "std": None, "licence": None}
TIMM = ENTRY | {"source": "timm", "model": "test_vit", "weights": "r160_in1k", "image_size": 96}
TIMM_FILE = "/timm/test_vit.r160_in1k/resolve/main/model.safetensors"
TORCHVISION = ENTRY | {"source": "torchvision", "model": "squeezenet1_1", "weights": "IMAGENET1K_V1"}
FETCH = """
import json, sys
from huggingface_hub import constants
constants.DOWNLOAD_CHUNK_SIZE = 65_536  # what arrives counts in parts of this size: ten megabytes there, more than these files
from ftbench.base.errors import InputError
from ftbench.model.weights import fetch_weights
try:
    fetch_weights(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3])
except InputError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
"""


@pytest.fixture
def hub():
    with hubs.running() as running:
        yield running


def fetch(folder: Path, entry: dict, address: str) -> subprocess.CompletedProcess:
    environment = os.environ | {
        "HF_ENDPOINT": address,
        "HF_HOME": str(folder / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TORCH_HOME": str(folder / "torch"),
        "FTBENCH_TORCH_ENDPOINT": address,
        "PYTHONPATH": str(SCRIPTS),
        "OMP_NUM_THREADS": "1",
    }
    arguments = [json.dumps(entry), str(folder / "w.safetensors"), str(folder / "w.json")]
    return warm_python.run(["-c", FETCH, *arguments], folder, environment, timeout=120, apart=True)


def refused(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 3, done.stderr[-2000:]
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("The weights")]
    return sentence


@pytest.fixture(scope="module")
def vit(tmp_path_factory) -> bytes:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vit") / "m.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in timm.create_model("test_vit").state_dict().items()}, path)
    return path.read_bytes()


def test_timms_weights_are_downloaded_from_the_endpoint_and_recorded(tmp_path, hub, vit):
    hub.files[TIMM_FILE] = vit
    done = fetch(tmp_path, TIMM, hub.address)
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads((tmp_path / "w.json").read_text())
    assert record["origin"] == "hf-hub:timm/test_vit.r160_in1k" and record["weights"] == "r160_in1k"
    assert load_file(tmp_path / "w.safetensors").keys() == timm.create_model("test_vit").state_dict().keys()
    hub.files.clear()  # a second time everything is in the cache
    (tmp_path / "w.json").unlink()
    assert fetch(tmp_path, TIMM, "http://127.0.0.1:9").returncode == 0


def test_a_file_other_than_the_hub_announced_is_refused(tmp_path, hub, vit):
    hub.files[TIMM_FILE], hub.announced[TIMM_FILE] = vit, "a" * 64
    assert "invalid sha256" in refused(fetch(tmp_path, TIMM, hub.address))
    assert not (tmp_path / "w.safetensors").exists()


def test_a_download_that_broke_off_goes_on_where_it_was(tmp_path, hub, vit):
    hub.files[TIMM_FILE], hub.cuts = vit, [len(vit) // 2, len(vit) // 4]
    done = fetch(tmp_path, TIMM, hub.address)
    assert done.returncode == 0, done.stderr[-2000:]
    first, second, third = hub.ranges
    assert first is None and 0 < position(second) < position(third) < len(vit)
    expected, found = load_bytes(vit), load_file(tmp_path / "w.safetensors")
    assert found.keys() == expected.keys() and all(found[name].equal(tensor) for name, tensor in expected.items())


def test_a_resumed_download_of_another_file_than_announced_is_refused(tmp_path, hub, vit):
    hub.files[TIMM_FILE], hub.announced[TIMM_FILE], hub.cuts = vit, "a" * 64, [len(vit) // 2]
    assert "invalid sha256" in refused(fetch(tmp_path, TIMM, hub.address))
    assert position(hub.ranges[1]) > 0 and not (tmp_path / "w.safetensors").exists()


def position(asked: str) -> int:
    """The first byte of a Range header."""
    return int(asked.removeprefix("bytes=").partition("-")[0])


@pytest.mark.parametrize("entry", [TIMM, TORCHVISION])
def test_without_a_network_one_sentence_says_where_to_put_the_file(tmp_path, entry, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # else its client asks for minutes before it gives up
    sentence = refused(fetch(tmp_path, entry, "http://127.0.0.1:9"))
    assert "could not be downloaded" in sentence and "weights: file:<path>" in sentence


def squeezenet(tmp_path, hub) -> tuple[str, bytes]:
    """The path on torch's hub, and a file whose hash is not the one in that path's name."""
    url = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url
    buffer = io.BytesIO()
    torch.save(torchvision.models.squeezenet1_1().state_dict(), buffer)
    return url.removeprefix("https://download.pytorch.org"), buffer.getvalue()


def test_torchvisions_file_with_another_hash_than_its_name_says_is_refused(tmp_path, hub):
    path, content = squeezenet(tmp_path, hub)
    hub.files[path] = content
    assert "invalid hash value" in refused(fetch(tmp_path, TORCHVISION, hub.address))
    hub.cuts = [len(content) // 2]  # and so is half a file
    assert "could not be downloaded" in refused(fetch(tmp_path, TORCHVISION, hub.address))
    assert not list((tmp_path / "torch" / "hub" / "checkpoints").glob("*.pth"))


def test_torchvisions_file_with_the_right_hash_is_loaded_and_recorded(tmp_path, hub, monkeypatch):
    """No file can be made for a hash that is given, so the address carries the file's own, through the same code."""
    from ftbench.model.architectures import torchvision as ours

    path, content = squeezenet(tmp_path, hub)
    name = f"/models/squeezenet1_1-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    hub.files[name] = content
    monkeypatch.setenv("FTBENCH_TORCH_ENDPOINT", hub.address)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    weights = torchvision.models.SqueezeNet1_1_Weights
    monkeypatch.setattr(weights.IMAGENET1K_V1._value_, "url", f"https://download.pytorch.org{name}", raising=False)
    found = ours.published("squeezenet1_1", "IMAGENET1K_V1")
    expected = torch.load(io.BytesIO(content), weights_only=True)
    assert all(torch.equal(found["state"][key], tensor) for key, tensor in expected.items())
