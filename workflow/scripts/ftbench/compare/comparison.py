"""Compare cells on their shared test images: intervals per cell and class, every difference, and tests for two families of pairs.

Reads logits one run at a time and keeps only which answers were right: 64 cells of 5 seeds and 10,000 images are 3 MB.
"""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pandas as pd

from ftbench.base.csv_text import guarded
from ftbench.base.errors import InputError, choices
from ftbench.base.files import atomic_write, read_json
from ftbench.base.logits import load_folds, load_logits
from ftbench.compare.image_groups import read_test_groups
from ftbench.compare.stability import rank_stability
from ftbench.compare.statistics import cell_interval, difference, effect_size, holm, learn, mcnemar, summarize
from ftbench.evaluate.cells import CELL, SELECTION, recommended_cell
from ftbench.evaluate.probabilities import correct
from ftbench.evaluate.records import content

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
    "seeds_a",
    "seeds_b",
    "mcnemar_p_lowest",
    "mcnemar_p_median",
    "mcnemar_p_highest",
]
DIFFERENCE_COLUMNS = [
    *PAIR,
    "difference",
    "ci_low",
    "ci_high",
    "p",
    "effect_size",
    "effect_low",
    "effect_high",
    "detectable",
]
# The same of the metric that chooses, and what a choice asks: see ftbench.compare.statistics.difference.
CHOOSING = {f"chosen_{name}": name for name in ("difference", "ci_low", "ci_high", "p", "p_worse_a", "p_worse_b")}
CHOOSING |= {name: name for name in ("fixed_variance", "variance_per_seed")}
DIFFERENCE_COLUMNS += CHOOSING
CLASS_COLUMNS = [*CELL, "class_number", "recall_ci_low", "recall_ci_high"]


def _read_cells(runs: list[dict], metric: str) -> dict[str, dict[tuple, dict]]:
    """Data set -> (backbone, strategy) -> what was right (S, N) bool, the labels and folds (N,), the validation scores, whether it is stochastic.

    Cells are in the order of `runs`; one without a finished run has an empty "correct".
    """
    datasets: dict[str, dict[tuple, dict]] = {}
    reference: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for entry in runs:
        dataset, backbone, strategy = (entry["labels"][label] for label in CELL)
        cell = datasets.setdefault(dataset, {}).setdefault(
            (backbone, strategy), {"correct": [], "validation": [], "nll": [], "diverged": 0, "folds": None}
        )
        run = content(entry["run"])
        cell["stochastic"] = run["stochastic"]
        cell["pretrained"] = run.get("digests", {}).get("weights") is not None
        cell["of_recipe"] = run.get("of_recipe", True)  # False: made of networks of all seeds, or by others
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
        cell["folds"] = load_folds(entry["test_logits"])
        cell["validation"].append(run[metric])
        cell["nll"].append(run["validation_nll"])
    for dataset, cells in datasets.items():
        for cell in cells.values():
            cell["validation"] = float(np.mean(cell["validation"])) if cell["validation"] else None
            cell["nll"] = float(np.mean(cell["nll"])) if cell["nll"] else None
            cell["correct"] = np.array(cell["correct"])
            cell["labels"], cell["ids"] = reference.get(dataset, (None, None))
    return datasets


