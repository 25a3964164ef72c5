"""What may be wrong with a data set: images that occur twice, labels that look mistaken, odd images, a test set from elsewhere.

It reads test images and labels, so nothing that trains or selects depends on it, and it needs nothing that trains: it can run first.
It removes nothing either; it marks images, and the clean-test table shows the scores without them beside the full ones.
"""

import numpy as np
import pandas as pd

from ftbench.base.csv_text import guarded
from ftbench.base.files import atomic_write, write_json
from ftbench.data.duplicates.candidates import describe
from ftbench.data.duplicates.find import MANY, Pairs, clusters, find_duplicates
from ftbench.data.split import cleaning_of
from ftbench.measure.audit import domain, labels, quality
from ftbench.measure.audit.parts import Images

PAIRS = [
    *("cluster", "pair", "row_a", "file_a", "part_a", "label_a"),
    *("row_b", "file_b", "part_b", "label_b", "similarity", "exact"),
]
ISSUES = ["part", "row", "file", "label", "suggested", "label_probability", "suggested_probability"]
MARKS = ["id", "file", "mark", "detail"]
DUPLICATE, SUSPECTED = "duplicate of a training image", "suspected label error"
LISTED = 1000  # odd images that are named; all are counted


def audit_dataset(
    given: dict,
    features: list[dict],
    mirrored: bool,
    pairs: str,
    issues: str,
    marks: str,
    summary: str,
    own_splits: list[str] = (),
) -> None:
    """Write the pairs of duplicates, the suspected labels, the marked test images (CSV) and a summary (JSON) of a data set.

    `given` holds the files images, labels, files, test_images, test_labels, test_files, split, classes; `features` {"name", "train",
    "test"} of pretrained backbones, .npy of the rows that the split uses and of all test rows: they bring candidates for duplicates,
    and those that judge labels best do so, which nobody does without. `mirrored`: a mirror image shows the same picture. `own_splits` are
    the splits of seeds that have their own: parts are named by the data set's split, and pairs that another one cuts are counted beside.
    """
    data = Images(**given)
    seek_shifts = seeks_shifts(data)
    loaded = {each["name"]: (np.load(each["train"]), np.load(each["test"])) for each in features}
    found = find_duplicates(
        data.small(),
        data.digests(),
        data.labels,
        mirrored,
        features=[np.concatenate(both) for both in loaded.values()],
        thorough=seek_shifts,
    )
    cluster = clusters(len(data), found)
    rows = pair_rows(data, found, cluster)
    say_contradictions(rows)
    judged = labels.judge(loaded, data.labels[: data.train], cluster[: data.train], len(data.names))
    suspects = suspect_rows(data, judged)
    marked = _duplicate_marks(data, found, cluster) + label_marks(suspects)
    write_tables({pairs: (rows, PAIRS), issues: (suspects, ISSUES), marks: (marked, MARKS)})
    about = duplicate_summary(data, rows, marked, cluster) | label_summary(data, judged, suspects)
    about |= {"cleaning": cleaning_of(np.load(given["split"])), "shifted_copies_sought": seek_shifts}
    about |= quality_summary(data, suspects, cluster, judged) | _domain_summary(data, loaded, judged)
    if own_splits:
        about["pairs_cut_by_own_splits"] = [_cut(rows, path) for path in own_splits]
    write_json(summary, about)


def write_tables(tables: dict[str, tuple[list[dict], list[str]]]) -> None:
    """Write {path: (rows, columns)} as CSVs."""
    for path, (rows, columns) in tables.items():
        with atomic_write(path) as temporary:
            guarded(pd.DataFrame(rows, columns=columns)).to_csv(temporary, index=False)


def seeks_shifts(data: Images) -> bool:
    """Whether shifted copies are sought in pixels: the time grows with the square of the number of images."""
    if len(data) > MANY:
        print(
            f"{len(data):,} images are more than {MANY:,}: copies shifted by several pixels are not sought in pixels, and "
            "only found if their features or the rest of the picture give them away"
        )
    return len(data) <= MANY


def pair_rows(data: Images, found: Pairs, cluster: np.ndarray) -> list[dict]:
    """Rows of `PAIRS`, a test image first where a training image is the other; clusters are numbered from 0 in the file."""
    numbers = {first: number for number, first in enumerate(np.unique(cluster[found.a]).tolist())}
    rows = []
    for a, b, agreement, exact in zip(*(values.tolist() for values in found)):
        sides = (a >= data.train) + (b >= data.train)
        kind = ("inside training", "test and training", "inside test")[sides]
        one, other = (b, a) if sides == 1 else (a, b)  # numbers rise from training to test
        values = (numbers[int(cluster[a])], kind, *data.describe(one), *data.describe(other), agreement, exact)
        rows.append(dict(zip(PAIRS, values, strict=True)))
    for kind in ("test and training", "inside test", "inside training"):
        own = [row for row in rows if row["pair"] == kind]
        print(f"{kind}: {len(own):,} pairs, {sum(row['exact'] for row in own):,} of them exact")
    return rows


def say_contradictions(found: list[dict]) -> None:
    """Equal pictures with different labels are said in the log: at least one label of each pair is wrong."""
    wrong = [pair for pair in found if pair["exact"] and pair["label_a"] != pair["label_b"]]
    if wrong:
        one = wrong[0]
        print(
            f"CONTRADICTORY LABELS: {len(wrong)} pairs of equal images have different labels, such as {one['file_a']} "
            f"({one['label_a']}) and {one['file_b']} ({one['label_b']})."
        )


