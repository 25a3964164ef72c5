"""Seconds of training until validation reaches a target, for this loop and others: the table "Time to accuracy" of docs/speed.md.

    python benchmarks/time_to_accuracy.py --archive cifar-10-python.tar.gz        (or FTBENCH_CIFAR10, or --large: 45,000 images to 86 %)

All fine-tune the same pretrained network on the same CIFAR-10 images and are judged on the same validation images, each by its own documented
recipe (the files of benchmarks/accuracy). Each run is a process of its own. The clock counts training and the validation after every epoch; imports,
reading and building come before. Runs take turns: every contender once, then in the reverse order once more. A recipe that ends
below the target is run again with twice the epochs, up to --most times as many, and only the run that gets there is counted; what took
longer than --limit, in CPU seconds, is given up. CPU seconds count the processes that prepare images too.
Peers are installed on the first run, without their dependencies, into .bench-accuracy; one that cannot be had is named with the reason.
Writes results/bench_accuracy.json. --quick takes a tiny network with random weights and installs nothing.
"""

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _common import ROOT, out_of, parser  # isort: skip
import numpy as np
import timm
import torch
from safetensors.torch import save_file

from ftbench.base.files import write_json
from ftbench.machine import devices
from ftbench.model.weights import fetch_weights
from ftbench.study import config

CONTENDERS = ["frozen_norms", "ours", "growing", "tutorial", "timm_script", "hf_trainer", "fastai_learner"]
TITLES = {
    "ours": "this loop",
    "growing": "this loop, image_sizes",
    "frozen_norms": "this loop, frozen norms",
    "tutorial": "the tutorial's loop",
    "timm_script": "timm's train script",
    "hf_trainer": "Hugging Face Trainer",
    "fastai_learner": "fastai",
}
QUICK = [name for name in CONTENDERS if name != "ours"]  # the other one runs all of its code
PEERS = ROOT / ".bench-accuracy"
CLASSES = 10


# --- peers -----------------------------------------------------------------------------------------------------------


def peer_packages() -> dict[str, list[str]]:
    lines = (ROOT / "benchmarks" / "accuracy" / "peers.txt").read_text().splitlines()
    return {name: packages for name, *packages in (line.split() for line in lines if not line.startswith("#"))}


def install(name: str) -> str | None:
    """Install a peer's packages into a folder of its own, unless they are there; returns why that failed, else None."""
    packages, folder = peer_packages().get(name, []), PEERS / name
    done = folder / "installed.txt"
    if not packages or done.exists() and done.read_text().split() == packages:
        return None
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", folder]
    ended = subprocess.run([*command, *packages], capture_output=True, text=True)
    if ended.returncode:
        return last_line(ended.stderr)
    done.write_text("\n".join(packages))
    return None


def installed(name: str) -> bool:
    return name not in peer_packages() or (PEERS / name / "installed.txt").exists()


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line or "ERROR" in line]
    return (errors or lines or ["no message"])[-1][:200]


# --- data ------------------------------------------------------------------------------------------------------------


def cifar10(archive: Path) -> tuple[np.ndarray, np.ndarray]:
    """The 50,000 training images (N, 32, 32, 3) and labels (N,) of the published archive."""
    images, labels = [], []
    with tarfile.open(archive) as members:
        for number in range(1, 6):
            part = pickle.load(members.extractfile(f"cifar-10-batches-py/data_batch_{number}"), encoding="bytes")
            part = {key.decode() if isinstance(key, bytes) else key: value for key, value in part.items()}
            images.append(np.asarray(part["data"], np.uint8).reshape(-1, 3, 32, 32))
            labels.append(part["labels"])
    return np.ascontiguousarray(np.concatenate(images).transpose(0, 2, 3, 1)), np.concatenate(labels).astype(np.int64)


def find_archive(given: Path | None, folder: Path) -> Path:
    """The archive that is given, or built by the folder that FTBENCH_CIFAR10 names."""
    if given:
        return given
    if "FTBENCH_CIFAR10" not in os.environ:
        sys.exit(
            "give --archive cifar-10-python.tar.gz, or FTBENCH_CIFAR10=<a folder with the images and their build.py>"
        )
    build = Path(os.environ["FTBENCH_CIFAR10"], "build.py").resolve()
    subprocess.run([sys.executable, build, folder, "--archive"], check=True)
    return folder / "cifar-10-python.tar.gz"


