"""Protocol, cost and provenance of a study for the end of its summary: a name, what there is to say, and the file that says it in full."""

from pathlib import Path

import pandas as pd

from ftbench.base.files import read_json
from ftbench.evaluate.charges import study_total
from ftbench.evaluate.runs_csv import read_runs
from ftbench.report.layout.formats import duration
from ftbench.report.layout.frames import read_table
from ftbench.study import grid


def records(root: Path) -> list[tuple[str, str, str]]:
    """(name, value, path below `root`) of each; `root` is the study's folder."""
    study, environment = read_json(root / "study.json"), read_json(root / "environment.json")
    runs = read_runs(root / "tables" / "runs.csv")
    return [
        ("Choice", _choice(study), "tables/protocol.html"),
        (
            "Test set",
            "sealed: no job that trains or selects reads a test image or a test label" + _seen(root),
            "tables/protocol.html",
        ),
        (
            "Intervals",
            "95 %, over test images and training seeds; p values corrected by Holm's method",
            "tables/pairwise.html",
        ),
        ("Runs", _runs(runs), "tables/runs.csv"),
        ("Whole study", _cost(runs), "tables/cost.html"),
        *((f"Data set {name}", _dataset(entry), "environment.json") for name, entry in environment["datasets"].items()),
        *(("Weights", _weights(entry), "environment.json") for entry in environment["weights"]),
        ("Machine", _machines(environment), "environment.json"),
        ("Software", _software(environment), "environment.json"),
        ("Config", f"digest {environment['config_sha256'][:16]}; every key with its value", "study.json"),
        ("Every run", "recipe, seed, versions, digests", "tables/records.jsonl"),
    ]


def _seen(root: Path) -> str:
    """What takes from the seal: cells that start from weights of a finished run which was trained on test images."""
    cells = read_table(root / "tables" / "comparison.csv")
    seen = int((cells["seen_test_images"] != 0).sum())  # also where it cannot be known
    return (
        f"; of {seen} of {len(cells)} cells (flag t) the weights were, or may have been, trained on some before"
        * bool(seen)
    )


def _choice(study: dict) -> str:
    metric, tuning = study["selection_metric"].replace("_", " "), study["tuning"]
    least, own = (
        "at least " * bool(tuning.get("equal_compute")),
        ", each on a split of its own" * grid.own_splits(study),
    )
    seeds = ", ".join(map(str, study["seeds"]))
    return f"by validation {metric}; {least}{tuning['trials']} learning-rate trials for each tuned strategy, seeds {seeds}{own}"


def _runs(runs: pd.DataFrame) -> str:
    diverged = int((runs["status"] == "diverged").sum())
    return (
        f"{len(runs):,} final runs, {diverged:,} of them diverged"
        if diverged
        else f"{len(runs):,} final runs, all finished"
    )


def _cost(runs: pd.DataFrame) -> str:
    total = study_total(runs)
    parts = {"final runs": "loop_seconds", "tuning": "tuning_seconds", "features": "feature_seconds"}
    said = ", ".join(f"{duration(total[key])} of {name}" for name, key in parts.items())
    return f"{duration(total['total_seconds'])} of computing: {said}"


def _dataset(entry: dict) -> str:
    train, test = entry["train"], entry["test"]
    return (
        f"{entry['name'] or entry['source']}, {train['images']:,} training and {test['images']:,} test images, sha256 "
        f"{train['sha256'][:12]} and {test['sha256'][:12]}; licence: {entry['licence']}"
    )


def _weights(entry: dict) -> str:
    return f"{entry['model']} {entry['weights']}, sha256 {entry['sha256'][:12]}; licence: {entry['licence']}"


def _machines(environment: dict) -> str:
    return "; ".join(f"{entry['runs']} runs on {entry['device_name']}" for entry in environment["machines"])


def _software(environment: dict) -> str:
    versions = environment["versions"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("python", "torch", "snakemake") if name in versions)
    return f"finetune-bench {environment['finetune_bench']}, {named}"
