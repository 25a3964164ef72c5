"""The proof: one data set as folder, table, parquet and tar gives the same arrays, labels and digests."""

import csv
import functools
import json

import four_forms
import numpy as np
import pytest
from entries import entry

from ftbench.data.prepare import prepare_test, prepare_train

TRAIN = ("images.npy", "labels.npy", "groups.npy", "classes.json", "files.csv", "train.json")
TEST = ("classes.json", "test_images.npy", "test_labels.npy", "test_files.csv", "test.json")
FORMS = {
    "table": four_forms.table,
    "parquet": four_forms.shards,
    "parquet of bytes": functools.partial(four_forms.shards, struct=False),
    "tar": four_forms.tars,
    "packed tar": functools.partial(four_forms.tars, packed=True),
}


def prepared(settings: dict, out, root=None) -> dict:
    settings = entry(**settings)
    root = settings["path"] if root is None else root
    prepare_train(settings, root, *(out / name for name in TRAIN), threads=2, metadata=out / "metadata.csv")
    prepare_test(
        settings, root, *(out / name for name in TEST), train=out / "train.json", metadata=out / "test_metadata.csv"
    )
    got = {
        name: np.load(out / name)
        for name in ("images.npy", "labels.npy", "test_images.npy", "test_labels.npy", "groups.npy")
    }
    for part in ("train", "test"):
        summary = json.loads((out / f"{part}.json").read_text())
        got |= {f"{part} {key}": summary[key] for key in ("digest", "sha256", "per_class")}
    return got | {"classes": json.loads((out / "classes.json").read_text())}


def metadata(out, prefix="") -> list[dict]:
    with (out / f"{prefix}metadata.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("parts", [{"train": 4, "test": 2}, {"": 6}, {"train": 3, "val": 2, "test": 2}], ids=str)
def test_one_data_set_in_every_form_gives_the_same_arrays_and_digests(tmp_path, parts):
    found = four_forms.images(parts)
    common = {
        "image_size": 8,
        "test_fraction": 0.3 if "" in parts else None,
        "validation": "given" if "val" in parts else None,
    }
    sites = {image["name"]: image["site"] for image in found}
    (tmp_path / "out").mkdir()
    wanted = prepared(common | four_forms.folder(tmp_path / "folder", found), tmp_path / "out")
    for name, write in FORMS.items():
        out = tmp_path / f"out {name}"
        out.mkdir()
        got = prepared(common | write(tmp_path / name, found), out)
        for key, value in wanted.items():
            assert np.array_equal(got[key], value) if isinstance(value, np.ndarray) else got[key] == value, (name, key)
        for prefix in ("", "test_"):
            with (out / f"{prefix}files.csv").open(newline="") as stream:
                files = [row["file"] for row in csv.DictReader(stream)]
            assert len(metadata(out, prefix)) == len(files)
            if name != "parquet of bytes":  # whose images have no names
                assert [row["site"] for row in metadata(out, prefix)] == [sites[file] for file in files]
