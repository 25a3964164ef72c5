"""Compare cells on their shared test images: intervals per cell and class, every difference, and tests for two families of pairs.

Reads logits one run at a time and keeps only which answers were right: 64 cells of 5 seeds and 10,000 images are 3 MB.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from ftbench.base.csv_text import guarded
from ftbench.base.errors import InputError, choices
from ftbench.base.files import atomic_write
from ftbench.base.logits import load_logits
from ftbench.evaluate.cells import CELL, SELECTION, recommended_cell
from ftbench.evaluate.probabilities import correct
from ftbench.evaluate.records import content
from ftbench.evaluate.statistics import cell_interval, difference, holm, mcnemar, summarize

PAIR = ["dataset", "backbone_a", "strategy_a", "backbone_b", "strategy_b"]
PAIR_COLUMNS = [
    *PAIR,
    "family",
    "difference",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "effect_size",
    "effect_low",
    "effect_high",
    "detectable",
    "df",
    "seeds_a",
    "seeds_b",
    "mcnemar_p_lowest",
    "mcnemar_p_median",
    "mcnemar_p_highest",
]
DIFFERENCE_COLUMNS = [*PAIR, "difference", "ci_low", "ci_high", "p", "df", "effect_size", "effect_low", "effect_high"]
DIFFERENCE_COLUMNS += ["detectable"]
CLASS_COLUMNS = [*CELL, "class_number", "recall_ci_low", "recall_ci_high"]


def _read_cells(runs: list[dict], metric: str) -> dict[str, dict[tuple, dict]]:
    """Data set -> (backbone, strategy) -> what was right (S, N) bool, its summary, the labels (N,) and the validation scores.

    Cells are in the order of `runs`; one without a finished run has no "summary".
    """
    datasets: dict[str, dict[tuple, dict]] = {}
    reference: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for entry in runs:
        dataset, backbone, strategy = (entry["labels"][label] for label in CELL)
        cell = datasets.setdefault(dataset, {}).setdefault(
            (backbone, strategy), {"correct": [], "validation": [], "nll": [], "diverged": 0}
        )
        run = content(entry["run"])
        if run["status"] == "diverged":
            cell["diverged"] += 1
            continue
        logits, labels, ids = load_logits(entry["test_logits"])
        first_labels, first_ids = reference.setdefault(dataset, (labels, ids))
        if not (np.array_equal(first_labels, labels) and np.array_equal(first_ids, ids)):
            raise InputError(
                f"{entry['test_logits']} was predicted on other test images than the first run of data set {dataset!r}: "
                "predict all runs of a data set on one test set."
            )
        cell["correct"].append(correct(logits, labels))
        cell["validation"].append(run[metric])
        cell["nll"].append(run["validation_nll"])
    for dataset, cells in datasets.items():
        for cell in cells.values():
            cell["validation"] = float(np.mean(cell["validation"])) if cell["validation"] else None
            cell["nll"] = float(np.mean(cell["nll"])) if cell["nll"] else None
            cell["correct"] = np.array(cell["correct"])
            if len(cell["correct"]):
                cell["summary"] = summarize(cell["correct"])
                cell["labels"] = reference[dataset][0]
    return datasets


def _difference(dataset: str, cells: dict, a: tuple, b: tuple) -> dict:
    return {**dict(zip(PAIR, (dataset, *a, *b))), **difference(cells[a]["summary"], cells[b]["summary"])}


def _tested(cells: dict, family: str, pair: dict) -> dict:
    """A difference of `cells` as a row of the family's table, Holm's correction left out."""
    right_a, right_b = (cells[pair[f"backbone_{side}"], pair[f"strategy_{side}"]]["correct"] for side in "ab")
    seeds = min(len(right_a), len(right_b))
    if 1 not in (len(right_a), len(right_b)):
        per_seed = mcnemar(right_a[:seeds], right_b[:seeds])
    else:
        per_seed = mcnemar(right_a, right_b)  # the one seed of a deterministic cell stands beside each of the other's
    return {
        **pair,
        "family": family,
        "seeds_a": len(right_a),
        "seeds_b": len(right_b),
        "mcnemar_p_lowest": per_seed.min(),
        "mcnemar_p_median": np.median(per_seed),
        "mcnemar_p_highest": per_seed.max(),
    }


def _class_rows(key: tuple, cell: dict) -> list[dict]:
    """The recall interval of every class that has test images: the crossed one, over this class's images alone.

    A class with a single image has no variance over images to estimate, and gets no interval.
    """
    rows = []
    for number in np.unique(cell["labels"]):
        right = cell["correct"][:, cell["labels"] == number]
        interval = cell_interval(summarize(right)) if right.shape[1] > 1 else {"ci_low": None, "ci_high": None}
        rows.append(dict(zip(CLASS_COLUMNS, (*key, int(number), interval["ci_low"], interval["ci_high"]))))
    return rows


def _family(pairs: list[dict]) -> list[dict]:
    adjusted = holm(np.array([pair["p"] for pair in pairs]))
    return [{**pair, "p_holm": value} for pair, value in zip(pairs, adjusted)]


def compare(runs: list[dict], selection_metric: str, cells_out, pairwise_out, differences_out, classes_out) -> None:
    """Write the intervals of all cells and the tests between them.

    `runs` holds {"labels": {dataset, backbone, strategy, seed}, "run": path, "test_logits": path} in config order;
    `selection_metric` is "accuracy" or "balanced_accuracy".

    cells_out: dataset, backbone, strategy, seeds (finished), diverged_seeds, accuracy_mean, accuracy_ci_low, accuracy_ci_high,
    recommended (best validation score of its data set; no test score is looked at), validation_score (by the selection metric) and
    validation_nll, means over finished seeds.
    pairwise_out: `PAIR_COLUMNS`. Family "strategies": all strategy pairs of one data set and backbone, a before b in config order.
    Family "recommended": every other cell of the data set (a) against the recommended one (b). Holm's correction stays within one
    (data set, backbone) or one data set. `difference` is a minus b as a fraction. Cells without a finished run are in no pair.
    differences_out: `DIFFERENCE_COLUMNS`, every pair of cells of a data set, p uncorrected: whoever forms a family corrects it.
    classes_out: `CLASS_COLUMNS`.
    """
    if selection_metric not in SELECTION:
        raise InputError(f"selection_metric is {selection_metric!r}: valid are {choices(SELECTION)}.")
    cell_rows, pair_rows, difference_rows, class_rows = [], [], [], []
    for dataset, cells in _read_cells(runs, SELECTION[selection_metric]).items():
        best = recommended_cell(cells)
        finished = [key for key, cell in cells.items() if len(cell["correct"])]
        for key, cell in cells.items():
            interval = cell_interval(cell["summary"]) if key in finished else {}
            cell_rows.append(
                {
                    **dict(zip(CELL, (dataset, *key))),
                    "seeds": len(cell["correct"]),
                    "diverged_seeds": cell["diverged"],
                    "accuracy_mean": interval.get("accuracy"),
                    "accuracy_ci_low": interval.get("ci_low"),
                    "accuracy_ci_high": interval.get("ci_high"),
                    "recommended": key == best,
                    "validation_score": cell["validation"],
                    "validation_nll": cell["nll"],
                }
            )
            if key in finished:
                class_rows += _class_rows((dataset, *key), cell)
        pairs = {(a, b): _difference(dataset, cells, a, b) for a, b in combinations(finished, 2)}
        difference_rows += pairs.values()
        for backbone in dict.fromkeys(backbone for backbone, _ in finished):
            own = [pair for (a, b), pair in pairs.items() if a[0] == b[0] == backbone]
            pair_rows += _family([_tested(cells, "strategies", pair) for pair in own])
        against = [_difference(dataset, cells, key, best) for key in finished if key != best]
        pair_rows += _family([_tested(cells, "recommended", pair) for pair in against])
    for out, rows, columns in (
        (cells_out, cell_rows, None),
        (pairwise_out, pair_rows, PAIR_COLUMNS),
        (differences_out, difference_rows, DIFFERENCE_COLUMNS),
        (classes_out, class_rows, CLASS_COLUMNS),
    ):
        with atomic_write(out) as temporary:
            guarded(pd.DataFrame(rows, columns=columns)).to_csv(temporary, index=False)
