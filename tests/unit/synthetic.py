"""A whole `results/<study>` tree made of random logits, for tests of everything that follows training.

The accuracies are plausible, not meaningful: each backbone and strategy has a quality, each seed and image a random effect.
"""

import csv
import json
from pathlib import Path

import numpy as np

KINDS = {"linear_probe": "linear_probe", "tutorial": "tutorial"}
PROBES = {"lp_ft": "linear_probe"}  # what starts from which
GRID = [0.0001, 0.0003, 0.001, 0.003]
SIZE = 16
EFFICIENCY = {
    "device_name": "CPU",
    "threads": 1,
    "forward_flops": 10**7,
    "latency_ms_batch1": 4.5,
    "latency_ms_batch256": 310.0,
    "model_bytes": 13_600_000,
    "cells": {},
}


def _json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def _csv(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _images(rng, labels: np.ndarray, classes: int) -> np.ndarray:
    """(N, SIZE, SIZE, 3) uint8: a colour gradient per class under noise."""
    hues = np.random.default_rng(5).uniform(40, 215, (classes, 2, 3))
    ramp = np.linspace(0, 1, SIZE)[:, None, None]
    clean = hues[:, 0, None, None, :] * (1 - ramp) + hues[:, 1, None, None, :] * ramp
    return np.clip(clean[labels] + rng.normal(0, 25, (len(labels), SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def _logits(rng, labels, classes, difficulty, quality) -> np.ndarray:
    logits = rng.normal(0, 1, (len(labels), classes))
    # A neighbour class draws some of the mass, so that confusions are not uniform.
    logits[np.arange(len(labels)), (labels + 1) % classes] += 1.0
    logits[np.arange(len(labels)), labels] += quality + difficulty + rng.normal(0, 0.7, len(labels))
    return (logits * 1.5).astype(np.float32)


def write_study(
    root: Path,
    datasets=("shapes",),
    backbones=("lite0", "res_18"),
    strategies=("tutorial", "linear_probe", "lp_ft", "finetune"),
    seeds=(0, 1, 2),
    images=200,
    classes=4,
    diverged_run=True,
    diverged_cell=True,
) -> dict:
    """Write the tree under `root`, metrics.json left out; linear_probe is deterministic and runs once.

    Seed 1 of (first backbone, last strategy) diverged, and all of (last backbone, last strategy) did, in the first data set.
    Returns {"runs": [labels and paths], "cells": [{dataset, backbone, strategy}], "selected": [labels and path],
    "data": {dataset: folder}, "strategies", "backbones", "datasets"}.
    """
    rng = np.random.default_rng(0)
    names = [f"class_{number}" for number in range(classes)]
    study = {"runs": [], "cells": [], "selected": [], "data": {}}
    study |= {"strategies": list(strategies), "backbones": list(backbones), "datasets": list(datasets)}
    for dataset in datasets:
        data = root / "data" / dataset
        data.mkdir(parents=True)
        study["data"][dataset] = data
        labels = np.arange(images) % classes
        np.save(data / "images.npy", _images(rng, labels, classes))
        np.save(data / "labels.npy", labels)
        used = (
            images // classes // 2 * classes
        )  # half of the images, as many of each class: a train_limit left the rest out
        np.savez(data / "split.npz", train=np.arange(classes, used), validation=np.arange(classes))
        np.save(data / "test_images.npy", _images(rng, labels, classes))
        np.save(data / "test_labels.npy", labels)
        _json(data / "classes.json", names)
        policy = {
            name: rng.integers(0, 255, (4, 5, SIZE, SIZE, 3)).astype(np.uint8) for name in ("crop", "crop_flip_rotate")
        }
        np.savez(data / "augmentations.npz", original=_images(rng, labels[:4], classes), **policy)
        difficulty = rng.normal(0, 1.5, images)
        for b, backbone in enumerate(backbones):
            for s, strategy in enumerate(strategies):
                first = dataset == datasets[0]
                all_diverged = diverged_cell and first and backbone == backbones[-1] and s == len(strategies) - 1
                one_diverged = diverged_run and first and b == 0 and s == len(strategies) - 1 and len(backbones) > 1
                _cell(root, study, rng, dataset, backbone, strategy, 3.0 + 0.4 * b + 0.25 * s, seeds, labels, names,
                      difficulty, all_diverged, one_diverged)  # fmt: skip
    return study


def _cell(
    root, study, rng, dataset, backbone, strategy, quality, seeds, labels, names, difficulty, all_diverged, one_diverged
):
    classes, images = len(names), len(labels)
    probe, tuned = strategy == "linear_probe", strategy != "tutorial"
    cell = {"dataset": dataset, "backbone": backbone, "strategy": strategy}
    study["cells"].append(cell)
    parameter = ("l2" if probe else "learning_rate") if tuned else None
    grid = ([1e-4, 1e-2, 1.0] if probe else GRID) if tuned else []
    values = [
        None if all_diverged or (k == 3 and not probe) else 0.8 + 0.05 * k + 0.02 * rng.random()
        for k in range(len(grid))
    ]
    best = None if all_diverged or not tuned else max((v, k) for k, v in enumerate(values) if v is not None)[1]
    edge = None if best is None else best in (0, len(grid) - 1)
    trials = [
        {
            "trial": k,
            parameter: value,
            "status": "diverged" if accuracy is None else "finished",
            "diverged": {"epoch": 2, "step": 4, "learning_rate": 1.0, "loss": None} if accuracy is None else None,
            "epochs": 1 if accuracy is None else 5,
            "validation_accuracy": accuracy,
            "validation_balanced_accuracy": accuracy,
            "validation_nll": None if accuracy is None else 1 - accuracy,
        }
        for k, (value, accuracy) in enumerate(zip(grid, values))
    ]
    tuning_seconds = 0.0 if not tuned else (4.0 if probe else 400 * quality)
    selected = root / "tuning" / dataset / backbone / strategy / "selected.json"
    chosen = None if best is None else grid[best]
    _json(
        selected,
        {
            "status": "diverged" if all_diverged else "finished",
            "tuned": tuned,
            "parameter": parameter,
            "chosen": chosen,
            "trial": best,
            "at_grid_edge": edge,
            "selection_metric": "accuracy",
            "trials": trials,
            "recipe": {},
            "tuning_seconds": tuning_seconds,
        },
    )
    study["selected"].append({"labels": cell, "selected": str(selected)})
    efficiency = root / "runs" / dataset / backbone / "efficiency.json"
    measured = json.loads(efficiency.read_text()) if efficiency.exists() else dict(EFFICIENCY)
    epochs = 0 if probe else 5
    counted = {"batch_size": None if probe else 32, "steps": [30] * epochs, "step_flops": [3 * 10**9] * epochs}
    counted |= {"validation_flops": 10**9, "feature_flops": 10**10 if strategy in ("linear_probe", "lp_ft") else 0}
    measured["cells"] = measured["cells"] | {strategy: counted}
    _json(efficiency, measured)
    for seed in seeds[:1] if probe else seeds:
        diverged = all_diverged or (one_diverged and seed == seeds[1])
        folder = root / "runs" / dataset / backbone / strategy / f"seed{seed}"
        borrowed = {
            "strategy": "linear_probe",
            "cost": {"train_seconds": 0.7, "feature_seconds": 12.0},
            "tuning_seconds": 4.0,
        }
        cost = {
            "train_seconds": 0.7 if probe else 60 * quality + 10 * rng.random(),
            "images_per_second": None if probe else 900 + 20 * rng.random(),
            "peak_memory_mb": 700.0,
            "checkpoint_bytes": 20_520 if probe else 13_600_000,
            "threads": 1,
            "resumes": 0,
            "device_name": "CPU",
            "feature_seconds": 12.0 if probe else 0.0,
            "probe": borrowed if strategy == "lp_ft" else None,
        }
        _json(folder / "cost.json", cost)
        validation = None if diverged else 1 - 0.6 / quality**2 - 0.01 * rng.random()
        _json(
            folder / "run.json",
            {
                **cell,
                "kind": KINDS.get(strategy, "finetune"),
                "seed": seed,
                "status": "diverged" if diverged else "finished",
                "diverged": {"epoch": 1, "step": 7, "learning_rate": 0.003, "loss": None} if diverged else None,
                "stochastic": not probe,
                "tuned": tuned,
                "recipe": {} if probe else {"learning_rate": chosen or 0.001},
                "best_epoch": None if diverged or probe else 3,
                "epochs": 0 if diverged or probe else 5,
                "images_seen": 0 if all_diverged else 200,
                "validation_accuracy": validation,
                "validation_balanced_accuracy": validation,
                "validation_nll": None if diverged else 1 - validation,
                "trainable_params": 5_130 if probe else 3_400_000,
                "total_params": 3_400_000,
                "device": "cpu",
                "device_name": "CPU",
                "precision": "float32",
                "threads": 1,
                "versions": {},
                "digests": {},
            },
        )
        if probe:
            history = [{"l2": t["l2"], "train_nll": 0.3, "validation_accuracy": t["validation_accuracy"], "validation_nll": 0.4,
                        "seconds": 1.0} for t in trials]  # fmt: skip
        else:
            history = [
                {
                    "epoch": epoch,
                    "train_loss": 1.5 * np.exp(-0.4 * epoch / 3 * quality) + 0.03 * rng.random(),
                    "learning_rate": 0.001,
                    "validation_accuracy": 0.9 - 0.5 * np.exp(-0.3 * epoch * quality / 3) + 0.01 * rng.random(),
                    "validation_nll": 0.4,
                    "images_per_second": 900.0,
                    "seconds": 12.0,
                }
                for epoch in range(1, 3 if diverged else 6)
            ]
        _csv(folder / "history.csv", history)
        seed_effect = rng.normal(0, 0.15)
        logits = _logits(rng, labels, classes, difficulty, quality - 1.5 + seed_effect)
        if diverged:
            logits[:] = np.nan
        for name in ("val_logits", "test_logits"):
            np.savez(folder / f"{name}.npz", logits=logits, labels=labels, ids=np.arange(images))
        paths = {
            "run": "run.json",
            "cost": "cost.json",
            "metrics": "metrics.json",
            "history": "history.csv",
            "test_logits": "test_logits.npz",
            "val_logits": "val_logits.npz",
        }
        study["runs"].append(
            {
                "labels": {**cell, "seed": seed},
                "selected": str(selected),
                "efficiency": str(efficiency),
                **{key: str(folder / name) for key, name in paths.items()},
            }
        )


def evaluate_study(study: dict, tables: Path, budgets: dict | None = None) -> dict[str, Path]:
    """Run evaluation, collection, comparison and the tables; returns the tables' paths by name."""
    from ftbench.compare.comparison import compare
    from ftbench.evaluate.collect import collect
    from ftbench.evaluate.run_scores import evaluate
    from ftbench.report.classes.per_class_tables import per_class_table
    from ftbench.report.cost.cost_table import cost_table
    from ftbench.report.recommendation.recommendation_table import recommendation_table
    from ftbench.report.result.comparison_table import comparison_table

    for entry in study["runs"]:
        classes = study["data"][entry["labels"]["dataset"]] / "classes.json"
        evaluate(entry["test_logits"], entry["val_logits"], entry["run"], classes, entry["metrics"])
    names = ("runs", "cells", "pairwise", "differences", "classes", "comparison", "per_class", "confused", "cost")
    paths = {name: tables / f"{name}.csv" for name in (*names, "recommendation")}
    collect(study["runs"], PROBES, paths["runs"])
    compare(study["runs"], "accuracy", *(paths[name] for name in ("cells", "pairwise", "differences", "classes")))
    comparison_table(paths["runs"], paths["cells"], paths["differences"], study["cells"], paths["comparison"])
    per_class_table(study["runs"], paths["classes"], study["cells"], paths["per_class"], paths["confused"])
    cost_table(paths["runs"], study["cells"], paths["cost"])
    recommendation_table(
        *(paths[name] for name in ("comparison", "cells", "differences", "runs")),
        budgets or {},
        "accuracy",
        0.01,
        paths["recommendation"],
    )
    return paths
