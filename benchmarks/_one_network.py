"""What benchmarks of recipes share: one pretrained network, fine-tuned on CIFAR-10 images by the jobs' own functions, in this process.

Data and weights are written into one folder; each cell gets a folder in it. Its trials and runs are called one after another, and the
processor's seconds are noted. The networks are scored on images that nothing else saw, as a study scores its own (docs/statistics.md).
"""

import hashlib
import io
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

from _common import ROOT  # isort: skip
import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from steps import fast_precision
from time_to_accuracy import CLASSES, balanced, cifar10, find_archive

from ftbench.base.files import read_json, write_json, write_npz
from ftbench.compare.comparison import compare
from ftbench.data.images import Images
from ftbench.machine import devices
from ftbench.model import architectures, backbones
from ftbench.model.weights import fetch_weights
from ftbench.study import cached_views, config, grid, settings
from ftbench.study.trials import trials
from ftbench.train.cache_views import cache_views
from ftbench.train.run import train, train_trial
from ftbench.train.selection import select_recipe

TINY = {"source": "ftbench", "model": "resnet8", "image_size": 16, "mean": [0.5] * 3, "std": [0.25] * 3}


def resolved(name: str, quick: bool, threads: int, seeds: int, epochs: int, network: dict, **more) -> dict:
    """A study of one network on CIFAR-10 that trains as config/findings.yaml does; `more` are its other tables."""
    recipe = config.read(ROOT / "config" / "findings.yaml")["training"]
    return config.resolve(
        {
            "study": name,
            "seeds": list(range(seeds)),
            "device": "cpu",
            "precision": "float32" if quick else fast_precision(),
            "threads": threads,
            "datasets": {"cifar10": {"source": "torchvision", "name": "CIFAR10"}},
            "backbones": {"network": network},
            "training": recipe | {"epochs": epochs},
            **more,
        }
    )


# --- files -----------------------------------------------------------------------------------------------------------


def write_data(folder: Path, arguments, per_class: list[int]) -> np.ndarray:
    """Write images.npy and split.npz; returns the rows that test, which are in neither part of the split."""
    if arguments.quick:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (sum(per_class) * CLASSES, 16, 16, 3), dtype=np.uint8)
        labels = np.arange(len(images)) % CLASSES
    else:
        images, labels = cifar10(find_archive(arguments.archive, folder))
    train_rows, validation, test = map(np.sort, balanced(labels, per_class))
    np.save(folder / "images.npy", images)
    sha256 = hashlib.sha256(images).hexdigest()
    parts = {"train": train_rows, "validation": validation, "labels": labels, "classes": CLASSES}
    write_npz(folder / "split.npz", **parts, digest=sha256, images_sha256=sha256)
    write_json(folder / "classes.json", [f"class {number}" for number in range(CLASSES)])
    return test


def write_weights(folder: Path, quick: bool) -> dict:
    """Write the pretrained weights and their record; returns the entry of the backbone."""
    path, record = folder / "weights.safetensors", folder / "weights.json"
    if not quick:
        entry = config.read(ROOT / "config" / "findings.yaml")["backbones"]["lite0_64"]
        fetch_weights(entry, path, record)
        return entry
    torch.manual_seed(0)
    save_file(architectures.load("ftbench").build("resnet8", CLASSES, 16).state_dict(), path)
    write_json(record, {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "mean": [0.5] * 3, "std": [0.25] * 3})
    return TINY | {"weights": f"file:{path}"}


# --- one cell --------------------------------------------------------------------------------------------------------


