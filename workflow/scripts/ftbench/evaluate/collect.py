"""Gather all runs into one tidy frame, a row per run: `tables/runs.csv`.

Which data set, backbone, strategy and seed a file belongs to comes with it as labels; nothing is read out of file names.
"""

import pandas as pd

from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.evaluate.cells import CELL, LABELS
from ftbench.evaluate.charges import charge, charge_flops, stated
from ftbench.evaluate.metrics import KEPT, SCORES
from ftbench.evaluate.runs_csv import write_runs

FROM_RUN = (
    "kind",
    "status",
    "stochastic",
    "tuned",
    "best_epoch",
    "epochs",
    "validation_accuracy",
    "validation_balanced_accuracy",
    "validation_nll",
    "trainable_params",
    "total_params",
    "device",
    "device_name",
    "precision",
)
FROM_METRICS = (*(score.name for score in SCORES if score.kind != KEPT), "images")
FROM_COST = ("images_per_second", "peak_memory_mb", "threads", "resumes")
FROM_EFFICIENCY = ("forward_flops", "latency_ms_batch1", "latency_ms_batch256", "model_bytes")


def row(
    labels: dict, run: dict, cost: dict, metrics: dict, selected: dict, efficiency: dict | None, probe: str | None
) -> dict:
    """One run as a flat dict.

    `selected` is the cell's selected.json, `efficiency` its backbone's efficiency.json (None if its predictions come from outside),
    `probe` the strategy whose probe the run starts from.
    """
    for label in CELL:
        if run[label] != labels[label]:
            raise InputError(
                f"A run labelled {label} {labels[label]!r} says {run[label]!r} in its run.json: they must agree."
            )
    recipe = run["recipe"] or {}
    chosen = {name: recipe.get(name) for name in ("learning_rate", "l2")}
    if selected["parameter"] is not None:
        chosen[selected["parameter"]] = selected["chosen"]
    return {
        **{label: labels[label] for label in LABELS},
        **{name: run[name] for name in FROM_RUN},
        "at_grid_edge": selected["at_grid_edge"],
        **chosen,
        **{name: metrics[name] for name in FROM_METRICS},
        **_charged(labels, run, cost, selected, efficiency),
        "probe": probe if cost["probe"] else None,
        **{name: cost[name] for name in FROM_COST},
        "checkpoint_bytes": cost["checkpoint_bytes"],
        "latency_device": efficiency and efficiency["device_name"],
        "latency_threads": efficiency and efficiency["threads"],
        "top_k": run.get("top_k"),
    }


def _charged(labels: dict, run: dict, cost: dict, selected: dict, efficiency: dict | None) -> dict:
    """Seconds, operations, latencies and sizes of one run; None for what nobody knows."""
    if efficiency is None:
        return stated(cost, selected["tuning_seconds"]) | dict.fromkeys(FROM_EFFICIENCY)
    counted = efficiency["cells"][labels["strategy"]]
    bank = counted.get("bank", {})
    return {
        **charge(cost, selected["tuning_seconds"]),
        **{name: _of_networks(run, efficiency[name]) + bank.get(name, 0) for name in FROM_EFFICIENCY},
        "total_params": run["total_params"] + bank.get("total_params", 0),
        **charge_flops(counted, run, selected, efficiency["forward_flops"]),
    }


def _of_networks(run: dict, value: float) -> float:
    """What one network costs, times those that answer: one, unless several answer together."""
    return value * run.get("networks", 1)


def collect(runs: list[dict], probes: dict[str, str], out) -> None:
    """Write a CSV with one row per run, in the order given.

    `runs` holds {"labels": {dataset, backbone, strategy, seed}, "run", "cost", "metrics", "selected", "efficiency": paths}, the
    last one unless its predictions come from outside,
    `probes` the linear_probe strategy that each strategy of kind lp_ft starts from. Accuracies are fractions, seconds are those
    charged to the run (`ftbench.evaluate.charges.charge`). Scores of a diverged run are empty.
    """
    read = [
        row(
            entry["labels"],
            *(read_json(entry[name]) for name in ("run", "cost", "metrics", "selected")),
            read_json(entry["efficiency"]) if "efficiency" in entry else None,
            probes.get(entry["labels"]["strategy"]),
        )
        for entry in runs
    ]
    if not read:
        raise InputError(
            "The study has no runs to collect: its grid needs at least one data set, backbone, strategy and seed."
        )
    write_runs(pd.DataFrame(read), out)