def balanced(labels: np.ndarray, per_class: list[int], seed: int = 0) -> list[np.ndarray]:
    """Rows of so many images of each class for every entry of `per_class`, drawn without overlap, in random order."""
    rng, parts = np.random.default_rng(seed), [[] for _ in per_class]
    for label in range(CLASSES):
        rows = rng.permutation(np.flatnonzero(labels == label))
        for part, (first, last) in zip(parts, zip(np.cumsum([0, *per_class]), np.cumsum(per_class))):
            part.append(rows[first:last])
    return [rng.permutation(np.concatenate(part)) for part in parts]


def write_race(folder: Path, arguments: argparse.Namespace) -> dict:
    """Write what all contenders read into `folder`; returns the settings."""
    race = {"classes": CLASSES, "threads": arguments.threads, "seed": 0, "limit": arguments.limit, "batch": None}
    if arguments.quick:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (6 * CLASSES, 32, 32, 3), dtype=np.uint8)
        labels, per_class = np.arange(len(images)) % CLASSES, [4, 2]
        race |= {
            "model": "test_efficientnet",
            "size": 32,
            "mean": [0.5] * 3,
            "std": [0.25] * 3,
            "target": 0.0,
            "batch": 8,
        }
        network = timm.create_model(race["model"])
        save_file(
            {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "weights.safetensors"
        )
    else:
        images, labels = cifar10(find_archive(arguments.archive, folder))
        per_class = [4500, 500] if arguments.large else [450, 50]
        entry = config.read(ROOT / "config" / "findings.yaml")["backbones"]["lite0_64"]
        race |= {"target": arguments.target or (0.86 if arguments.large else 0.70), "size": entry["image_size"]}
        race |= {key: entry[key] for key in ("model", "mean", "std")}
        fetch_weights(entry, folder / "weights.safetensors", folder / "weights.json")
    train, validation = balanced(labels, per_class)
    race |= {"head": timm.create_model(race["model"]).default_cfg["classifier"]}
    race |= {"train": train.tolist(), "validation": validation.tolist()}
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    (folder / "race.json").write_text(json.dumps(race))
    return race


# --- the race --------------------------------------------------------------------------------------------------------


def run(folder: Path, name: str, epochs: int, threads: int) -> dict:
    """One run of a contender: epochs, reached, scores (accuracy, seconds, cpu_seconds after each epoch), the machine's load at the end; or {"failed": why}."""
    paths = [str(PEERS / name), str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": str(threads)}
    environment |= {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    out = folder / f"{name}.json"
    out.unlink(missing_ok=True)
    print(f"{TITLES[name]}, {epochs} epochs", flush=True)
    command = [sys.executable, "-m", "accuracy", str(folder), name, str(epochs)]
    ended = subprocess.run(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True)
    return json.loads(out.read_text()) if out.exists() else {"failed": last_line(ended.stderr)}


def turn(folder: Path, name: str, epochs: int, most: int, race: dict) -> dict:
    """A contender's turn: with `epochs`, and where the target is not reached with twice as many, up to `most` and the limit."""
    while True:
        ended = run(folder, name, epochs, race["threads"])
        if "failed" in ended or ended["reached"] or ended["scores"][-1]["cpu_seconds"] > race["limit"]:
            return ended
        if 2 * epochs > most:
            return ended
        epochs *= 2


def documented(name: str) -> dict[str, str | int]:
    """RECIPE and EPOCHS of a contender, read without importing it: its packages are not this process's."""
    import ast

    found = {}
    for node in ast.parse((ROOT / "benchmarks" / "accuracy" / f"{name}.py").read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id in ("RECIPE", "EPOCHS"):
            found[node.targets[0].id] = node.value
    own = {key: value.value for key, value in found.items() if isinstance(value, ast.Constant)}
    return own if "EPOCHS" in own else own | {"EPOCHS": documented("ours")["EPOCHS"]}


def summary(name: str, runs: list[dict]) -> dict:
    """A contender's row: medians over its turns of seconds and CPU seconds until the target; None where one did not reach it."""
    row = {"name": name, "recipe": documented(name)["RECIPE"], "runs": runs}
    failed = [one["failed"] for one in runs if "failed" in one]
    if failed:
        return row | {"failed": failed[0]}
    best = max(score["accuracy"] for one in runs for score in one["scores"])
    row |= {"epochs": runs[-1]["epochs"], "epochs_needed": [len(one["scores"]) for one in runs], "best_accuracy": best}
    for key in ("seconds", "cpu_seconds"):
        ends = [one["scores"][-1][key] for one in runs]
        row |= {key: statistics.median(ends) if all(one["reached"] for one in runs) else None}
    return row


def show(rows: list[dict], race: dict) -> None:
    print(f"\nuntil {race['target']:.0%} of {len(race['validation'])} validation images, {len(race['train']):,} train:")
    for row in rows:
        title = f"  {TITLES[row['name']]:<24}"
        if "failed" in row:
            print(f"{title} not measured: {row['failed']}")
        elif row["seconds"] is None:
            gave_up = max(one["scores"][-1]["cpu_seconds"] for one in row["runs"])
            print(f"{title} not reached: {row['best_accuracy']:.1%} at best, given up after {gave_up:.0f} s of CPU")
        else:
            needed = "/".join(map(str, row["epochs_needed"]))
            print(
                f"{title} {row['seconds']:7.1f} s  CPU {row['cpu_seconds']:7.1f} s  epochs {needed} of {row['epochs']}"
            )
        print(f"  {'':<24} {row['recipe']}")


def main() -> None:
    options = parser(__doc__, out="bench_accuracy.json")
    options.add_argument("--archive", type=Path, help="cifar-10-python.tar.gz (default: made by FTBENCH_CIFAR10)")
    options.add_argument("--large", action="store_true", help="45,000 images to 86 %%, in the place of 4,500 to 70 %%")
    options.add_argument("--target", type=float, help="another accuracy, as a fraction")
    options.add_argument("--turns", type=int, default=2)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--limit", type=float, default=1200, help="CPU seconds of a run, then it is given up")
    options.add_argument("--most", type=int, default=4, help="times a recipe's documented epochs that it may be given")
    options.add_argument("--only", choices=CONTENDERS, nargs="*")
    arguments = options.parse_args()
    out = out_of(arguments)
    names = arguments.only or (QUICK if arguments.quick else CONTENDERS)
    with tempfile.TemporaryDirectory(prefix="race-") as place:
        folder, missing = Path(place), absent(names, arguments.quick)
        race = write_race(folder, arguments)
        ran_on = conditions(race, names) | {"most": arguments.most}
        for rows in compete(folder, [name for name in names if name not in missing], race, arguments, missing):
            write_json(out, ran_on | {"rows": rows})  # after every run: an hour is long
    show(rows, race)
    failed = [row["name"] for row in rows if "failed" in row and row["name"] not in missing]
    if arguments.quick and failed:
        sys.exit(f"not to its end: {', '.join(failed)}")
    print(f"on {ran_on['device_name']}, {race['threads']} threads; written to {out}")


def conditions(race: dict, names: list[str]) -> dict:
    """What the figures hold for."""
    return {
        "device_name": devices.device_name(torch.device("cpu")),
        "threads": race["threads"],
        "versions": devices.versions(),
        "peers": {name: packages for name, packages in peer_packages().items() if name in names},
        **{key: race[key] for key in ("model", "size", "target", "limit")},
        "train_images": len(race["train"]),
        "validation_images": len(race["validation"]),
    }


def absent(names: list[str], quick: bool) -> dict[str, str]:
    """{contender: why it cannot race}."""
    if quick:
        return {name: "not installed; make bench-accuracy installs it" for name in names if not installed(name)}
    return {name: fault for name in names if (fault := install(name))}


def compete(
    folder: Path, names: list[str], race: dict, arguments: argparse.Namespace, missing: dict
) -> Iterator[list[dict]]:
    """All turns, forth and back; after each run the row of every contender that ran, and of those that are missing."""
    runs: dict[str, list[dict]] = {name: [] for name in names}
    absent_rows = [{"name": name, "recipe": documented(name)["RECIPE"], "failed": why} for name, why in missing.items()]
    for number in range(1 if arguments.quick else arguments.turns):
        for name in names[:: -1 if number % 2 else 1]:
            own = 1 if arguments.quick else documented(name)["EPOCHS"]
            if runs[name] and not runs[name][-1].get("reached"):
                continue  # once is enough to know
            epochs = runs[name][-1]["epochs"] if runs[name] else own
            runs[name].append(turn(folder, name, epochs, arguments.most * own, race))
            yield [summary(one, ended) for one, ended in runs.items() if ended] + absent_rows


if __name__ == "__main__":
    main()
