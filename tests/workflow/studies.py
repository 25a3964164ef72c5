"""Studies small enough for a test, in copies of this repository where the real Snakemake runs them."""

import compileall
import csv
import functools
import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import warm_python
import yaml
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_digits

from ftbench.base import code_digest
from ftbench.model.architectures import ftbench as small_resnets

REPOSITORY = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "config", "profiles")  # what a user's clone needs to run a study
HALF = shutil.ignore_patterns(
    "*.pyc.*", "parsed.*.[0-9]*"
)  # what another process is just writing beside compiled files
WEIGHTS = "pretrained.safetensors"
FIGURES = [
    "accuracy",
    "pareto",
    "learning_curves",
    "tuning",
    "confusion",
    "per_class",
    "mistakes",
    "montage",
    "augmentations",
    "reliability",
    "risk_coverage",
    "audit",
]
TABLES = {  # name: its formats
    "transferability": ("csv", "html", "md", "tex"),
    "clean_test": ("csv", "html", "md", "tex"),
    "comparison": ("csv", "html", "md", "tex"),
    "calibration": ("html", "md", "tex"),
    "pairwise": ("csv", "html", "md", "tex"),
    "win_tie_loss": ("csv", "html", "md", "tex"),
    "cost": ("csv", "html", "md", "tex"),
    "recommendation": ("csv", "html", "md", "tex"),
    "per_class": ("csv", "html", "md", "tex"),
    "confused": ("csv", "html", "md", "tex"),
    "image_classes": ("csv", "html", "md", "tex"),
    "image_facts": ("csv", "html", "md", "tex"),
    "stability": ("csv", "html", "md", "tex"),
    "protocol": ("html",),
    "provenance": ("html",),
    **dict.fromkeys(("runs", "cells", "differences", "classes", "ranks"), ("csv",)),
}
MEAN, STD = [0.3, 0.3, 0.3], [0.37, 0.37, 0.37]  # of the digits, about
PHOTO_SIZES = ((16, 16), (21, 16), (16, 25), (40, 30))  # width, height
CORRUPT = "train/dark/broken.jpg"


@functools.cache
def compile_once() -> None:
    """Compile and parse the repository's own files, so that no copy of it must."""
    compileall.compile_dir(code_digest.SCRIPTS, quiet=1)
    for script in code_digest.SCRIPTS.glob("*.py"):
        code_digest.modules(script.name)
    code_digest.parsed.save()


class Job(NamedTuple):
    """One job of a plan."""

    rule: str
    wildcards: dict


class Node(NamedTuple):
    """One job of the graph: its rule and the files that it reads and writes."""

    rule: str
    inputs: frozenset[str]
    outputs: frozenset[str]


