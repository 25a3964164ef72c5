"""The tables of single classes: how well each is found in each cell, and which are taken for which."""

import numpy as np
import pandas as pd

from ftbench.evaluate.cells import CELL, config_order
from ftbench.evaluate.records import content
from ftbench.report.layout.columns import (
    CELL_COLUMNS,
    as_decimal,
    as_interval_if_known,
    as_percent,
    as_text,
    as_whole,
)
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish

PER_CLASS = {
    **CELL_COLUMNS,
    "Class": as_text("class_name"),
    "Recall, % [95 % interval]": as_interval_if_known("recall", "recall_ci_low", "recall_ci_high"),
    "Precision, %": as_percent("precision"),
    "F1, %": as_percent("f1"),
    "Test images": as_whole("support"),
}
CONFUSED = {
    **CELL_COLUMNS,
    "Class": as_text("class_name"),
    "Taken for": as_text("predicted"),
    "Share of the class, %": as_percent("share"),
    "Images per run": as_decimal("images", ".1f"),
}

PER_CLASS_COLUMNS = [*CELL, "class", "precision", "recall", "f1", "support", "recall_ci_low", "recall_ci_high"]
CONFUSED_COLUMNS = [*CELL, "class", "predicted", "images", "share"]
MOST_CONFUSED = 5  # pairs of classes that are listed for each cell


def _metrics(runs: list[dict]) -> dict[tuple, list[dict]]:
    """The metrics of every cell's finished runs; `runs` holds {"labels", "metrics": path}."""
    read: dict[tuple, list[dict]] = {}
    for entry in runs:
        metrics = content(entry["metrics"])
        if metrics["per_class"] is not None:
            read.setdefault(tuple(entry["labels"][label] for label in CELL), []).append(metrics)
    return read


def per_class_table(runs: list[dict], classes_csv, cells: list[dict], per_class_out, confused_out) -> None:
    """Write both tables of classes; `classes_csv` is from `ftbench.compare.comparison`. A cell whose seeds all diverged has no rows.

    per_class_out: `PER_CLASS_COLUMNS`. Precision, recall and F1 are means over finished seeds, the interval of recall covers seeds
    and the class's test images.
    confused_out: `CONFUSED_COLUMNS`, the `CONFUSED` largest off-diagonal entries of each cell's confusion matrix: `images` of the
    true `class`, per seed, that are taken for `predicted`, and their share of the class. Pairs that never occur are left out.
    """
    read = _metrics(runs)
    intervals = read_table(classes_csv).set_index([*CELL, "class_number"])
    intervals = intervals.astype(float).to_dict("index")
    per_class, confused = [], []
    for key in (key for key in config_order(cells) if key in read):
        names = [one["class"] for one in read[key][0]["per_class"]]
        scores = [[[one[s] for s in ("precision", "recall", "f1", "support")] for one in metrics["per_class"]]
                  for metrics in read[key]]  # fmt: skip
        for number, (name, values) in enumerate(zip(names, np.mean(scores, axis=0))):
            interval = intervals.get((*key, number), {})
            per_class.append(
                {
                    **dict(zip(CELL, key)),
                    "class": name,
                    **dict(zip(("precision", "recall", "f1"), values[:3])),
                    "support": int(values[3]),
                    **interval,
                }
            )
        confusion = np.mean([metrics["confusion"] for metrics in read[key]], axis=0)
        off = confusion * ~np.eye(len(names), dtype=bool)
        for flat in np.argsort(-off, axis=None, kind="stable")[:MOST_CONFUSED]:
            true, predicted = np.unravel_index(flat, off.shape)
            if off[true, predicted] > 0:
                share = off[true, predicted] / confusion[true].sum()
                pair = (*key, names[true], names[predicted], off[true, predicted], share)
                confused.append(dict(zip(CONFUSED_COLUMNS, pair)))
    write_csv(pd.DataFrame(per_class, columns=PER_CLASS_COLUMNS), per_class_out)
    write_csv(pd.DataFrame(confused, columns=CONFUSED_COLUMNS), confused_out)


def class_pages(per_class_csv, confused_csv, per_class_out: dict, confused_out: dict) -> None:
    """Write the tables of single classes and of the pairs that are most often confused."""
    notes = ["interval of recall: over seeds and the class's own test images; one class has few, so it is wide"]
    subtitle = "Means over the seeds that finished."
    publish(read_table(per_class_csv), PER_CLASS, per_class_out, "Every class in every cell", subtitle, notes)
    subtitle = "The classes that each cell takes for another most often: means over the seeds that finished."
    publish(read_table(confused_csv), CONFUSED, confused_out, "Most confused pairs", subtitle, [])
