"""How much accuracy corruptions cost: `corruptions.csv`, a row per cell, kind and severity, and `robustness.csv`, a row per cell.

From saved logits alone. The clean accuracy beside them is that of the same test images and the same seeds.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ftbench.base.errors import InputError
from ftbench.base.logits import load_logits
from ftbench.evaluate.cells import CELL, config_order
from ftbench.evaluate.records import content
from ftbench.report.layout.columns import CELL_COLUMNS, Column
from ftbench.report.layout.formats import MISSING, percent
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish
from ftbench.study.corruption_kinds import FAMILIES, FAMILY_OF

DETAIL = [*CELL, "corruption", "family", "severity", "seeds", "images", "accuracy", "accuracy_clean", "relative_drop"]
SUMMARY = [
    *CELL,
    "seeds",
    "images",
    "accuracy_clean",
    "accuracy_corrupted",
    "relative_drop",
    "worst_corruption",
    "worst_accuracy",
]


def corruption_tables(runs: list[dict], cells: list[dict], out, summary_out) -> None:
    """Write both tables: `DETAIL`, and `SUMMARY` followed by one column accuracy_<family> for each family that occurs.

    `runs` holds {"labels", "run", "test_logits", "corrupted_logits": paths}. Accuracies are means over finished seeds.
    accuracy_corrupted is the mean over all kinds and severities of the study, each kind counting the same; relative_drop is
    (clean - corrupted) / clean, empty where nothing clean is right. A cell whose runs all diverged has no rows in the detail.
    """
    by_cell: dict[tuple, list[dict]] = {}
    for entry in runs:
        if content(entry["run"])["status"] == "finished":
            by_cell.setdefault(tuple(entry["labels"][label] for label in CELL), []).append(_accuracies(entry))
    detail, summary = [], []
    for key in config_order(cells):
        found = by_cell.get(key, [])
        place = dict(zip(CELL, key))
        if not found:
            summary.append({**place, "seeds": 0})
            continue
        accuracy = np.mean([one["accuracy"] for one in found], axis=0)  # (K, S)
        clean, images = float(np.mean([one["clean"] for one in found])), found[0]["images"]
        counts = {"seeds": len(found), "images": images}
        for kind, row in zip(found[0]["kinds"], accuracy):
            for severity, value in zip(found[0]["severities"], row):
                about = {"corruption": kind, "family": FAMILY_OF[kind], "severity": int(severity)}
                scores = {"accuracy": float(value), "accuracy_clean": clean, "relative_drop": _drop(clean, value)}
                detail.append({**place, **about, **counts, **scores})
        means = pd.Series(accuracy.mean(axis=1), index=found[0]["kinds"])
        by_family = means.groupby(FAMILY_OF, sort=False).mean()
        overall = float(means.mean())
        summary.append(
            {
                **place,
                **counts,
                "accuracy_clean": clean,
                "accuracy_corrupted": overall,
                "relative_drop": _drop(clean, overall),
                "worst_corruption": means.idxmin(),
                "worst_accuracy": float(means.min()),
                **{f"accuracy_{family}": float(value) for family, value in by_family.items()},
            }
        )
    write_csv(pd.DataFrame(detail, columns=DETAIL), out)
    extra = [f"accuracy_{family}" for family in FAMILIES if any(f"accuracy_{family}" in row for row in summary)]
    write_csv(pd.DataFrame(summary, columns=[*SUMMARY, *extra]), summary_out)


def _accuracies(entry: dict) -> dict:
    """accuracy (K, S), clean, images, kinds and severities of one run."""
    saved = np.load(entry["corrupted_logits"])
    logits, labels, ids = load_logits(entry["test_logits"])
    place = np.searchsorted(ids, saved["ids"])
    if not np.array_equal(ids[np.minimum(place, len(ids) - 1)], saved["ids"]):
        raise InputError(
            f"{entry['corrupted_logits']} holds test images that {entry['test_logits']} lacks: predict again."
        )
    return {
        "accuracy": (saved["logits"].argmax(axis=-1) == saved["labels"]).mean(axis=-1),
        "clean": (logits[place].argmax(axis=1) == labels[place]).mean(),
        "images": len(place),
        "kinds": saved["kinds"].tolist(),
        "severities": saved["severities"].tolist(),
    }


def _drop(clean: float, corrupted: float) -> float:
    return float((clean - corrupted) / clean) if clean > 0 else float("nan")


def robustness_pages(summary_csv, out: dict, together: Sequence[str] = (), given: Sequence[str] = ()) -> None:
    """Write robustness.csv for readers, in the formats of `out`. `together` are strategies whose networks answer together, `given` those
    whose predictions come from outside."""
    frame = read_table(summary_csv)
    families = [name.removeprefix("accuracy_") for name in frame.columns[len(SUMMARY) :]]
    columns = {
        **CELL_COLUMNS,
        "Clean, %": Column(lambda row: percent(row.accuracy_clean), "accuracy_clean"),
        "Corrupted, %": Column(lambda row: percent(row.accuracy_corrupted), "accuracy_corrupted"),
        "Relative drop, %": Column(lambda row: percent(row.relative_drop), "relative_drop"),
        **{f"{family.capitalize()}, %": _family(family) for family in families},
        "Worst": Column(
            lambda row: (
                MISSING if pd.isna(row.worst_accuracy) else f"{row.worst_corruption} ({percent(row.worst_accuracy)})"
            )
        ),
    }
    notes = [
        "clean: the same test images and seeds, without corruption; corrupted: mean over kinds and severities",
        "relative drop: the share of the clean accuracy that is lost",
        "kinds and constants of CIFAR-10-C, with this project's own random numbers and ice: not comparable "
        "with numbers measured on the published images",
        *(
            [f"without {', '.join(together)}: only the first seeds see corrupted images, and its answers need all"]
            if together
            else []
        ),
        *([f"without {', '.join(given)}: given from outside, of the images as they are"] if given else []),
    ]
    publish(frame, columns, out, "Robustness to corruptions", "Accuracy on corrupted test images.", notes)


def corruption_pages(detail_csv, out: dict) -> None:
    """Write corruptions.csv for readers: a row per cell, a column per kind, the mean over severities."""
    frame = read_table(detail_csv)
    kinds = list(dict.fromkeys(frame["corruption"]))
    severities = ", ".join(map(str, sorted(set(frame["severity"]))))
    means = frame.pivot_table(index=CELL, columns="corruption", values="accuracy", sort=False)
    table = means.reindex(columns=kinds).reset_index()
    columns = CELL_COLUMNS | {
        f"{kind.replace('_', ' ')}, %": Column(lambda row, place=place: percent(row[place]), kind)
        for place, kind in enumerate(kinds, len(CELL))
    }
    notes = [f"mean over severities ({severities}); corruptions.csv has each"] * bool(kinds)
    publish(table, columns, out, "Every kind of corruption", "Accuracy on corrupted test images.", notes)


def _family(family: str) -> Column:
    return Column(lambda row: percent(getattr(row, f"accuracy_{family}")), f"accuracy_{family}")
