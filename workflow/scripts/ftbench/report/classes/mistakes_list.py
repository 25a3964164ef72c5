"""The recommended cell's most confident mistakes, for the figure and for the summary's gallery: one list, found once."""

import base64
import io
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.base.logits import load_logits
from ftbench.evaluate.probabilities import log_softmax
from ftbench.report.layout.pictures import thumbnail
from ftbench.report.layout.recommended_runs import finished_runs_of_recommended

SHOWN = 24
SURE = 0.9  # confidence above which a mistake counts as confident


class Mistakes(NamedTuple):
    """The wrong answers of one run."""

    labels: dict  # of the run
    images: int  # of the test set
    confidence: np.ndarray  # (wrong,) of every wrong answer, float
    rows: np.ndarray  # (shown,) of test_images.npy, the most confident first
    said: np.ndarray  # (shown,) the class that was predicted
    true: np.ndarray  # (shown,) the class of the label
    sureness: np.ndarray  # (shown,) the probability of what was predicted


def find_mistakes(runs: list[dict], cells_csv, test_images: np.ndarray, dataset: str) -> Mistakes | None:
    """The wrong answers with the largest probability of the recommended cell's first finished seed; None if nothing finished.

    `runs` holds {"labels", "metrics": path, "test_logits": path}; the logits' ids are row numbers of `test_images` (N, H, W, 3)
    uint8. Raises InputError if an id is none.
    """
    own = finished_runs_of_recommended(runs, cells_csv, dataset)
    if not own:
        return None
    logits, labels, ids = load_logits(own[0]["test_logits"])
    if ids.min() < 0 or ids.max() >= len(test_images):
        raise InputError(
            f"{own[0]['test_logits']} names test image {ids.max()} and the test set of {dataset} has {len(test_images)}: predict again."
        )
    probabilities = np.exp(log_softmax(logits))
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")[:SHOWN]]
    return Mistakes(
        own[0]["labels"], len(labels), confidence[wrong], ids[shown], predicted[shown], labels[shown], confidence[shown]
    )


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
            "picture": _address(test_images[row]),
        }
        for row, said, true, sure in zip(found.rows, found.said, found.true, found.sureness)
    ]
    sure = int((found.confidence > SURE).sum())
    counts = {"images": found.images, "wrong": len(found.confidence), "sure": sure, "sure_above": SURE}
    write_json(out, found.labels | counts | {"shown": shown})


def _address(image: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(thumbnail(image))).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