class Compared:
    """The finished cells of one data set, summarized, with what their seeds say of each other's variance.

    `groups` (N,) int are those of the test images, or None; `metric` is the selection metric.
    """

    def __init__(self, cells: dict[tuple, dict], groups: np.ndarray | None, metric: str, margin: float):
        self.cells = {key: cell for key, cell in cells.items() if len(cell["correct"])}
        self.groups, self.margin = groups, margin
        self.folds = {key: cell.get("folds") for key, cell in self.cells.items()}
        self.accuracy = self._summaries(None)
        self.spread = learn(self.accuracy)
        self.stability = rank_stability(self.accuracy, self.spread)
        balanced = metric == "balanced_accuracy"
        self.chosen = self._summaries(next(iter(self.cells.values()))["labels"]) if balanced else self.accuracy
        self.chosen_spread = learn(self.chosen) if balanced else self.spread

    def _summaries(self, classes: np.ndarray | None, rows: np.ndarray = slice(None)) -> dict:
        groups = None if self.groups is None else self.groups[rows]
        own = {key: None if folds is None else folds[rows] for key, folds in self.folds.items()}
        return {
            key: summarize(cell["correct"][:, rows], groups, classes, cell["stochastic"], own[key])
            for key, cell in self.cells.items()
        }

    def difference(self, a: tuple, b: tuple) -> dict:
        """`DIFFERENCE_COLUMNS` of two cells, the data set left out."""
        found = difference(self.accuracy[a], self.accuracy[b], (a, b), self.spread, self.margin)
        effect = effect_size(self.accuracy[a].mean, self.accuracy[b].mean, found["ci_low"], found["ci_high"])
        chosen = found
        if self.chosen is not self.accuracy:
            chosen = difference(self.chosen[a], self.chosen[b], (a, b), self.chosen_spread, self.margin)
        return {
            **dict(zip(PAIR[1:], (*a, *b))),
            **found,
            **effect,
            **{to: chosen[name] for to, name in CHOOSING.items()},
        }

    def tested(self, family: str, pair: dict) -> dict:
        """A difference as a row of the family's table, Holm's correction left out."""
        right_a, right_b = (self.cells[pair[f"backbone_{side}"], pair[f"strategy_{side}"]]["correct"] for side in "ab")
        # The one seed of a deterministic cell stands beside each of the other's.
        seeds = None if 1 in (len(right_a), len(right_b)) else min(len(right_a), len(right_b))
        per_seed = mcnemar(right_a[:seeds], right_b[:seeds])
        return {
            **pair,
            "family": family,
            "seeds_a": len(right_a),
            "seeds_b": len(right_b),
            "mcnemar_p_lowest": per_seed.min(),
            "mcnemar_p_median": np.median(per_seed),
            "mcnemar_p_highest": per_seed.max(),
        }

    def class_rows(self) -> dict[tuple, list[dict]]:
        """Per cell the recall interval of every class that has test images: over this class's images alone, in two groups or more.

        Seeds differ more in one class than in all together, so each class learns its own seed variances.
        """
        labels = next(iter(self.cells.values()))["labels"]
        rows: dict[tuple, list[dict]] = {key: [] for key in self.cells}
        for number in np.unique(labels):
            own = labels == number
            several = own.sum() > 1 and (self.groups is None or len(np.unique(self.groups[own])) > 1)
            found = self._summaries(None, own) if several else {}
            spread = learn(found)
            for key in self.cells:
                ends = cell_interval(found[key], key, spread) if several else {"ci_low": None, "ci_high": None}
                rows[key].append(
                    {"class_number": int(number), "recall_ci_low": ends["ci_low"], "recall_ci_high": ends["ci_high"]}
                )
        return rows

    def cell_row(self, key: tuple) -> dict:
        interval = cell_interval(self.accuracy[key], key, self.spread)
        return {
            "accuracy_mean": interval["accuracy"],
            "accuracy_ci_low": interval["ci_low"],
            "accuracy_ci_high": interval["ci_high"],
            "of_recipe": (self.cells[key]["of_recipe"] or self.folds[key] is not None)
            and (not self.accuracy[key].stochastic or self.spread.learnt),
            "test_groups": len(self.accuracy[key].influence),
            "test_folds": 0 if self.folds[key] is None else len(np.unique(self.folds[key])),
            **self.stability[key],
        }


def _family(pairs: list[dict]) -> list[dict]:
    adjusted = holm([pair["p"] for pair in pairs])
    return [{**pair, "p_holm": value} for pair, value in zip(pairs, adjusted)]


def _pairs(compared: Compared, best: tuple | None) -> tuple[list[dict], list[dict]]:
    """The rows of pairwise.csv and of differences.csv of one data set."""
    finished = list(compared.cells)
    pairs = {(a, b): compared.difference(a, b) for a, b in combinations(finished, 2)}
    tested = []
    for backbone in dict.fromkeys(backbone for backbone, _ in finished):
        own = [pair for (a, b), pair in pairs.items() if a[0] == b[0] == backbone]
        tested += _family([compared.tested("strategies", pair) for pair in own])
    against = [pairs.get((key, best)) or compared.difference(key, best) for key in finished if key != best]
    tested += _family([compared.tested("recommended", pair) for pair in against])
    return tested, list(pairs.values())


