"""What a study was made of, in one file: versions, machines, commands, and the digests and licences of data and weights."""

import os
import platform
from collections import Counter
from importlib.metadata import version

from ftbench import __version__
from ftbench.base.digests import digest
from ftbench.base.files import read_json, write_json
from ftbench.evaluate.cells import CELL
from ftbench.evaluate.records import content
from ftbench.study.driver.commands import read_commands

UNKNOWN = "not stated by the source"
PACKAGES = ("snakemake", "torch", "torchvision", "timm", "numpy", "pandas", "scipy", "scikit-learn")


def record_environment(
    study: str, runs: list, datasets: list[dict], downloads: list, weights: list, folder: str, out: str
) -> None:
    """Write environment.json of a study.

    `study` is study.json, `runs` every run.json or what it holds, `weights` the records of fetch_weights, `downloads` the files.json of
    what was downloaded. `datasets` holds {"dataset", "train", "test"} per data set: its name, train.json and test.json.
    `folder` is the study's, where its commands were noted.

    versions and machine are those of this job; `machines` lists what the runs themselves recorded, with the number of
    runs on each: {device, device_name, versions, runs}. Digests are hex sha256.
    """
    resolved = read_json(study)
    records = [content(run) for run in runs]
    downloaded = {entry["name"]: entry["files"] for entry in map(read_json, downloads)}
    write_json(
        out,
        {
            "study": resolved["study"],
            "finetune_bench": __version__,
            "config_sha256": digest(resolved),
            "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
            "machine": {
                "name": platform.node(),
                "system": platform.platform(),
                "processors": os.cpu_count(),
                "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6,
            },
            "machines": machines(records),
            "commands": read_commands(folder),
            "code": sorted({record["digests"]["code"] for record in records}),
            "datasets": {entry["dataset"]: describe_dataset(entry, downloaded) for entry in datasets},
            "weights": [describe_weights(path) for path in weights],
            "predictions": given_predictions(records),
        },
    )


def machines(records: list[dict]) -> list[dict]:
    """Where the runs ran: one entry per device and set of versions, the most used first; predictions from outside ran nowhere here."""
    counted = Counter(
        (record["device"], record["device_name"], tuple(sorted(record["versions"].items())))
        for record in records
        if record["device_name"] is not None
    )
    return [
        {"device": device, "device_name": name, "versions": dict(versions), "runs": count}
        for (device, name, versions), count in counted.most_common()
    ]


def given_predictions(records: list[dict]) -> list[dict]:
    """The files of predictions from outside that runs stand on: {dataset, backbone, strategy, sha256} of the validation images' file."""
    return [
        {name: record[name] for name in CELL} | {"sha256": record["digests"]["predictions"]}
        for record in records
        if "predictions" in record["digests"]
    ]


def describe_dataset(entry: dict, downloaded: dict[str, list]) -> dict:
    """Where a data set comes from, its licence, its archives, and the digests of both parts as the study read them."""
    train, test = read_json(entry["train"]), read_json(entry["test"])
    archives = downloaded.get(train["source"]["name"] or train["source"]["path"], [])
    return {
        "source": train["source"]["source"],
        "name": train["source"]["name"] or train["source"]["path"],
        "homepage": train["homepage"],
        "licence": train["licence"] or UNKNOWN,
        "train": {"sha256": train["digest"], "images": train["images"]},
        "test": {"sha256": test["digest"], "images": test["images"]},
        "files": [{key: file[key] for key in ("file", "url", "md5")} for file in archives],
    }


def describe_weights(path: str) -> dict:
    """Where pretrained weights come from, their licence and digest, from the record beside them."""
    record = read_json(path)
    return {key: record[key] for key in ("source", "model", "weights", "origin", "licence", "sha256")}
