"""A data set of the Hugging Face hub, from a server on this machine: the client's own variable names it, nothing is replaced."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import four_forms
import hubs
import pytest
from entries import entry

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
COMMIT = "0" * 40
FETCH = """
import json, sys
from ftbench.base.errors import InputError
from ftbench.data.download_dataset import download_dataset
from ftbench.data.sources import parquet
settings = json.loads(sys.argv[1])
try:
    download_dataset(settings, sys.argv[2], sys.argv[2] + "/files.json")
except InputError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
classes, items = parquet.read(settings, sys.argv[2], "train")
print(json.dumps([classes, [name for name, _, load in items if load().pixels.ndim == 3]]))
"""


@pytest.fixture
def hub():
    with hubs.running() as running:
        yield running


def publish(hub, folder: Path, revision: str = "main", **changes) -> dict[str, bytes]:
    """Put the shards of a small set on the hub as me/pets; `changes` replaces what the list says of every file."""
    four_forms.shards(folder, four_forms.images({"train": 2, "test": 2}))
    files = {f"data/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.parquet"))}
    listed = [{"rfilename": "README.md", "size": 3, "blobId": "x"}] + [
        {
            "rfilename": name,
            "size": len(data),
            "blobId": "b",
            "lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 1},
        }
        | changes
        for name, data in files.items()
    ]
    info = {"id": "me/pets", "_id": "1", "sha": COMMIT, "private": False, "gated": False, "disabled": False, "downloads": 1, "likes": 0,
            "tags": [], "siblings": listed}  # fmt: skip
    address = "/api/datasets/me/pets" + (f"/revision/{revision}" if revision != "main" else "") + "?blobs=true"
    hub.files[address] = json.dumps(info).encode()
    hub.files |= {f"/datasets/me/pets/resolve/{COMMIT}/{name}": data for name, data in files.items()}
    return files


def fetch(folder: Path, address: str, **changes) -> subprocess.CompletedProcess:
    environment = os.environ | {
        "HF_ENDPOINT": address,
        "HF_HOME": str(folder / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONPATH": str(SCRIPTS),
    }
    environment.pop("HF_HUB_OFFLINE", None)
    settings = entry(**{"source": "parquet", "path": "hf:me/pets"} | changes)
    command = [sys.executable, "-c", FETCH, json.dumps(settings), str(folder / "set")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def refused(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 3, done.stderr[-2000:]
    return done.stderr.strip().splitlines()[-1]


def test_a_set_is_downloaded_from_the_endpoint_compared_recorded_and_read(tmp_path, hub):
    files = publish(hub, tmp_path / "made")
    done = fetch(tmp_path, hub.address)
    assert done.returncode == 0, done.stderr[-2000:]
    classes, names = json.loads(done.stdout.strip().splitlines()[-1])
    assert classes == list(four_forms.CLASSES) and len(names) == 6
    record = json.loads((tmp_path / "set" / "files.json").read_text())
    assert record["name"] == "hf:me/pets" and record["homepage"].endswith("/datasets/me/pets")
    assert {file["file"]: file["sha256"] for file in record["files"]} == {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items()
    }
    asked = len(hub.ranges)
    assert fetch(tmp_path, hub.address).returncode == 0  # what is there and right is not fetched again
    assert len(hub.ranges) == asked + 1  # the list alone


def test_another_file_than_the_hub_lists_is_refused_and_deleted(tmp_path, hub):
    publish(hub, tmp_path / "made", lfs={"sha256": "a" * 64, "size": 1, "pointerSize": 1})
    text = refused(fetch(tmp_path, hub.address))
    assert "arrived with the checksum" in text and f"instead of {'a' * 64}" in text
    assert not list((tmp_path / "set").rglob("*.parquet")) and not (tmp_path / "set" / "files.json").exists()


def test_without_a_network_and_with_an_unknown_name_a_sentence_says_what_to_do(tmp_path, hub):
    text = refused(fetch(tmp_path, "http://127.0.0.1:9"))
    assert "hf:me/pets could not be downloaded from http://127.0.0.1:9" in text and "give their folder as path" in text
    assert "is not known to" in refused(fetch(tmp_path, hub.address, path="hf:me/nothing"))


def test_a_set_without_parquet_is_taken_as_the_hub_converted_it(tmp_path, hub):
    publish(hub, tmp_path / "made", revision="refs%2Fconvert%2Fparquet")
    plain = {"id": "me/pets", "sha": COMMIT, "siblings": [{"rfilename": "a.jpg", "size": 1, "blobId": "x"}], "tags": [], "downloads": 1, "likes": 0,
             "private": False, "gated": False, "disabled": False}  # fmt: skip
    hub.files["/api/datasets/me/pets?blobs=true"] = json.dumps(plain).encode()
    done = fetch(tmp_path, hub.address)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the hub's own conversion is taken" in done.stdout