def compare(
    runs: list[dict],
    selection_metric: str,
    cells_out,
    pairwise_out,
    differences_out,
    classes_out,
    groups: Iterable[tuple] = (),
    margin: float = 0.01,
    seals: Iterable[tuple] = (),
) -> None:
    """Write the intervals of all cells and the tests between them.

    `runs` holds {"labels": {dataset, backbone, strategy, seed}, "run": path, "test_logits": path} in config order;
    `selection_metric` is "accuracy" or "balanced_accuracy". `groups` holds (data set, test_groups.npy, the audit's
    duplicates.csv): images of one group count as one; a data set that is not there has single images. `margin` is the difference
    within which a cell is as good as another, a fraction. `seals` holds (data set, seal.json) of those on which a backbone starts from a
    finished run.

    cells_out: dataset, backbone, strategy, seeds (finished), diverged_seeds, accuracy_mean, accuracy_ci_low, accuracy_ci_high,
    p_best, p_top3, rank_low, rank_high (see ftbench.compare.stability), of_recipe (False: its interval, and its p values if it has any, speak of the models that there are), test_groups, test_folds (0: one test part), recommended (best validation score of its data set; no
    test score is looked at), validation_score (by the selection metric) and validation_nll, means over finished seeds, seen_test_images
    (how many the weights that it starts from were trained on; empty if that cannot be known).
    pairwise_out: `PAIR_COLUMNS`. Family "strategies": all strategy pairs of one data set and backbone, a before b in config order.
    Family "recommended": every other cell of the data set (a) against the recommended one (b). Holm's correction stays within one
    (data set, backbone) or one data set. `difference` is a minus b as a fraction. Cells without a finished run are in no pair.
    differences_out: `DIFFERENCE_COLUMNS`, every pair of cells of a data set, p uncorrected: whoever forms a family corrects it.
    classes_out: `CLASS_COLUMNS`.
    """
    if selection_metric not in SELECTION:
        raise InputError(f"selection_metric is {selection_metric!r}: valid are {choices(SELECTION)}.")
    grouped = {dataset: read_test_groups(*files) for dataset, *files in groups}
    seen = {(dataset, name): row["images"] for dataset, path in seals for name, row in read_json(path).items()}
    cell_rows, pair_rows, difference_rows, class_rows = [], [], [], []
    for dataset, cells in _read_cells(runs, SELECTION[selection_metric]).items():
        best = recommended_cell(cells)
        own_groups = None
        if best is not None and dataset in grouped:
            own_groups = grouped[dataset][next(iter(cells.values()))["ids"]]
        compared = Compared(cells, own_groups, selection_metric, margin) if best is not None else None
        for key, cell in cells.items():
            row = _cell_row(dataset, key, cell, best, compared)
            cell_rows.append(row | {"seen_test_images": seen.get((dataset, key[0]), 0) if cell["pretrained"] else 0})
        if compared is not None:
            tested, every = _pairs(compared, best)
            pair_rows += [{"dataset": dataset, **row} for row in tested]
            difference_rows += [{"dataset": dataset, **row} for row in every]
            for key, rows in compared.class_rows().items():
                class_rows += [{**dict(zip(CELL, (dataset, *key))), **row} for row in rows]
    for out, rows, columns in (
        (cells_out, cell_rows, None),
        (pairwise_out, pair_rows, PAIR_COLUMNS),
        (differences_out, difference_rows, DIFFERENCE_COLUMNS),
        (classes_out, class_rows, CLASS_COLUMNS),
    ):
        with atomic_write(out) as temporary:
            guarded(pd.DataFrame(rows, columns=columns)).to_csv(temporary, index=False)


STABILITY = ("p_best", "p_top3", "rank_low", "rank_high")
NO_SCORES = dict.fromkeys(
    ("accuracy_mean", "accuracy_ci_low", "accuracy_ci_high", "of_recipe", "test_groups", "test_folds", *STABILITY)
)


def _cell_row(dataset: str, key: tuple, cell: dict, best: tuple | None, compared: Compared | None) -> dict:
    scores = compared.cell_row(key) if len(cell["correct"]) else NO_SCORES
    return {
        **dict(zip(CELL, (dataset, *key))),
        "seeds": len(cell["correct"]),
        "diverged_seeds": cell["diverged"],
        **scores,
        "recommended": key == best,
        "validation_score": cell["validation"],
        "validation_nll": cell["nll"],
    }