class Clock:
    """Seconds of this process's processor, by what they were spent on."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    def of(self, what: str, job: Callable, **given) -> None:
        before = time.process_time()
        with redirect_stdout(io.StringIO()):
            job(**given)
        self.seconds[what] = self.seconds.get(what, 0.0) + time.process_time() - before


def run_cell(study: dict, cell: grid.Cell, folder: Path, clock: Clock) -> list[Path]:
    """Make the views if there are any, tune, and run with every seed; returns the folders of the runs."""
    files = {name: str(folder / file) for name, file in (("images", "images.npy"), ("split", "split.npz"), ("weights", "weights.safetensors"), ("record", "weights.json"))}  # fmt: skip
    inputs, own = files | {"normalization": None, "probe": None}, folder / cell.strategy
    if cached_views.views_of(study, cell.strategy):
        paths = {name: str(own / file) for name, file in (("views", "views.npy"), ("plain", "plain.npy"), ("cost", "cost.json"))}  # fmt: skip
        job = SimpleNamespace(**cell._asdict(), **cached_views.wildcards(study, cell))
        clock.of("views", cache_views, run=cached_views.views_run(study, job), **files, **paths, limit_gb=20.0)
        inputs |= {"views": paths["views"], "plain": paths["plain"], "views_cost": paths["cost"]}
    tried = []
    for trial in trials(study, cell.strategy):
        run = {key: value for key, value in settings.trial_run(study, cell, trial).items() if key != "trial"}
        tried.append(str(own / f"trial{trial.name}.json"))
        clock.of("trials", train_trial, run=run, code="", inputs=inputs, trial=trial._asdict(), out=tried[-1], resume=str(own / "trial"))  # fmt: skip
    select_recipe(settings.selection(study, cell), tried, str(own / "selected.json"), str(own / "recipe.json"))
    runs = []
    for seed in study["seeds"]:
        place = own / f"seed{seed}"
        place.mkdir()
        outputs = {"model": "model.safetensors", "history": "history.csv", "run_json": "run.json", "cost": "cost.json", "val_logits": "val_logits.npz", "resume": "resume"}  # fmt: skip
        outputs = {name: str(place / file) for name, file in outputs.items()}
        clock.of("runs", train, run=settings.run(study, cell, seed), code="", inputs=inputs, recipe=str(own / "recipe.json"), **outputs)  # fmt: skip
        runs.append(place)
    return runs


# --- scores ----------------------------------------------------------------------------------------------------------


def write_test_logits(study: dict, cell: grid.Cell, folder: Path, runs: list[Path], test: np.ndarray) -> None:
    """The logits of each run's network, the whole of it, on the test rows."""
    machine = settings.machine(study, cell.backbone)
    device, labels = devices.set_up(machine), np.load(folder / "split.npz")["labels"]
    images = Images(folder / "images.npy", device)
    for place in runs:
        backbone = backbones.build(machine["network"], CLASSES, 0, None, read_json(folder / "weights.json") | {"sha256": None})  # fmt: skip
        backbone.network.load_state_dict(load_file(place / "model.safetensors"))
        backbones.prepare(backbone, machine, device)
        logits = backbones.part_logits(backbone, images, test, machine, device)
        write_npz(place / "test_logits.npz", logits=logits, labels=labels[test], ids=np.arange(len(test)))


def scores(folder: Path, runs: dict[tuple[grid.Cell, int], Path], first: str) -> dict[str, dict]:
    """{strategy: validation and test accuracy over its seeds, and the difference of the latter from the strategy `first`}, from the
    folders of all (cell, seed).
    """
    labelled = [
        {"labels": cell._asdict() | {"seed": seed}, "run": place / "run.json", "test_logits": place / "test_logits.npz"}
        for (cell, seed), place in runs.items()
    ]
    names = [folder / f"{name}.csv" for name in ("cells", "pairwise", "differences", "classes")]
    compare(labelled, "accuracy", *names)
    cells, pairs = pd.read_csv(names[0]).set_index("strategy"), pd.read_csv(names[1])
    found = {}
    for strategy in dict.fromkeys(cell.strategy for cell, _ in runs):
        places = [place for (cell, _), place in runs.items() if cell.strategy == strategy]
        row = {"validation": float(np.mean([read_json(place / "run.json")["validation_accuracy"] for place in places]))}
        row |= {name: float(cells.loc[strategy][f"accuracy_{name}"]) for name in ("mean", "ci_low", "ci_high")}
        for one, other, sign in (("strategy_a", "strategy_b", 1), ("strategy_b", "strategy_a", -1)):
            for pair in pairs[(pairs[one] == strategy) & (pairs[other] == first)].to_dict("records"):
                row["difference"] = sign * pair["difference"]
                row["low"], row["high"] = sorted((sign * pair["ci_low"], sign * pair["ci_high"]))
        found[strategy] = row
    return found
