"""What the images are: classes and counts of every part, and all that preparation scaled, skipped, left out or found to be wrong.

Everything is read from train.json, test.json, the groups and the split; nothing here opens an image.
"""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ftbench.base.files import read_json
from ftbench.report.layout.columns import Column, as_plain, as_text, as_whole
from ftbench.report.layout.formats import MISSING
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish

PARTS = ("train", "validation", "test", "unused")
CLASSES = ["dataset", "class", *PARTS]
FACTS = ["dataset", "part", "fact", "count", "detail"]
NAMED = 3  # files or pictures in a detail
ALL = "all classes"
CLASSES_PAGE = {
    "Dataset": as_text("dataset"),
    "Class": as_text("class_name"),
    **{f"{part.capitalize()} images": as_whole(part) for part in PARTS[:3]},
    "Not used": as_whole("unused"),
}
FACTS_PAGE = {
    "Dataset": as_text("dataset"),
    "Part": as_text("part"),
    "What": as_text("fact"),
    "Count": Column(lambda row: MISSING if pd.isna(row.count) else f"{row.count:,.0f}", "count"),
    "In detail": as_plain("detail"),
}


def images_tables(datasets: list[dict], classes_out, facts_out) -> None:
    """Write both tables: `CLASSES`, a row per class and one of all, and `FACTS`, the most serious first.

    `datasets` holds {"dataset", "train", "test", "groups", "split"}: the paths of train.json, test.json, groups.npy and split.npz.
    unused: images of the train part that a train_limit leaves out.
    """
    counted, facts = [], []
    for entry in datasets:
        name, train, test = entry["dataset"], read_json(entry["train"]), read_json(entry["test"])
        split = np.load(entry["split"])
        counted += [{"dataset": name, **row} for row in _counts(train, test, split)]
        own = {part: list(_facts(summary)) for part, summary in (("train", train), ("test", test))}
        found = [(part, *fact) for part, told in own.items() for fact in told]
        found += [("train", *fact) for fact in _groups(np.load(entry["groups"]), train["source"])]
        if "fold" in split:
            found.append(("all", *_folds(split["fold"])))
        both = {part: list(_of_folder(summary)) for part, summary in (("train", train), ("test", test))}
        found += [("all", *fact) for fact in dict.fromkeys(both["train"] + both["test"])]
        found.sort(key=lambda row: not row[1].isupper())  # what is wrong, before all else
        facts += [dict(zip(FACTS, (name, *row))) for row in found]
    write_csv(pd.DataFrame(counted, columns=CLASSES), classes_out)
    write_csv(pd.DataFrame(facts, columns=FACTS).astype({"count": "Int64"}), facts_out)


def images_pages(classes_csv, facts_csv, classes_out: dict, facts_out: dict) -> None:
    """Write both tables for readers."""
    notes = ["not used: images of the train part beyond train_limit"]
    subtitle = "Images of every class that are trained on, that choose recipes, and that are tested."
    publish(_read(classes_csv), CLASSES_PAGE, classes_out, "Classes and counts", subtitle, notes)
    subtitle = "How the images became arrays: what was scaled, skipped, left out or guessed, and what seems wrong."
    notes = [
        "train: with the validation part that is drawn from it or was given",
        "capitals: mend this before you trust a score",
    ]
    publish(_read(facts_csv), FACTS_PAGE, facts_out, "What was done with the images", subtitle, notes)


def _read(path) -> pd.DataFrame:
    return read_table(path).fillna({"detail": ""})


def _counts(train: dict, test: dict, split) -> Iterator[dict]:
    names = list(train["per_class"])
    labels = split["labels"]
    counts = {part: np.bincount(labels[split[part]], minlength=len(names)) for part in ("train", "validation")}
    counts["test"] = np.array([test["per_class"].get(name, 0) for name in names])
    counts["unused"] = np.bincount(labels, minlength=len(names)) - counts["train"] - counts["validation"]
    yield {"class": ALL, **{part: int(counts[part].sum()) for part in PARTS}}
    for row, name in enumerate(names):
        yield {"class": name, **{part: int(counts[part][row]) for part in PARTS}}


