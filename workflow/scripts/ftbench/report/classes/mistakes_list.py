"""The recommended cell's most confident mistakes over all its seeds, for the figure and for the summary's gallery: one list, found once."""

import base64
import io
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.base.logits import load_logits
from ftbench.evaluate.cells import CELL
from ftbench.evaluate.probabilities import log_softmax
from ftbench.report.layout.pictures import thumbnail
from ftbench.report.layout.recommended_runs import finished_runs_of_recommended

SHOWN = 24
SURE = 0.9  # confidence above which a mistake counts as confident


class Mistakes(NamedTuple):
    """The test images that more than half of a cell's finished seeds get wrong."""

    cell: dict  # dataset, backbone, strategy
    seeds: list[int]  # those that finished
    images: int  # of the test set
    of_any: int  # images that at least one seed gets wrong
    of_all: int  # images that every seed gets wrong
    confidence: np.ndarray  # (wrong,) of every image that more than half of the seeds get wrong, float
    rows: np.ndarray  # (shown,) of test_images.npy, the most confident first
    said: np.ndarray  # (shown,) the wrong class with the largest mean probability
    true: np.ndarray  # (shown,) the class of the label
    sureness: np.ndarray  # (shown,) that probability
    erring: np.ndarray  # (shown,) how many seeds err


def find_mistakes(runs: list[dict], cells_csv, test_images: np.ndarray, dataset: str) -> Mistakes | None:
    """The test images that more than half of the recommended cell's finished seeds get wrong; None if nothing finished.

    They are in the order of the mean probability, over these seeds, of the wrong class that has most of it.
    `runs` holds {"labels", "metrics": path, "test_logits": path}; the logits' ids are row numbers of `test_images` (N, H, W, 3)
    uint8. Raises InputError if an id is none, or if the seeds answered different images.
    """
    own = finished_runs_of_recommended(runs, cells_csv, dataset)
    if not own:
        return None
    mean, erring, labels, ids = _all_seeds(own, len(test_images), dataset)
    wrong = np.flatnonzero(erring > len(own) / 2)
    other = mean[wrong]
    other[np.arange(len(wrong)), labels[wrong]] = -1  # the class of the label is no mistake
    said, confidence = other.argmax(axis=1), other.max(axis=1)
    first = np.argsort(-confidence, kind="stable")[:SHOWN]
    shown = wrong[first]
    return Mistakes(
        {name: own[0]["labels"][name] for name in CELL},
        [run["labels"]["seed"] for run in own],
        len(labels),
        int((erring > 0).sum()),
        int((erring == len(own)).sum()),
        confidence,
        ids[shown],
        said[first],
        labels[shown],
        confidence[first],
        erring[shown],
    )


def _all_seeds(runs: list[dict], images: int, dataset: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean probabilities (N, C), how many runs err (N,), labels (N,) and ids (N,), with one run's logits in memory at a time."""
    mean = erring = labels = ids = None
    for run in runs:
        logits, own_labels, own_ids = load_logits(run["test_logits"])
        if own_ids.min() < 0 or own_ids.max() >= images:
            raise InputError(
                f"{run['test_logits']} names test image {own_ids.max()} and the test set of {dataset} has {images}: predict again."
            )
        if ids is None:
            mean, erring = np.zeros(logits.shape), np.zeros(len(own_labels), int)
            labels, ids = own_labels, own_ids
        elif not np.array_equal(ids, own_ids):
            raise InputError(
                f"{run['test_logits']} answers other test images than {runs[0]['test_logits']}: predict again."
            )
        mean += np.exp(log_softmax(logits)) / len(runs)
        erring += logits.argmax(axis=1) != labels
    return mean, erring, labels, ids


def write_mistakes(found: Mistakes | None, test_images: np.ndarray, classes_path, files_csv, out) -> None:
    """Write the list as JSON, each shown image with its file and a small picture (PNG as a data address).

    Without a finished run: images 0 and nothing shown. `files_csv` has the columns id, file.
    """
    if found is None:
        write_json(out, {"images": 0, "wrong": 0, "sure": 0, "sure_above": SURE, "shown": []})
        return
    names = read_json(classes_path)
    files = pd.read_csv(files_csv, dtype="str", keep_default_na=False)["file"]
    shown = [
        {
            "row": int(row),
            "file": files[int(row)],
            "predicted": names[said],
            "label": names[true],
            "confidence": float(sure),
            "seeds": int(erring),
            "picture": _address(test_images[row]),
        }
        for row, said, true, sure, erring in zip(found.rows, found.said, found.true, found.sureness, found.erring)
    ]
    counts = {
        "seeds": found.seeds,
        "images": found.images,
        "wrong_of_any_seed": found.of_any,
        "wrong_of_every_seed": found.of_all,
        "wrong": len(found.confidence),
        "sure": int((found.confidence > SURE).sum()),
        "sure_above": SURE,
    }
    write_json(out, found.cell | counts | {"shown": shown})


def _address(image: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(thumbnail(image))).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
