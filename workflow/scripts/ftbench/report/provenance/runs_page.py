"""Where every number comes from: the protocol that the config asked for, and the runs, software and machines that carried it out."""

import pandas as pd

from ftbench.base.files import read_json
from ftbench.evaluate.records import content
from ftbench.report.layout.columns import Column, as_number, as_plain
from ftbench.report.layout.formats import MISSING, count
from ftbench.report.layout.pages import publish

DIGITS = 12  # of a digest's 64 that are shown: enough to tell two apart


RUNS = {
    "Dataset": as_plain("dataset"),
    "Backbone": as_plain("backbone"),
    "Strategy": as_plain("strategy"),
    "Seed": as_number("seed"),
    "Status": as_plain("status"),
    "Learning rate": as_number("learning_rate"),
    "L2": as_number("l2"),
    "Best epoch": as_number("best_epoch"),
    "Parameters": Column(lambda row: count(row.total_params), "total_params"),
    "Precision": as_plain("precision"),
    "Threads": as_number("threads"),
    "Device": as_plain("device_name"),
    "Data digest": as_plain("data"),
    "Weights digest": as_plain("weights"),
    "Model digest": as_plain("model_file"),
    "Code digest": as_plain("code"),
}


def provenance_page(runs: list[dict], study_path, out) -> None:
    """Write the page of all runs; `runs` holds {"labels", "run": path}, `study_path` is the resolved config."""
    rows, versions, machines, outside = [], {}, {}, 0
    for entry in runs:
        run = content(entry["run"])
        recipe, digests = run["recipe"] or {}, run["digests"]
        for name, version in run["versions"].items():
            versions.setdefault(name, set()).add(version)
        if run["device_name"] is None:  # its predictions come from outside
            outside += 1
        else:
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
        "machines: "
        + ("; ".join(f"{name} ({len(own)} run{'s' * (len(own) != 1)})" for name, own in machines.items()) or MISSING),
        *(
            [f"predictions from outside, of which no machine is known: {outside} run{'s' * (outside != 1)}"]
            if outside
            else []
        ),
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
