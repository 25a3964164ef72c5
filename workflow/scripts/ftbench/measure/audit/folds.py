"""The audit of a data set that is tested in folds: every image is a test image, and trains in the other folds."""

import numpy as np

from ftbench.base.files import write_json
from ftbench.data.duplicates.find import clusters, find_duplicates
from ftbench.data.split import cleaning_of
from ftbench.measure.audit import dataset, labels
from ftbench.measure.audit.parts import Images

INSIDE = "inside test"


def audit_folds(
    given: dict, features: list[dict], mirrored: bool, pairs: str, issues: str, marks: str, summary: str
) -> None:
    """Write what `ftbench.measure.audit.dataset.audit_dataset` writes, of images that are all test images.

    `given` holds the files images, labels, files, split (with `fold`) and classes; `features` {"name", "train"}, .npy of all rows. A mark
    "duplicate of a training image" says that an image looks like one of another fold: near duplicates that pixels show are dealt into one fold, those that
    features alone show may not be.
    """
    data = Images(given["images"], given["labels"], given["files"], *([None] * 3), given["split"], given["classes"])
    fold = np.load(given["split"])["fold"]
    data.parts = np.full(len(data), "test")
    seek_shifts = dataset.seeks_shifts(data)
    loaded = {each["name"]: (np.load(each["train"]), None) for each in features}
    found = find_duplicates(
        data.small(),
        data.digests(),
        data.labels,
        mirrored,
        features=[vectors for vectors, _ in loaded.values()],
        thorough=seek_shifts,
    )
    cluster = clusters(len(data), found)
    rows = [row | {"pair": INSIDE} for row in dataset.pair_rows(data, found, cluster)]
    dataset.say_contradictions(rows)
    judged = labels.judge(loaded, data.labels, cluster, len(data.names))
    suspects = dataset.suspect_rows(data, judged)
    marked = _cut(data, cluster, fold) + dataset.label_marks(suspects)
    dataset.write_tables(
        {pairs: (rows, dataset.PAIRS), issues: (suspects, dataset.ISSUES), marks: (marked, dataset.MARKS)}
    )
    about = dataset.duplicate_summary(data, rows, marked, cluster) | {"test_images": len(data)}
    about |= dataset.label_summary(data, judged, suspects)
    about |= {"cleaning": cleaning_of(np.load(given["split"])), "shifted_copies_sought": seek_shifts}
    about |= dataset.quality_summary(data, suspects, cluster, judged) | {"training_against_test": None}
    write_json(summary, about)


def _cut(data: Images, cluster: np.ndarray, fold: np.ndarray) -> list[dict]:
    """A mark for every image of a cluster of duplicates that lies in several folds."""
    marks = []
    for number in np.flatnonzero(np.bincount(cluster, minlength=len(data)) > 1):
        own = np.flatnonzero(cluster == number)
        for image in own if len(np.unique(fold[own])) > 1 else ():
            other = own[fold[own] != fold[image]][0]
            row, file, _, _ = data.describe(image)
            detail = f"{data.file(other)} (fold {fold[other]})"
            marks.append({"id": row, "file": file, "mark": dataset.DUPLICATE, "detail": detail})
    return sorted(marks, key=lambda mark: mark["id"])
