"""What may be wrong with a data set: images that occur twice, above all in training and test, and labels that look mistaken.

It reads test images and labels, and comes last: nothing that trains or selects depends on it. It removes nothing either; it marks
images, and the clean-test table shows the scores without them beside the full ones.
"""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from scipy.special import softmax

from ftbench.base.csv_text import guarded
from ftbench.base.files import atomic_write, read_json, write_json
from ftbench.base.pixel_rows import ChosenRows, PixelRows
from ftbench.measure.duplicates import find_duplicates

PAIRS = ["pair", "row_a", "file_a", "part_a", "label_a", "row_b", "file_b", "part_b", "label_b", "similarity", "exact"]
ISSUES = ["part", "row", "file", "label", "suggested", "label_probability", "suggested_probability"]
MARKS = ["id", "file", "mark", "detail"]
DUPLICATE, SUSPECTED = "duplicate of a training image", "suspected label error"


def audit_dataset(
    images: str, labels: str, files: str, test_images: str, test_labels: str, test_files: str, split: str, classes: str,
    probes: list[dict], pairs: str, issues: str, marks: str, summary: str,
) -> None:  # fmt: skip
    """Write the pairs of duplicates, the suspected labels, the marked test images (CSV) and a summary (JSON) of a data set.

    `files` and `test_files` are CSVs with the columns id, file. `probes` holds {"name", "val_logits", "test_logits"} of the data
    set's linear probes: labels are judged by the one with the best validation accuracy, whose probabilities of validation and test
    images are out of sample; without a probe no label is judged. Only rows that the split uses count as training images.
    """
    names = read_json(classes)
    parts = np.load(split)
    used = np.sort(np.concatenate([parts["train"], parts["validation"]]))
    part_of = np.where(np.isin(used, parts["train"]), "train", "validation")
    train = _Part(ChosenRows(PixelRows(images), used), np.load(labels)[used], used, _files(files), part_of, names)
    held_out = PixelRows(test_images)
    count = len(held_out)
    test = _Part(held_out, np.load(test_labels), np.arange(count), _files(test_files), np.full(count, "test"), names)

    found, told = [], []
    for kind, a, b in (
        ("test and training", test, train),
        ("inside test", test, None),
        ("inside training", train, None),
    ):
        own = [_pair(kind, one, a, b or a) for one in find_duplicates(a.images, None if b is None else b.images)]
        told.append(f"{kind}: {len(own)} pairs, {sum(pair['exact'] for pair in own)} of them exact")
        found += own
    _say_contradictions(found)
    print(*told, sep="\n")
    suspects, probe = _suspected_labels(probes, train, test)
    marked = [
        {
            "id": pair["row_a"],
            "file": pair["file_a"],
            "mark": DUPLICATE,
            "detail": f"{pair['file_b']} ({pair['part_b']})",
        }
        for pair in found
        if pair["pair"] == "test and training"
    ]
    marked += [
        {
            "id": issue["row"],
            "file": issue["file"],
            "mark": SUSPECTED,
            "detail": f"{issue['label']}, or {issue['suggested']}?",
        }
        for issue in suspects
        if issue["part"] == "test"
    ]
    for path, rows, columns in ((pairs, found, PAIRS), (issues, suspects, ISSUES), (marks, marked, MARKS)):
        with atomic_write(path) as temporary:
            guarded(pd.DataFrame(rows, columns=columns)).to_csv(temporary, index=False)
    kinds = pd.Series([pair["pair"] for pair in found], dtype="str")
    write_json(
        summary,
        {
            "training_images": len(train.images),
            "test_images": count,
            "test_images_with_a_training_duplicate": int((kinds == "test and training").sum()),
            "pairs_inside_test": int((kinds == "inside test").sum()),
            "pairs_inside_training": int((kinds == "inside training").sum()),
            "pairs_of_train_and_validation": sum(
                pair["pair"] == "inside training" and pair["part_a"] != pair["part_b"] for pair in found
            ),
            "exact_pairs": sum(pair["exact"] for pair in found),
            "labels_judged_by": probe,
            "suspected_labels": {
                part: sum(issue["part"] == part for issue in suspects) for part in ("validation", "test")
            },
        },
    )


def _say_contradictions(found: list[dict]) -> None:
    """Equal pictures with different labels come first in the log: at least one label of each pair is wrong."""
    wrong = [pair for pair in found if pair["exact"] and pair["label_a"] != pair["label_b"]]
    if wrong:
        one = wrong[0]
        print(
            f"CONTRADICTORY LABELS: {len(wrong)} pairs of equal images have different labels, such as {one['file_a']} "
            f"({one['label_a']}) and {one['file_b']} ({one['label_b']})."
        )


class _Part:
    """Images with their labels, rows, files and parts of the split, all (N,); `files` covers every row of the array."""

    def __init__(self, images, labels, rows, files, parts, names):
        self.images, self.labels, self.rows, self.files, self.parts, self.names = (
            images,
            labels,
            rows,
            files,
            parts,
            names,
        )

    def describe(self, position: int) -> tuple:
        row = int(self.rows[position])
        return row, self.files[row], str(self.parts[position]), self.names[self.labels[position]]


def _files(path: str) -> list[str]:
    with Path(path).open(newline="", encoding="utf-8") as stream:
        return [line["file"] for line in csv.DictReader(stream)]


def _pair(kind: str, found: dict, a: _Part, b: _Part) -> dict:
    values = (kind, *a.describe(found["a"]), *b.describe(found["b"]), found["similarity"], found["exact"])
    return dict(zip(PAIRS, values, strict=True))


def _suspected_labels(probes: list[dict], train: _Part, test: _Part) -> tuple[list[dict], str | None]:
    """Rows of `ISSUES`, the most suspicious first in each part, and the name of the probe that judged.

    Confident learning (Northcutt et al. 2021, arXiv:1911.00068) as cleanlab has it, by the intersection of its two pruning rules:
    of the two, what both would remove.
    """
    if not probes:
        print("no linear probe on this data set: labels are not judged")
        return [], None
    best = max(probes, key=lambda probe: _accuracy(probe["val_logits"]))
    print(f"labels are judged by {best['name']}")
    suspects = []
    for part, name, source in (("validation", "val_logits", train), ("test", "test_logits", test)):
        saved = np.load(best[name])
        probabilities, given, ids = softmax(saved["logits"].astype(np.float64), axis=1), saved["labels"], saved["ids"]
        ranked = find_label_issues(
            given, probabilities, filter_by="both", return_indices_ranked_by="self_confidence", n_jobs=1
        )
        for position in ranked.tolist():
            label, suggested = given[position], probabilities[position].argmax()
            row = int(ids[position])
            values = (part, row, source.files[row], source.names[label], source.names[suggested],
                      float(probabilities[position, label]), float(probabilities[position, suggested]))  # fmt: skip
            suspects.append(dict(zip(ISSUES, values, strict=True)))
        print(f"{part}: {len(ranked)} of {len(given)} labels are suspected")
    return suspects, best["name"]


def _accuracy(logits: str) -> float:
    saved = np.load(logits)
    return float((saved["logits"].argmax(axis=1) == saved["labels"]).mean())
