"""The user's predictions of the validation images as the files of a run: run.json, cost.json, selected.json, history.csv, val_logits.npz."""

import numpy as np

from ftbench.base.digests import digest, sha256_of_file
from ftbench.base.files import read_json, write_json, write_npz
from ftbench.base.logits import validation_scores
from ftbench.data.split import cleaning_of, digest_of_split
from ftbench.study.kinds import declared
from ftbench.train.combined.record import SETTINGS
from ftbench.train.given.file import read_predictions
from ftbench.train.given.images import image_names, rows_of_images
from ftbench.train.history import Outcome, write_history
from ftbench.train.record import SCORES, run_record


def take_predictions(
    run: dict,
    code: str,
    files: str,
    split: str,
    classes: str,
    selected: str,
    history: str,
    run_json: str,
    cost: str,
    val_logits: str,
) -> None:
    """Write the files of one run from the user's file. `run` is `ftbench.study.settings.given_run`, `files` files.csv.

    Nothing of the test part is read: rows of other images are passed over. What is not known, such as a latency, is None.
    """
    parts, given = dict(np.load(split)), run["predictions"]
    names = read_json(classes)
    found = read_predictions(given, names)
    ids = parts["validation"]
    logits = found.logits[rows_of_images(found, image_names(files), ids, given, "validation")]
    labels = parts["labels"][ids]
    scores = validation_scores(logits, labels)
    write_npz(val_logits, logits=logits, labels=labels, ids=ids)
    write_history([scores], history, SCORES)
    write_json(selected, _selection(run))
    digests = {
        "data": str(parts["digest"]),
        "split": digest_of_split(parts),
        "weights": None,
        "predictions": sha256_of_file(given["path"]),
        "code": code,
    }
    write_json(run_json, _record(run, scores, found.top_k, digests) | {"cleaning": cleaning_of(parts)})
    write_json(cost, _cost(run["training_minutes"]))
    print(" ".join(filter(None, (found.note, str(scores)))))
    if scores["validation_accuracy"] < 1 / len(names):
        print("It is right less often than chance would be: perhaps its classes are in another order (class_order).")


def _record(run: dict, scores: dict, top_k: int | None, digests: dict) -> dict:
    labels = {key: value for key, value in run.items() if key not in ("training_minutes", "predictions")}
    return run_record(
        labels | dict.fromkeys(SETTINGS),
        SETTINGS,
        Outcome(best=scores),
        (None, None),
        seed=0,
        stochastic=declared(run["kind"])["stochastic"],
        of_recipe=False,  # its interval speaks of this very model
        tuned=None,
        recipe={},
        normalization=None,
        device=None,
        device_name=None,
        digests=digests,
        top_k=top_k,
        identity=digest({"run": labels, "digests": digests}),
    )


def _cost(minutes: float | None) -> dict:
    """What its owner states, and None for all that nobody here measured."""
    unknown = ("images_per_second", "peak_memory_mb", "threads", "feature_seconds", "resumes", "device", "device_name")
    stated = None if minutes is None else 60.0 * minutes
    return {**dict.fromkeys(unknown), "probe": None, "checkpoint_bytes": None, "train_seconds": stated}


def _selection(run: dict) -> dict:
    """As `ftbench.train.selection.select_recipe` says it, of a run for which nothing was tried here."""
    none = ("diverged", "tuned", "parameter", "chosen", "trial", "at_grid_edge")
    known = run["training_minutes"] is not None  # its tuning is among what is stated
    return {
        **dict.fromkeys(none),
        "status": "finished",
        "selection_metric": run["selection_metric"],
        "trials": [],
        "recipe": {},
        "tuning_seconds": 0.0 if known else None,
    }