def _facts(summary: dict) -> Iterator[tuple[str, int | None, str]]:
    """(fact, count, detail) of one part."""
    wrong = summary["contradictory"]
    if wrong["pictures"]:
        examples = (" and ".join(f"{file} ({name})" for file, name in one[:2]) for one in wrong["examples"][:NAMED])
        yield (
            "CONTRADICTORY LABELS",
            wrong["pictures"],
            f"pictures that stand in several classes, such as {'; '.join(examples)}",
        )
    height, width = summary["size"]
    source = summary["source"]
    fit = "as they were" if source["image_size"] is None else f"resized once; if not square: {source['fit']}"
    yield "images", summary["images"], f"stored with {width} × {height} pixels, {fit}"
    if summary.get("given_validation"):
        yield "given validation part", summary["given_validation"], "the last images of this part"
    yield from _range(summary)
    yield from _skipped(summary)
    for remark, count in summary["remarks"].items():
        yield "images with a remark", count, remark


def _of_folder(summary: dict) -> Iterator[tuple[str, int | None, str]]:
    """(fact, count, detail) of the whole source, which the summaries of both parts hold."""
    for note in summary["notes"]:
        leak = note.startswith("LEAK: ")
        yield "LEAK" if leak else "note", None, note.removeprefix("LEAK: ")
    for reason, count in summary["left_out"].items():
        yield "files and folders left out", count, reason


def _groups(groups: np.ndarray, source: dict) -> Iterator[tuple[str, int, str]]:
    sizes = np.bincount(groups)
    shared = int(sizes[sizes > 1].sum())
    if source["groups"] or shared:
        by = f"listed by {source['groups']}, and equal pictures" if source["groups"] else "equal pictures"
        yield "groups", len(sizes), f"{by}: {shared:,} images share theirs with others, {sizes.max():,} the largest"


def _folds(fold: np.ndarray) -> tuple[str, int, str]:
    sizes = np.bincount(fold)[1:]
    return (
        "tested in folds",
        len(sizes),
        f"{sizes.min():,} to {sizes.max():,} images each; every image is tested in one fold and trains or validates in the others",
    )


def _range(summary: dict) -> Iterator[tuple[str, int, str]]:
    if summary["deep"]:
        low, high = summary["range"]
        by = (
            "by range in the config"
            if summary["source"]["range"]
            else "the lowest and highest value of the training images"
        )
        yield "images of more than 8 bits", summary["deep"], f"values {low:g} to {high:g} are black to white, {by}"
    if summary.get("range_without_outliers"):
        low, high = summary["range_without_outliers"]
        yield (
            "range stretched by outliers",
            None,
            f"nearly all values are {low:g} to {high:g}; give that by range if the rest is noise",
        )
    outside = summary["outside"]
    if outside["values"]:
        yield (
            "values outside of the range",
            outside["values"],
            f"cut to black or white, in {outside['images']:,} images",
        )


def _skipped(summary: dict) -> Iterator[tuple[str, int, str]]:
    """By reason, if the reasons are known."""
    reasons = summary.get("skipped_for") or ["no reason was kept"] * len(summary["skipped"])
    files: dict[str, list[str]] = {}
    for file, reason in zip(summary["skipped"], reasons):
        files.setdefault(_general(reason, file), []).append(file)
    for reason, count in Counter({reason: len(own) for reason, own in files.items()}).most_common():
        yield "skipped as corrupt", count, f"{reason}: {', '.join(files[reason][:NAMED])}" + ", …" * (count > NAMED)


def _general(reason: str, file: str) -> str:
    """A reason without what it says of one file, its name and addresses in memory."""
    plain = re.sub(r"\s*(['\"<])[^'\"<>]*(['\">])", "", reason)
    return plain.replace(file, "").strip(" :,") or reason
