"""The scores without test images that the audit or the user's own list marks: `clean_test.csv`, beside the full table.

It never replaces the full table, and no choice is made from it. Marks of suspected labels come from a linear probe, so they
flatter models that err as it does: they are a row of their own, apart from duplicates and from what the user lists.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base.csv_text import plain
from ftbench.base.errors import InputError
from ftbench.base.given.user_csv import FileNames, shared_folder, user_table
from ftbench.base.logits import load_folds, load_logits
from ftbench.compare.image_groups import read_test_groups
from ftbench.compare.statistics import Summary, cell_interval, learn, summarize
from ftbench.evaluate.cells import CELL, config_order
from ftbench.evaluate.metrics import scores
from ftbench.evaluate.probabilities import correct
from ftbench.evaluate.records import content
from ftbench.report.layout.columns import ACCURACY, ACCURACY_COLUMN, CELL_COLUMNS, Column, as_percent, as_text
from ftbench.report.layout.formats import MISSING
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish
from ftbench.report.layout.score_columns import named_scores

LISTED, ALL = "listed by the user", "any mark"
SCORED = ["balanced_accuracy", "macro_f1", "nll", "ece", "worst_class_accuracy"]
COLUMNS = [
    *CELL,
    "without",
    "images",
    "removed",
    "accuracy_mean",
    "accuracy_ci_low",
    "accuracy_ci_high",
    "accuracy_full",
    "change",
    "rank",
    "rank_full",
    *SCORED,
]
PAGE = CELL_COLUMNS | {
    "Without": as_text("without"),
    "Images": Column(lambda row: f"{row.images:,} (−{row.removed:,})", "images"),
    ACCURACY: ACCURACY_COLUMN,
    "All images, %": as_percent("accuracy_full"),
    "Change, points": Column(lambda row: MISSING if pd.isna(row.change) else f"{100 * row.change:+.2f}", "change"),
    "Rank (all)": Column(lambda row: MISSING if pd.isna(row.rank) else f"{row.rank:.0f} ({row.rank_full:.0f})", "rank"),
    **named_scores(("macro_f1", "worst_class_accuracy", "nll", "ece")),
}


def read_exclusions(path: str | Path, files: list[str], key: str, root: str | None = None) -> dict[int, str]:
    """{id: reason} from a CSV with the columns `reason` and `id` (row numbers of test_images.npy) or `file` (names of `files`).

    A file may be written in any way that `ftbench.base.given.user_csv.FileNames` knows; `root` is the folder of the images. `key` is the
    config key that messages name. Raises InputError on a missing file or column, an empty reason, and an image that the test set
    does not have.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"config: {key} is {str(path)!r}, which does not exist; give a CSV with the columns id or file, and reason."
        )
    by_name = {name: row for row, name in enumerate(files)}
    known = FileNames(files, root, shared_folder(files), (path.parent, Path()))
    excluded = {}
    reader = user_table(path, f"config: {key}")
    columns = reader.fieldnames or []
    if "reason" not in columns or not {"id", "file"} & set(columns):
        found = ", ".join(columns) or "no header"
        raise InputError(f"config: {key}: {path} has the columns {found}; it needs id or file, and reason.")
    for line in reader:
        name = (line.get("id") or line.get("file") or "").strip()
        try:
            row = by_name.get(known.find(name)) if not line.get("id") else int(name) if name.isdecimal() else None
        except ValueError as error:
            raise InputError(
                f"config: {key}: line {reader.line_num} of {path}: {error}; write the folder too."
            ) from error
        if row is None or row >= len(files):
            raise InputError(
                f"config: {key}: line {reader.line_num} of {path} names {name!r}, which is no test image; valid are ids from 0 "
                f"to {len(files) - 1} and the names in test_files.csv."
            )
        reason = (line["reason"] or "").strip()
        if not reason:
            raise InputError(
                f"config: {key}: line {reader.line_num} of {path} gives no reason; say why {name} is left out."
            )
        excluded[row] = reason
    return excluded


