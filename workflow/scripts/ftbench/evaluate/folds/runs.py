"""One run of a data set that is tested in folds: the runs of all folds with one seed, as one. No network runs here.

Its test logits are those of all images, each from the network of its own fold. Costs are summed: this is what the answers of the pooled run
took. What is said of one network (parameters, memory of a checkpoint) is that of one fold's.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ftbench.base.digests import digest, digest_of_arrays, sha256_of_file
from ftbench.base.files import atomic_write, read_json, write_json
from ftbench.evaluate.folds.logits import pool_test, pool_validation

SCORES = ("validation_accuracy", "validation_balanced_accuracy", "validation_nll")
COUNTED = ("seed", "status", "epochs", "diverged", "images_seen")  # what the operations of a run are counted from
SUMMED = ("train_seconds", "feature_seconds", "view_seconds", "tuning_seconds")
PER_NETWORK = ("checkpoint_bytes", "images_per_second")


def pool_run(
    inputs: dict, labels: dict, code: str, run: str, cost: str, history: str, val_logits: str, test_logits: str,
    flipped: str | None = None,
) -> None:  # fmt: skip
    """Write the files of one pooled run.

    `inputs` holds the lists of files of fold 1, 2, ...: run, cost, history, val_logits, test_logits and flipped (empty where images must
    not be mirrored), and split, what dealt the folds. `labels` are dataset, backbone and strategy. A run of which a fold diverged has
    diverged: images of that fold have no answer.
    """
    records = [read_json(path) for path in inputs["run"]]
    pool_test(inputs["test_logits"], inputs["split"], test_logits)
    if flipped:
        pool_test(inputs["flipped"], inputs["split"], flipped)
    pool_validation(inputs["val_logits"], inputs["split"], val_logits)
    _write_histories(inputs["history"], history)
    write_json(cost, pooled_cost([read_json(path) for path in inputs["cost"]]))
    digests = {"code": code, "val_logits": [sha256_of_file(path) for path in inputs["val_logits"]]}
    write_json(run, pooled_record(records, labels, np.load(inputs["split"]), digests))
    finished = sum(record["status"] == "finished" for record in records)
    print(f"{finished} of {len(records)} folds finished, and are one run")


def pooled_record(records: list[dict], labels: dict, split, digests: dict) -> dict:
    """run.json of the pooled run: validation scores are means over folds; `folds` says what each fold chose and reached."""
    first = records[0]
    diverged = next((record for record in records if record["status"] != "finished"), None)
    recipe = most_frequent_values([record["recipe"] or {} for record in records])
    folds = [
        {
            "fold": number,
            "dataset": record["dataset"],
            "recipe": record["recipe"],
            **{name: record[name] for name in ("status", "best_epoch", *SCORES)},
            "model": record["digests"].get("model"),
        }
        for number, record in enumerate(records, start=1)
    ]
    own = {
        "data": str(split["digest"]),
        "split": digest_of_arrays({"fold": split["fold"]}),
        "weights": first["digests"].get("weights"),
        "model": None,
        "model_file": None,
    }
    found = {
        **first,
        **labels,
        "status": "finished" if diverged is None else "diverged",
        "diverged": diverged and diverged["diverged"],
        "best_epoch": mean(record["best_epoch"] for record in records),
        "epochs": max(record["epochs"] for record in records),
        "images_seen": sum(record["images_seen"] or 0 for record in records),
        **{name: None if diverged else mean(record[name] for record in records) for name in SCORES},
        "recipe": recipe or first["recipe"],
        "total_params": max(record["total_params"] for record in records),  # of neighbours, those of the largest fold
        "members": [one for record in records for one in record.get("members", [_counted(record)])],
        "forward_images": sum(record.get("forward_images", 0) for record in records),
        "folds": folds,
        "digests": own | digests,
    }
    return found | {"identity": digest({"folds": [record.get("identity") for record in records], "labels": labels})}


def _counted(record: dict) -> dict:
    return {name: record.get(name) for name in COUNTED}


def pooled_cost(costs: list[dict]) -> dict:
    """cost.json of the pooled run: seconds are sums, memory the most of a fold, what one network is or reaches the mean."""
    probes = [cost["probe"] for cost in costs]
    used = [cost.get("used") for cost in costs]
    found = costs[0] | {
        name: sum(cost.get(name) or 0 for cost in costs) for name in (*SUMMED, "resumes") if name in costs[0]
    }
    found |= {"peak_memory_mb": max(cost["peak_memory_mb"] for cost in costs)}
    found |= {name: mean(cost.get(name) for cost in costs) for name in PER_NETWORK if name in costs[0]}
    if all(probes):
        found["probe"] = {
            "cost": pooled_cost([probe["cost"] for probe in probes]),
            "tuning_seconds": sum(probe["tuning_seconds"] for probe in probes),
        }
    if all(used):
        found["used"] = {name: sum(one[name] for one in used) for name in used[0]}
    return found


def mean(values: Iterable) -> float | None:
    """The mean of numbers; None if one is None."""
    values = list(values)
    return None if any(value is None for value in values) else float(np.mean(values))


def most_frequent(values: list):
    """The value that most folds have; of several the smallest, as ties go to the smaller learning rate."""
    counts = Counter(values)
    most = max(counts.values())
    tied = [value for value, count in counts.items() if count == most]
    return min(tied) if len(tied) > 1 and all(isinstance(value, int | float) for value in tied) else tied[0]


def most_frequent_values(recipes: list[dict]) -> dict:
    """A recipe in which every number and word is that of most folds."""
    first = recipes[0]
    return {
        key: most_frequent([recipe.get(key) for recipe in recipes]) if not isinstance(value, list | dict) else value
        for key, value in first.items()
    }


def _write_histories(paths: list[str], out: str) -> None:
    """The history of a run in which every number is the mean over the folds that have the row; rows go by their first column, in order."""
    frames = [frame for frame in map(pd.read_csv, paths) if len(frame)]
    if not frames:
        with atomic_write(out) as temporary:
            pd.read_csv(paths[0]).to_csv(temporary, index=False)
        return
    joined = pd.concat(frames, ignore_index=True)
    by, numbers = joined.columns[0], joined.select_dtypes("number").columns
    rows = joined.groupby(by, sort=False)
    pooled = rows.first().reset_index()
    means = rows[[name for name in numbers if name != by]].mean().reset_index(drop=True)
    for name in means:
        pooled[name] = means[name]
    with atomic_write(out) as temporary:
        pooled[list(joined.columns)].to_csv(temporary, index=False)
