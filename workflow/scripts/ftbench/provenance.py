"""Where every number comes from: the protocol that the config asked for, and the runs, software and machines that carried it out."""

import pandas as pd

from ftbench.files import read_json
from ftbench.kinds import declared
from ftbench.records import content
from ftbench.table_columns import Column
from ftbench.table_formats import MISSING, count
from ftbench.table_pages import publish

DIGITS = 12  # of a digest's 64 that are shown: enough to tell two apart


def _plain(name: str) -> Column:
    return Column(lambda row: MISSING if pd.isna(getattr(row, name)) else getattr(row, name))


def _number(name: str, spec: str = "g") -> Column:
    return Column(lambda row: MISSING if pd.isna(getattr(row, name)) else format(getattr(row, name), spec), name)


RUNS = {
    "Dataset": _plain("dataset"),
    "Backbone": _plain("backbone"),
    "Strategy": _plain("strategy"),
    "Seed": _number("seed"),
    "Status": _plain("status"),
    "Learning rate": _number("learning_rate"),
    "L2": _number("l2"),
    "Best epoch": _number("best_epoch"),
    "Parameters": Column(lambda row: count(row.total_params), "total_params"),
    "Precision": _plain("precision"),
    "Threads": _number("threads"),
    "Device": _plain("device_name"),
    "Data digest": _plain("data"),
    "Weights digest": _plain("weights"),
    "Model digest": _plain("model_file"),
    "Code digest": _plain("code"),
}
PROTOCOL = {
    "Strategy": _plain("strategy"),
    "Kind": _plain("kind"),
    "Tried on validation": _plain("grid"),
    "Epochs": _number("epochs"),
    "Batch": _number("batch_size"),
    "Optimizer": _plain("optimizer"),
    "Weight decay": _number("weight_decay"),
    "Schedule": _plain("schedule"),
    "Warm-up steps": _number("warmup_steps"),
    "Label smoothing": _number("label_smoothing"),
    "Augmentation": _plain("augmentation"),
    "Also": _plain("also"),
}
RARER = (
    "momentum",
    "nesterov",
    "examples",
    "patience",
    "accumulate",
    "clip_norm",
    "class_weights",
    "mixup",
    "cutmix",
    "ema_decay",
    "norm_momentum",
    "layer_decay",
    "rank",
    "pull",
)
RECIPE = (
    "epochs",
    "batch_size",
    "optimizer",
    "weight_decay",
    "schedule",
    "warmup_steps",
    "label_smoothing",
    "augmentation",
)


def provenance_page(runs: list[dict], study_path, out) -> None:
    """Write the page of all runs; `runs` holds {"labels", "run": path}, `study_path` is the resolved config."""
    rows, versions, machines = [], {}, {}
    for entry in runs:
        run = content(entry["run"])
        recipe, digests = run["recipe"] or {}, run["digests"]
        for name, version in run["versions"].items():
            versions.setdefault(name, set()).add(version)
        machines.setdefault(run["device_name"], []).append(run)
        rows.append(
            {
                **entry["labels"],
                **{name: run[name] for name in ("status", "best_epoch", "total_params", "precision", "threads", "device_name")},
                **{name: recipe.get(name) for name in ("learning_rate", "l2")},
                **{name: (digests.get(name) or MISSING)[:DIGITS] for name in ("data", "weights", "model_file", "code")},
            }
        )  # fmt: skip
    software = ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in sorted(versions.items()))
    study = read_json(study_path)
    notes = [
        "machines: " + "; ".join(f"{name} ({len(own)} run{'s' * (len(own) != 1)})" for name, own in machines.items()),
        f"software: {software or MISSING}",
        f"study {study['study']}, seeds {', '.join(map(str, study['seeds']))}, tuning seed {study['tuning']['seed']}, selected by "
        f"validation {study['selection_metric'].replace('_', ' ')}; every default is written out in study.json",
        "digests: the first twelve digits of a sha256; equal digests are equal contents",
    ]
    if len(machines) > 1:
        notes.insert(0, "the runs used different hardware: their seconds do not compare as they stand")
    publish(
        pd.DataFrame(rows), RUNS, {"html": out}, "Every run", "What ran, where, with which software and data.", notes
    )


def protocol_page(study_path, out) -> None:
    """Write the page of all strategies: what each tries on validation and by which recipe it trains."""
    study = read_json(study_path)
    rows = []
    for name, entry in study["strategies"].items():
        declares = declared(entry["kind"])
        tuned = declares["tuned"] or "learning_rate"
        tried = entry["grid" if declares["engine"] == "features" else "learning_rate"]
        grid = ", ".join(f"{value:g}" for value in tried) if isinstance(tried, list) else f"{tried:g}, fixed"
        recipe = entry["recipe"] if declares["engine"] == "loop" else {}  # what is fitted on features has none
        rows.append(
            {
                "strategy": name,
                "kind": entry["kind"],
                "grid": f"{tuned.replace('_', ' ')}: {grid}",
                **{key: recipe.get(key) for key in RECIPE},
                "epochs": recipe.get("epochs") if recipe.get("examples") is None else None,
                "also": _also(recipe),
            }
        )
    data = [
        f"data set {name}: {' '.join(filter(None, (entry['source'], entry['name'])))}, {entry['validation_fraction']:.0%} of the "
        f"training part held out for validation, {entry['train_limit'] or 'all'} images per class, mirrored images "
        f"{'keep' if entry['flip'] else 'do not keep'} their class"
        for name, entry in study["datasets"].items()
    ]
    backbones = [
        f"backbone {name}: {entry['model']} of {entry['source']}, weights {entry['weights']}, {entry['image_size']} px"
        for name, entry in study["backbones"].items()
    ]
    notes = [
        f"every tuned strategy gets {study['tuning']['trials']} learning-rate trials{_search(study['tuning'])}; trial, epoch and L2 are chosen on validation images",
        f"final runs use the seeds {', '.join(map(str, study['seeds']))}; the test set is read by no job that trains or selects",
        *data,
        *backbones,
    ]
    subtitle = "The recipe of every strategy as the config resolved it."
    publish(pd.DataFrame(rows), PROTOCOL, {"html": out}, "Protocol", subtitle, notes)


def _also(recipe: dict) -> str | None:
    """The rarer settings of a recipe, those that are switched on: "momentum 0.9, mixup 0.2"."""
    on = {key: recipe[key] for key in RARER if recipe.get(key) not in (None, 0.0, False, 1, "none")}
    if recipe.get("optimizer") != "sgd":
        on = {key: value for key, value in on.items() if key not in ("momentum", "nesterov")}
    return ", ".join(f"{key.replace('_', ' ')} {value}".replace(" True", "") for key, value in on.items()) or None


def _search(tuning: dict) -> str:
    if tuning["search"] == "grid":
        return ", each as long as a final run"
    return f" in a successive halving of {tuning['rungs']} rungs, the last of them as long as a final run"
