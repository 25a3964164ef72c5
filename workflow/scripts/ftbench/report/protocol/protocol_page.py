"""The page of the protocol: what every strategy was trained with, and how its settings were chosen."""

import pandas as pd

from ftbench.base.files import read_json
from ftbench.report.layout.columns import as_number, as_plain
from ftbench.report.layout.pages import publish
from ftbench.study import grid
from ftbench.study.kinds import declared
from ftbench.study.tuning.budget import described, said_of

PROTOCOL = {
    "Strategy": as_plain("strategy"),
    "Kind": as_plain("kind"),
    "Tried on validation": as_plain("grid"),
    "Tuning": as_plain("tuning"),
    "Tuning compute": as_number("tuning_share", ".2f"),
    "Epochs": as_number("epochs"),
    "Batch": as_number("batch_size"),
    "Optimizer": as_plain("optimizer"),
    "Weight decay": as_number("weight_decay"),
    "Schedule": as_plain("schedule"),
    "Warm-up steps": as_number("warmup_steps"),
    "Label smoothing": as_number("label_smoothing"),
    "Augmentation": as_plain("augmentation"),
    "Also": as_plain("also"),
}


OWN_SPLITS = (
    ", each with a validation split of its own, on which its own trials, its own probe and its own epoch are chosen"
)

# Settings that a recipe need not have switched on, with the value that is off; None is off for all of them.
RARER = {
    "momentum": 0,
    "nesterov": False,
    "examples": None,
    "image_sizes": None,
    "patience": None,
    "accumulate": 1,
    "clip_norm": None,
    "class_weights": "none",
    "mixup": 0,
    "cutmix": 0,
    "ema_decay": 0,
    "norm_momentum": None,
    "norm_statistics": "batch",
    "layer_decay": None,
    "rank": None,
    "pull": None,
    "soup": None,
    "cached_views": None,
}


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


def protocol_page(study_path, out) -> None:
    """Write the page of all strategies: what each tries on validation and by which recipe it trains."""
    study = read_json(study_path)
    told, rows = described(study), []
    for name, entry in study["strategies"].items():
        declares = declared(entry["kind"])
        recipe = entry["recipe"] if declares["engine"] == "loop" else {}  # nothing else has one
        options = {key: entry["recipe"][key] for key in declares.get("options", {})}
        rows.append(
            {
                "strategy": name,
                "kind": entry["kind"],
                "grid": _tried(entry, declares),
                "tuning": told[name][0],
                "tuning_share": told[name][1],
                **{key: recipe.get(key) for key in RECIPE},
                "epochs": recipe.get("epochs") if recipe.get("examples") is None else None,
                "also": _also(recipe | options),
            }
        )
    data = [
        f"data set {name}: {' '.join(filter(None, (entry['source'], entry['name'])))}, {entry['validation_fraction']:.0%} of the "
        f"training part held out for validation, {entry['train_limit'] or 'all'} images per class, mirrored images "
        f"{'keep' if entry['flip'] else 'do not keep'} their class{_folds(entry)}"
        for name, entry in study["datasets"].items()
        if entry.get("fold_of") is None
    ]
    backbones = [
        f"backbone {name}: {entry['model']} of {entry['source']}, weights {entry['weights']}, {entry['image_size']} px"
        for name, entry in study["backbones"].items()
    ]
    notes = [
        f"every tuned strategy gets {_least(study['tuning'])} learning-rate trials{_search(study['tuning'])}; trial, epoch and L2 are chosen on validation images",
        "tuning compute: operations of all trials of one cell, as estimated from the training images that they see and the passes that a step "
        "takes, beside those of the costliest strategy; cost.csv has what was counted",
        f"final runs use the seeds {', '.join(map(str, study['seeds']))}{OWN_SPLITS * grid.own_splits(study)}; the test set is read by no job "
        "that trains or selects",
        *filter(None, [said_of(study)]),
        *data,
        *backbones,
        *(
            said
            for name, entry in study["strategies"].items()
            if entry.get("given")
            for said in _files(name, entry["given"])
        ),
    ]
    subtitle = "The recipe of every strategy as the config resolved it."
    publish(pd.DataFrame(rows), PROTOCOL, {"html": out}, "Protocol", subtitle, notes)


def _folds(entry: dict) -> str:
    """What is said of a test set in folds; "" of any other."""
    count = entry.get("test_folds")  # a study.json of an earlier version lacks the key
    if not count:
        return ""
    return f"; tested in {count} folds of whole groups, each with a validation part, tuning and runs of its own on the images of the others"


def _tried(entry: dict, declares: dict) -> str:
    """What a strategy tries on validation: "l2: 0.1, 1", and whose runs it is made of, if it is."""
    tuned = declares["tuned"] or "learning_rate"
    tried = entry["learning_rate" if declares["engine"] == "loop" else "grid"]
    values = ", ".join(f"{value:g}" for value in tried) if isinstance(tried, list) else tried and f"{tried:g}, fixed"
    said = [f"made of the runs of {entry['of']}"] * bool(entry.get("of"))
    said += ["predictions given from outside"] * bool(entry.get("given"))
    return "; ".join(said + [f"{tuned.replace('_', ' ')}: {values}"] * bool(values))


def _files(name: str, given: dict) -> list[str]:
    """Which files predictions from outside come from."""
    files = {
        dataset: " and ".join(paths) if isinstance(paths, list) else paths for dataset, paths in given["files"].items()
    }
    said = "; ".join(f"{dataset}: {paths}" for dataset, paths in files.items())
    return [f"strategy {name}, shown as backbone {given['backbone']}: {given['values']} of {said}"]


def _also(recipe: dict) -> str | None:
    """The rarer settings of a recipe, those that are switched on: "momentum 0.9, mixup 0.2"."""
    on = {key: recipe[key] for key, off in RARER.items() if recipe.get(key) not in (None, off)}
    if recipe.get("optimizer") != "sgd":
        on = {key: value for key, value in on.items() if key not in ("momentum", "nesterov")}
    if "image_sizes" in on:
        on["image_sizes"] = " → ".join(map(str, on["image_sizes"])) + " px"
    if "cached_views" in on:
        on["cached_views"] = (
            f"{on['cached_views']} (of each training image, in half precision: what is frozen ran once; all seeds share them, so intervals lack what their draw does)"
        )
    said = (key.replace("_", " ") + f" {value}" * (value is not True) for key, value in on.items())
    return ", ".join(said) or None


def _least(tuning: dict) -> str:
    """How many trials a strategy has, or has at least."""
    return f"at least {tuning['trials']}" if tuning.get("equal_compute") else str(tuning["trials"])


def _search(tuning: dict) -> str:
    if tuning["search"] == "grid":
        return ", each as long as a final run"
    return f" in a successive halving of {tuning['rungs']} rungs, the last of them as long as a final run"
