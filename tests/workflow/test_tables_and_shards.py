"""A table and parquet shards through the real Snakemake: prepared, kept with their metadata, and run again where a file of theirs changes."""

import csv
import sys
from pathlib import Path

from studies import REPOSITORY, Clone

sys.path.insert(0, str(REPOSITORY / "tests" / "unit" / "data"))
import four_forms  # noqa: E402

PREPARED = ("train.json", "test.json", "metadata.csv", "test_metadata.csv", "split.npz")


def config(root: Path) -> dict:
    found = four_forms.images({"train": 4, "test": 2})
    table = four_forms.table(root / "kaggle", found) | {"path": "kaggle/labels.csv", "images": "kaggle/images"}
    shards = four_forms.shards(root / "hub", found) | {"path": "hub"}
    return {
        "study": "tiny",
        "seeds": [0],
        "device": "cpu",
        "threads": 1,
        "datasets": {
            name: entry | {"image_size": 8, "validation_fraction": 0.25}
            for name, entry in (("table", table), ("shards", shards))
        },
        "backbones": {"small": {"source": "ftbench", "model": "resnet8", "image_size": 8}},
        "strategies": {"scratch": {"kind": "scratch", "learning_rate": 0.1}},
    }


def test_a_table_and_shards_are_prepared_alike_and_run_again_when_a_file_of_theirs_changes(tmp_path):
    clone = Clone.of_repository(tmp_path)
    clone.write_config(config(tmp_path))
    targets = [f"results/tiny/data/{name}/{file}" for name in ("table", "shards") for file in PREPARED]
    clone.snakemake(*targets)
    kept = {name: [clone.path(f"data/{name}/{file}").read_bytes() for file in ("images.npy", "labels.npy", "groups.npy")]
            for name in ("table", "shards")}  # fmt: skip
    assert kept["table"] == kept["shards"]
    for name in ("table", "shards"):
        with clone.path(f"data/{name}/metadata.csv").open(newline="") as stream:
            assert [row["site"] for row in csv.DictReader(stream)] == ["A", "B"] * 6
    (tmp_path / "kaggle" / "images" / "train" / "cat" / "notes.txt").write_text("no image")
    assert clone.plan(*targets) == []

    labels = tmp_path / "kaggle" / "labels.csv"
    content = labels.read_bytes()
    labels.write_bytes(content.replace(b",A\r", b",C\r", 1))
    jobs = clone.plan(*targets)
    assert {job.rule for job in jobs} >= {"prepare_train", "prepare_test"}
    assert {job.wildcards["dataset"] for job in jobs} == {"table"}
    labels.write_bytes(content)
    assert clone.plan(*targets) == []

    first = sorted((tmp_path / "hub").glob("train-*"))[0]
    first.rename(first.with_name("train-00009-of-00010.parquet"))
    assert {job.wildcards["dataset"] for job in clone.plan(*targets)} == {"shards"}
