"""How firm the order and the choice are: with other images, other seeds, other trials, and with fewer trials."""

from math import comb

import numpy as np
import pandas as pd

from ftbench.base.files import read_json
from ftbench.evaluate.cells import CELL, SELECTION
from ftbench.evaluate.records import content
from ftbench.report.layout.columns import ACCURACY, ACCURACY_COLUMN, CELL_COLUMNS, Column, as_percent
from ftbench.report.layout.formats import MISSING
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish

RESAMPLED = 10_000
DIVERGED = 2  # more than any score: a cell that lost seeds goes behind all others, as in the choice itself


def _ranks(row) -> str:
    if pd.isna(row.rank_low):
        return MISSING
    return f"{row.rank_low:.0f}" if row.rank_low == row.rank_high else f"{row.rank_low:.0f} to {row.rank_high:.0f}"


STABILITY = {
    **CELL_COLUMNS,
    ACCURACY: ACCURACY_COLUMN,
    "Best, %": as_percent("p_best"),
    "Among the best three, %": as_percent("p_top3"),
    "Rank": Column(_ranks, "rank_low"),
    "Chosen again, %": as_percent("p_chosen"),
    "Trials": Column(lambda row: f"{row.trials:.0f}", "trials"),
    "Validation, one trial, %": as_percent("expected_1"),
    "Validation, all trials, %": as_percent("expected_all"),
    "Last trial's gain, points": as_percent("last_gain"),
}
NOTES = [
    "best, among the best three, rank: with other test images and other seeds, drawn from what the intervals are made of; the rank holds in "
    "95 % of draws. These are probabilities of the order, no p values",
    "chosen again: how often validation would choose the cell if its trials, and the seeds of its runs, were drawn again from those that there are",
    "one trial, all trials: the validation score that the best of so many trials has on average, if they are drawn from those that ran, without "
    "repetition (Dodge et al. 2019, corrected as in Tang et al. 2020); a trial that diverged counts as 0. A gain of the last trial that is "
    "not small says that more trials could find more",
]


def expected_best(scores: list[float]) -> list[float]:
    """The mean of the highest of n scores drawn without repetition, for n = 1, 2, ... all of them."""
    ordered, total = sorted(scores), len(scores)
    return [
        sum(score * comb(place, n - 1) for place, score in enumerate(ordered)) / comb(total, n)
        for n in range(1, total + 1)
    ]


def _by_cell(selected: list[dict]) -> dict[tuple, list[dict]]:
    """Cell -> what its selected.json holds; of each seed, where each chooses on a split of its own."""
    found: dict[tuple, list[dict]] = {}
    for entry in selected:
        found.setdefault(tuple(entry["labels"][label] for label in CELL), []).append(read_json(entry["selected"]))
    return found


def _mean_scores(choices: list[dict]) -> list[float]:
    """The score of every value that was tried, its mean over splits."""
    found = [_last_scores(chosen) for chosen in choices]
    return [float(np.mean([scores[value] for scores in found])) for value in found[0]]


def trial_scores(chosen: dict) -> list[float]:
    """The validation score of every value that was tried, of a halving the last rung that it reached; 0 if it diverged."""
    return list(_last_scores(chosen).values())


def _last_scores(chosen: dict) -> dict[float, float]:
    name = SELECTION[chosen["selection_metric"]]
    last: dict[float, float] = {}
    for trial in sorted(chosen["trials"], key=lambda trial: trial.get("rung", 0)):
        last[trial[chosen["parameter"]]] = 0.0 if trial[name] is None else trial[name]
    return last


def chosen_again(cells: list[dict], random: np.random.Generator) -> np.ndarray:
    """(C,) shares of resamplings in which each cell has the best validation score.

    A cell has "seeds", the scores of its finished runs, and "trials", those of what it tried (empty if untuned), and "diverged", how many seeds it lost. Drawn again are the runs,
    whose mean is the score, and the trials: by how much the best of those drawn falls behind the best of all, the score falls.
    """
    scores = np.full((RESAMPLED, len(cells)), -np.inf)
    for number, cell in enumerate(cells):
        if not cell["seeds"]:
            continue
        scores[:, number] = _drawn(cell["seeds"], random).mean(axis=1)
        if cell["trials"]:
            scores[:, number] += _drawn(cell["trials"], random).max(axis=1) - max(cell["trials"])
        scores[:, number] -= DIVERGED * (cell["diverged"] > 0)
    finished = np.isfinite(scores).any(axis=0)
    if not finished.any():
        return np.full(len(cells), np.nan)
    scores += 1e-12 * random.random(scores.shape)  # equal cells share what is theirs
    shares = np.bincount(scores.argmax(axis=1), minlength=len(cells)) / RESAMPLED
    return np.where(finished, shares, np.nan)


def _drawn(values: list[float], random: np.random.Generator) -> np.ndarray:
    return np.array(values)[random.integers(len(values), size=(RESAMPLED, len(values)))]


def stability_table(runs: list[dict], selected: list[dict], cells_csv, metric: str, out) -> None:
    """Write stability.csv, a row per cell: dataset, backbone, strategy, accuracy with its interval, p_best, p_top3, rank_low, rank_high,
    p_chosen, trials (how many values were tried), expected_1, expected_all, last_gain (fractions; empty where nothing was tuned).

    `runs` holds {"labels", "run": what run.json holds}, `selected` {"labels", "selected": path} of every cell, in the same order of cells
    as cells.csv.
    """
    frame = read_table(cells_csv)
    found: dict[tuple, dict] = {
        key: {"seeds": [], "trials": [], "diverged": 0} for key in frame[CELL].itertuples(index=False, name=None)
    }
    for entry in runs:
        cell, run = found[tuple(entry["labels"][label] for label in CELL)], content(entry["run"])
        if run["status"] == "diverged":
            cell["diverged"] += 1
        else:
            cell["seeds"].append(run[SELECTION[metric]])
    for key, choices in _by_cell(selected).items():
        found[key]["trials"] = _mean_scores(choices) if choices[0]["tuned"] else []
    rows = []
    for _, own in frame.groupby("dataset", sort=False):
        keys = list(own[CELL].itertuples(index=False, name=None))
        shares = chosen_again([found[key] for key in keys], np.random.default_rng(0))
        for key, share in zip(keys, shares):
            expected = expected_best(found[key]["trials"])
            rows.append(
                {
                    "p_chosen": share,
                    "trials": len(expected),
                    "expected_1": expected[0] if expected else np.nan,
                    "expected_all": expected[-1] if expected else np.nan,
                    "last_gain": expected[-1] - expected[-2] if len(expected) > 1 else np.nan,
                }
            )
    shown = [*CELL, "accuracy_mean", "accuracy_ci_low", "accuracy_ci_high", "p_best", "p_top3", "rank_low", "rank_high"]
    write_csv(pd.concat([frame[shown].reset_index(drop=True), pd.DataFrame(rows)], axis=1), out)


def stability_pages(stability_csv, out: dict) -> None:
    """Write the table to read, in the formats of `out`."""
    subtitle = "Whether the order and the choice would be the same with other images, seeds and trials."
    publish(read_table(stability_csv), STABILITY, out, "Stability of the order", subtitle, NOTES)