def suspect_rows(data: Images, judged: labels.Judged | None) -> list[dict]:
    """Rows of `ISSUES`, the most suspicious first in each part."""
    if judged is None:
        print("no backbone with pretrained weights, or too few images: labels are not judged")
        return []
    rows = []
    sides = [(0, judged.train)] + ([] if judged.test is None else [(data.train, judged.test)])
    for first, probabilities in sides:
        given = data.labels[first : first + len(probabilities)]
        for position in labels.suspected(given, probabilities).tolist():
            row, file, part, label = data.describe(first + position)
            suggested = int(probabilities[position].argmax())
            trust = (float(probabilities[position, given[position]]), float(probabilities[position, suggested]))
            rows.append(dict(zip(ISSUES, (part, row, file, label, data.names[suggested], *trust), strict=True)))
    for part in ("train", "validation", "test"):
        print(
            f"{part}: {sum(row['part'] == part for row in rows):,} of {(data.parts == part).sum():,} labels are suspected"
        )
    return rows


def _duplicate_marks(data: Images, found: Pairs, cluster: np.ndarray) -> list[dict]:
    """The test images that share a cluster with training images, with the training image that each agrees with, or its first."""
    first: dict[int, int] = {}
    for number in range(data.train):
        first.setdefault(int(cluster[number]), number)
    direct = {int(b): int(a) for a, b in zip(found.a, found.b) if a < data.train <= b}
    marks = []
    for number in range(data.train, len(data)):
        other = direct.get(number, first.get(int(cluster[number])))
        if other is not None:
            detail = f"{data.file(other)} ({data.parts[other]})"
            row, file, _, _ = data.describe(number)
            marks.append({"id": row, "file": file, "mark": DUPLICATE, "detail": detail})
    return marks


def label_marks(suspects: list[dict]) -> list[dict]:
    return [
        {"id": row["row"], "file": row["file"], "mark": SUSPECTED, "detail": f"{row['label']}, or {row['suggested']}?"}
        for row in suspects
        if row["part"] == "test"
    ]


def duplicate_summary(data: Images, rows: list[dict], marked: list[dict], cluster: np.ndarray) -> dict:
    kinds = pd.Series([row["pair"] for row in rows], dtype="str")
    sizes = np.unique(cluster, return_counts=True)[1]
    return {
        "training_images": data.train,
        "test_images": len(data) - data.train,
        "test_images_with_a_training_duplicate": sum(mark["mark"] == DUPLICATE for mark in marked),
        "pairs_inside_test": int((kinds == "inside test").sum()),
        "pairs_inside_training": int((kinds == "inside training").sum()),
        "pairs_of_train_and_validation": sum(
            row["pair"] == "inside training" and row["part_a"] != row["part_b"] for row in rows
        ),
        "exact_pairs": sum(row["exact"] for row in rows),
        "clusters": int((sizes > 1).sum()),
        "largest_cluster": int(sizes.max()),
    }


def _cut(rows: list[dict], split: str) -> int:
    """How many pairs of training images stand on two sides of a split."""
    validation = set(np.load(split)["validation"].tolist())
    inside = [row for row in rows if row["pair"] == "inside training"]
    return sum((row["row_a"] in validation) != (row["row_b"] in validation) for row in inside)


def label_summary(data: Images, judged: labels.Judged | None, suspects: list[dict]) -> dict:
    return {
        "labels_judged_by": judged and judged.said,
        "judge_accuracy": judged and judged.accuracy,
        "suspected_labels": {
            part: sum(row["part"] == part for row in suspects) for part in ("train", "validation", "test")
        },
    }


def quality_summary(data: Images, suspects: list[dict], cluster: np.ndarray, judged: labels.Judged | None) -> dict:
    """Odd images, and what there is of each class."""
    measured = [quality.measure(stored, rows) for stored, rows in data.sides()]
    odd = []
    sizes = data.sizes()
    for first, own, size in zip((0, data.train), measured, sizes):
        for position, reason in sorted(quality.odd(own, measured[0]) + quality.odd_sizes(size, sizes[0])):
            row, file, part, label = data.describe(first + position)
            odd.append({"part": part, "row": row, "file": file, "label": label, "odd": reason})
    counts = pd.Series([image["odd"] for image in odd], dtype="str").value_counts()
    print("odd images: " + (", ".join(f"{count:,} {reason}" for reason, count in counts.items()) or "none"))
    twice = np.isin(cluster, np.flatnonzero(np.bincount(cluster) > 1))
    classes = []
    for number, name in enumerate(data.names):
        own = data.labels == number
        trained = own[: data.train]
        entry = {part: int((own & (data.parts == part)).sum()) for part in ("train", "validation", "test")}
        entry |= {key: float(measured[0][key][trained].mean()) for key in ("brightness", "contrast", "sharpness")}
        entry |= {"in_duplicate_clusters": int((own & twice).sum())}
        entry |= {"suspected_labels": sum(row["label"] == name for row in suspects)}
        right = judged.train.argmax(axis=1)[trained] == number if judged else None
        classes.append({"class": name, **entry, "judge_recall": None if right is None else float(right.mean())})
    return {"odd_images": counts.to_dict(), "odd": odd[:LISTED], "classes": classes}


def _domain_summary(data: Images, loaded: dict, judged: labels.Judged | None) -> dict:
    """How well training and test images can be told apart: by the best features that judge labels, else by pixels."""
    if judged:
        by, sides = judged.judges[0], loaded[judged.judges[0]]
    else:
        described = describe(data.small())
        by, sides = "pixels", (described[: data.train], described[data.train :])
    found = domain.separability(*sides)
    if found:
        print(
            f"training against test, by {by}: AUC {found['auc']:.3f}, by chance {found['null_low']:.3f} to {found['null_high']:.3f}, "
            f"p = {found['p']:.3f}"
        )
    return {"training_against_test": found and {"by": by, **found}}