def environment(more: dict | None = None) -> dict:
    """The user's environment, without a PYTHONPATH that would put this repository's package before the clone's."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return inherited | {"OMP_NUM_THREADS": "1"} | (more or {})


@dataclass
class Clone:
    """A working copy of the repository with the config of a study, `study.yaml`, in it."""

    root: Path

    @classmethod
    def of_repository(cls, root: Path, config: dict | None = None) -> "Clone":
        root.mkdir(parents=True, exist_ok=True)
        compile_once()
        for part in PARTS:
            source = REPOSITORY / part
            if source.is_dir():
                shutil.copytree(
                    source, root / part, ignore=HALF
                )  # with what Python has compiled and code_digest has parsed
            else:
                shutil.copy2(source, root / part)
        clone = cls(root)
        if config is not None:
            clone.write_config(config)
        return clone

    def copy_to(self, root: Path) -> "Clone":
        """The same, times of files included: Snakemake must find nothing to do in it."""
        shutil.copytree(self.root, root, ignore=HALF)
        return Clone(root)

    def write_config(self, config: dict) -> None:
        (self.root / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def read_config(self) -> dict:
        return yaml.safe_load((self.root / "study.yaml").read_text())

    def command(self, *arguments: str) -> list[str]:
        own = [] if "--configfile" in arguments else ["--configfile", "study.yaml"]  # takes all names that follow it
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, *own]

    def snakemake(self, *arguments: str, fails: bool = False, env: dict | None = None) -> str:
        """Run snakemake and return all that it prints. A wrong exit status is an error here, with that text."""
        done = warm_python.run(self.command(*arguments)[1:], self.root, environment(env))
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def plan(self, *arguments: str, env: dict | None = None) -> list[Job]:
        """The jobs that a start would run, from a dry run; [] where there is nothing to be done."""
        printed = self.snakemake("--dry-run", *arguments, env=env)
        jobs = []
        for line in printed.splitlines():
            if line.startswith(("rule ", "localrule ")) and line.endswith(":"):
                jobs.append(Job(line.split()[1].rstrip(":"), {}))
            elif line.startswith("    wildcards: ") and jobs:
                jobs[-1].wildcards.update(pair.split("=", 1) for pair in line.split(": ", 1)[1].split(", "))
        assert bool(jobs) != ("Nothing to be done" in printed), printed
        return [job for job in jobs if job.rule not in ("all", "study")]

    def graph_to_run(self) -> list[Node]:
        """Every job that a start would run with its files, from a dry run; of what has run, `graph` tells."""
        nodes, job = [], {}
        for line in self.snakemake("--dry-run").splitlines():
            if line.startswith(("rule ", "localrule ")):
                job = {"rule": line.split()[1].rstrip(":"), "output": ""}
            elif line.startswith(("    input: ", "    output: ")):
                key, files = line.strip().split(": ", 1)
                job[key] = files
            elif line.startswith("    jobid: "):
                files = (frozenset(filter(None, job.get(key, "").split(", "))) for key in ("input", "output"))
                nodes.append(Node(job["rule"], *files))
        return nodes

    def graph(self, *arguments: str) -> list[Node]:
        """Every job of a finished study with its files, from Snakemake's own summary; it knows no inputs of what has not run."""
        printed = self.snakemake("--detailed-summary", *arguments)
        table = printed[printed.index("output_file\t") :].splitlines()
        jobs: dict[tuple, set] = {}
        for row in csv.DictReader(table, delimiter="\t"):
            inputs = frozenset(filter(None, row["input-file(s)"].removeprefix("-").split(",")))
            # The outputs of one job share its log.
            jobs.setdefault((row["rule"], row["log-file(s)"], inputs), set()).add(row["output_file"])
        return [Node(rule, inputs, frozenset(outputs)) for (rule, _, inputs), outputs in jobs.items()]

    def path(self, name: str) -> Path:
        return self.root / "results" / "tiny" / name

    def contents(self) -> dict[str, str]:
        """{file below results/: digest}, without logs, benchmarks and the notes of what was written, which grow with every write."""
        results = self.root / "results"
        return {
            str(file.relative_to(results)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(results.rglob("*"))
            if file.is_file() and not {"logs", "benchmarks", ".written.jsonl"} & set(file.relative_to(results).parts)
        }


def tiny() -> dict:
    """The config of the study that these tests share: digits and photos, a pretrained network and a random one."""
    return {
        "study": "tiny",
        "seeds": [0, 1],
        "device": "cpu",
        "threads": 1,
        "datasets": {
            "digits": {"source": "digits", "train_limit": 16, "validation_fraction": 0.25, "flip": False},
            "photos": {
                "source": "imagefolder",
                "path": "photos",
                "image_size": 16,
                "validation_fraction": 0.25,
                "on_corrupt": "skip",
            },
        },
        "backbones": {
            "pretrained": {
                "source": "ftbench",
                "model": "resnet8",
                "weights": f"file:{WEIGHTS}",
                "image_size": 8,
                "mean": MEAN,
                "std": STD,
            },
            "small": {"source": "ftbench", "model": "resnet8", "weights": "none", "image_size": 8},
        },
        "training": {
            "epochs": 2,
            "batch_size": 16,
            "optimizer": "adamw",
            "weight_decay": 0.01,
            "warmup_steps": 2,
            "augmentation": "crop",
        },
        "tuning": {"trials": 2},
        "strategies": {
            "linear_probe": {"kind": "linear_probe"},
            "finetune": {"kind": "finetune", "learning_rate": [0.01, 1.0e9]},  # the second trial diverges
            "hopeless": {"kind": "finetune", "learning_rate": [1.0e9, 1.0e10]},  # every trial does
            "lp_ft": {"kind": "lp_ft", "learning_rate": 0.003, "weight_decay": 0.01},
            "scratch": {"kind": "scratch", "epochs": 6, "learning_rate": [0.01, 0.03]},
            "tutorial": {"kind": "tutorial"},
        },
        "budgets": {"small": {"parameters": 100_000, "latency_ms": 1000}, "quick": {"minutes": 5}},
        "exclude": [
            {"backbone": "pretrained", "strategy": ["scratch", "tutorial"]},
            {"dataset": "photos", "backbone": "pretrained"},
            {"dataset": "photos", "strategy": "tutorial"},
        ],
    }


def settings(**changes) -> dict:
    """A study of one small network from scratch on few digits."""
    return {
        "study": "tiny",
        "seeds": [0],
        "device": "cpu",
        "threads": 1,
        "datasets": {"digits": {"source": "digits", "train_limit": 12, "validation_fraction": 0.25, "flip": False}},
        "backbones": {"small": {"source": "ftbench", "model": "resnet8", "image_size": 8}},
        "training": {"epochs": 1, "batch_size": 16, "optimizer": "adamw", "warmup_steps": 2, "augmentation": "none"},
        "strategies": {"scratch": {"kind": "scratch", "learning_rate": 0.01}},
    } | changes


def cells() -> set[tuple[str, str, str]]:
    """(dataset, backbone, strategy) of `tiny`, written out."""
    pretrained = ("linear_probe", "finetune", "hopeless", "lp_ft")
    return {
        *(("digits", "pretrained", strategy) for strategy in pretrained),
        ("digits", "small", "scratch"),
        ("digits", "small", "tutorial"),
        ("photos", "small", "scratch"),
    }


def seeds(strategy: str) -> list[int]:
    return [0] if strategy == "linear_probe" else [0, 1]


def runs() -> list[tuple[str, str, str, int]]:
    """(dataset, backbone, strategy, seed) of every run of `tiny`."""
    return [(*cell, seed) for cell in sorted(cells()) for seed in seeds(cell[2])]


def write_weights(path: Path, model: str = "resnet8", steps: int = 60) -> None:
    """A network trained for a second on the digits' training rows: what stands in for pretrained weights."""
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.from_numpy(digits.images[:1200]).float()[:, None].expand(-1, 3, -1, -1) / 16
    labels = torch.from_numpy(digits.target[:1200])
    network = small_resnets.build(model, 10, 8)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for step in range(steps):
        rows = torch.arange(step * 32, step * 32 + 32) % 1200
        loss = F.cross_entropy(network((images[rows] - MEAN[0]) / STD[0]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)


def write_photos(folder: Path) -> None:
    """Two classes of noisy PNG and JPEG images in several sizes, 12 to train and 6 to test each, and a corrupt one."""
    random = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 6)):
        for name, level in (("bright", 190), ("dark", 60)):
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(count):
                width, height = PHOTO_SIZES[number % len(PHOTO_SIZES)]
                pixels = np.clip(random.normal(level, 40, (height, width, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{number:02d}.{('png', 'jpg')[number % 2]}")
    (folder / CORRUPT).write_bytes((folder / "train/dark/01.jpg").read_bytes()[:300])
