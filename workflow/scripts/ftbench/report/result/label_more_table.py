"""Would more images help? What each cell's learning curve says of twice and four times the images, with its interval."""

import numpy as np
import pandas as pd

from ftbench.base.logits import load_logits
from ftbench.compare.learning_curve import LEAST, extrapolate
from ftbench.evaluate.probabilities import correct
from ftbench.evaluate.records import content
from ftbench.report.layout.columns import Column, as_number, as_percent, as_text
from ftbench.report.layout.formats import interval
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish
from ftbench.report.result.training_size_table import images_per_class

FACTORS = (2, 4)
COLUMNS = ["family", "backbone", "strategy", "sizes", "images_per_class", "accuracy_now", "factor", "more_images"]
COLUMNS += ["accuracy", "accuracy_low", "accuracy_high"]
PAGE = {
    "Dataset": as_text("family"),
    "Backbone": as_text("backbone"),
    "Strategy": as_text("strategy"),
    "Images per class now": as_number("images_per_class"),
    "Accuracy now, %": as_percent("accuracy_now"),
    "Images per class then": as_number("more_images"),
    "Expected accuracy, % [95 % interval]": Column(
        lambda row: interval(row.accuracy, row.accuracy_low, row.accuracy_high), "accuracy"
    ),
}


def label_more_table(runs: list[dict], members: list[dict], out) -> None:
    """Write label_more.csv, `COLUMNS`: per cell a row for each of `FACTORS` times the images of its largest size.

    `runs` holds {"labels", "run", "test_logits": path} of the data sets of `members`, {"family", "dataset", "limit", "about"}. A cell
    has rows if at least `LEAST` of its sizes have a finished run. accuracy_now is the mean over seeds at the largest of these.
    """
    sizes = {member["dataset"]: (member["family"], images_per_class(member)) for member in members}
    wrong: dict[tuple, dict[float, list]] = {}
    for entry in runs:
        if content(entry["run"])["status"] == "finished":
            family, size = sizes[entry["labels"]["dataset"]]
            key = (family, entry["labels"]["backbone"], entry["labels"]["strategy"])
            logits, labels, _ = load_logits(entry["test_logits"])
            wrong.setdefault(key, {}).setdefault(size, []).append(~correct(logits, labels))
    rows = []
    for key, by_size in wrong.items():
        if len(by_size) < LEAST:
            print(f"{' / '.join(key)}: {len(by_size)} sizes with a finished run, and a learning curve needs {LEAST}")
            continue
        known = sorted(by_size)
        expected = extrapolate([np.array(by_size[size]) for size in known], known, [known[-1] * k for k in FACTORS])
        now = 1 - float(np.mean(by_size[known[-1]]))
        for factor, row in zip(FACTORS, expected):
            values = (
                *key,
                len(known),
                known[-1],
                now,
                factor,
                row["size"],
                1 - row["error"],
                1 - row["high"],
                1 - row["low"],
            )
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    write_csv(pd.DataFrame(rows, columns=COLUMNS), out)


def label_more_pages(table_csv, out: dict) -> None:
    """Write label_more.csv for readers, in the formats of `out`."""
    notes = [
        "a power law with an offset through the test errors at every size; the interval covers test images, seeds, the luck of which images "
        "a training set holds, and how little a few sizes say of the offset",
        "it takes the further images to be of the same kind, labelled as well",
        f"a cell needs {LEAST} sizes with a finished run; others have no row",
    ]
    subtitle = "What twice and four times the images per class would bring, read off each cell's learning curve."
    publish(read_table(table_csv), PAGE, out, "Label more?", subtitle, notes)


def expectation(rows: pd.DataFrame) -> str:
    """What more images would bring to one cell, in a sentence, from its rows."""
    first = rows.iloc[0]
    now = f"{first['strategy']} on {first['backbone']} is at {100 * first['accuracy_now']:.1f} % with {first['images_per_class']:g} images per class"
    then = [
        f"with {row['more_images']:g} it is expected at {100 * row['accuracy']:.1f} % [{100 * row['accuracy_low']:.1f}, "
        f"{100 * row['accuracy_high']:.1f}]"
        for _, row in rows.iterrows()
    ]
    return f"{now}; {', '.join(then)}"