def clean_test_table(runs: list[dict], audits: list[dict], cells: list[dict], out, groups=()) -> None:
    """Write clean_test.csv, `COLUMNS`: per cell and kind of mark the scores of the test images without it.

    `runs` holds {"labels", "run", "test_logits": paths}, `audits` per data set {"dataset", "marks", "files", "exclude", "root"}: the
    audit's test marks, test_files.csv, the user's list or None, and the folder of the user's images or None. `groups` is as for
    `ftbench.compare.comparison.compare`. A data set has rows for
    each kind of mark that occurs, and for all kinds together if there are several; none if no image is marked, or all but one are.
    accuracy_full is over all images; change is accuracy_mean minus it, ranks are among the data set's cells. Scores are means over
    finished seeds, the interval that of `ftbench.compare.statistics.cell_interval`.
    """
    kinds, counts = {}, {}
    grouped = {dataset: read_test_groups(*files) for dataset, *files in groups}
    for audit in audits:
        files = pd.read_csv(audit["files"], dtype="str", keep_default_na=False)["file"].tolist()
        kinds[audit["dataset"]], counts[audit["dataset"]] = _marked(audit, files), len(files)
        grouped.setdefault(audit["dataset"], np.arange(len(files)))
    by_cell: dict[tuple, list[dict]] = {}
    for entry in runs:
        by_cell.setdefault(tuple(entry["labels"][label] for label in CELL), []).append(entry)
    rows, summaries = [], {}
    for key in config_order(cells):
        if not kinds[key[0]]:
            continue
        finished = [entry for entry in by_cell[key] if content(entry["run"])["status"] == "finished"]
        saved = [load_logits(entry["test_logits"]) for entry in finished]
        stochastic = content(by_cell[key][0]["run"])["stochastic"]
        folds = load_folds(by_cell[key][0]["test_logits"])
        for without, ids in kinds[key[0]].items():
            images = {"images": counts[key[0]] - len(ids), "removed": len(ids)}
            found, summary = _scores(saved, ids, grouped[key[0]], stochastic, folds)
            rows.append({**dict(zip(CELL, key)), "without": without, **images, **found})
            if summary is not None:
                summaries.setdefault((key[0], without), {})[key] = summary
    _add_intervals(rows, summaries)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    for rank, score in (("rank", "accuracy_mean"), ("rank_full", "accuracy_full")):
        frame[rank] = frame.groupby(["dataset", "without"])[score].rank(ascending=False, method="min")
    write_csv(frame, out)


def _marked(audit: dict, files: list[str]) -> dict[str, list[int]]:
    """{kind of mark: ids of the test images that have it}, every kind that occurs, and `ALL` where several do."""
    marks = plain(pd.read_csv(audit["marks"], keep_default_na=False))
    kinds = {str(mark): sorted(set(own["id"].tolist())) for mark, own in marks.groupby("mark", sort=True)}
    if audit["exclude"]:
        kinds[LISTED] = sorted(
            read_exclusions(audit["exclude"], files, f"datasets.{audit['dataset']}.exclude_test", audit.get("root"))
        )
    kinds = {kind: ids for kind, ids in kinds.items() if ids}
    if len(kinds) > 1:
        kinds[ALL] = sorted(set().union(*kinds.values()))
    return {kind: ids for kind, ids in kinds.items() if len(files) - len(ids) > 1}


def _scores(
    saved: list[tuple], removed: list[int], groups: np.ndarray, stochastic: bool, folds: np.ndarray | None = None
) -> tuple[dict, Summary | None]:
    if not saved:
        return {}, None
    keep = ~np.isin(saved[0][2], removed)
    right = np.stack([correct(logits, labels) for logits, labels, _ in saved])
    kept_groups = groups[saved[0][2]][keep]
    several = len(np.unique(kept_groups)) > 1
    kept_folds = None if folds is None else folds[keep]
    summary = summarize(right[:, keep], kept_groups, stochastic=stochastic, folds=kept_folds) if several else None
    own = [scores(logits[keep], labels[keep], names=SCORED) for logits, labels, _ in saved]
    full, mean = float(right.mean()), float(right[:, keep].mean())
    means = {name: float(np.mean([one[name] for one in own])) for name in SCORED}
    return {"accuracy_mean": mean, "accuracy_full": full, "change": mean - full, **means}, summary


def _add_intervals(rows: list[dict], summaries: dict[tuple, dict]) -> None:
    """Give each row its interval; seed variances are learnt from the cells of a data set on the same images."""
    spreads = {place: learn(found) for place, found in summaries.items()}
    for row in rows:
        key, place = tuple(row[name] for name in CELL), (row["dataset"], row["without"])
        if key in summaries.get(place, {}):
            found = cell_interval(summaries[place][key], key, spreads[place])
            row |= {"accuracy_ci_low": found["ci_low"], "accuracy_ci_high": found["ci_high"]}


def clean_test_pages(table_csv, datasets: list[str], out: dict) -> None:
    """Write clean_test.csv for readers, in the formats of `out`; a data set without marks is named below the table."""
    frame = read_table(table_csv)
    clean = sorted(set(datasets) - set(frame["dataset"]))
    notes = [
        "beside the full table, never instead of it: nothing is chosen by these scores",
        "suspected labels are those of a linear probe, so leaving them out flatters models that err as it does",
        *([f"no test image is marked in: {', '.join(clean)}"] if clean else []),
    ]
    subtitle = "The same models, scored without the test images that the audit or the study's own list marks."
    publish(frame, PAGE, out, "Scores on the cleaned test set", subtitle, notes)
