"""Whether a score of the frozen features would have told which backbone to fine-tune: `transferability.csv`.

Each row is a data set and a pretrained backbone: its scores before any fine-tuning, and what fine-tuning then reached. The
strategy is chosen by validation and its score is the test set's, so the measured order owes nothing to the luckiest cell.
"""

import numpy as np
import pandas as pd

from ftbench.base.files import atomic_write, read_json
from ftbench.evaluate.cells import MEASURED
from ftbench.report.layout.columns import Column
from ftbench.report.layout.formats import duration, number, p_value, percent
from ftbench.report.layout.frames import read_table
from ftbench.report.layout.pages import publish
from ftbench.study import kinds

FEWEST = 4  # backbones: the six orders of three say nothing, and the smallest p of four is 1/12
ORDERS = 50_000  # of backbones that Spearman's p looks at: all of up to eight, a random choice above
SCORES = {"logme": "LogME", "h_score": "H-score", "probe_validation_score": "linear probe"}
PLACE = ["dataset", "backbone"]
COLUMNS = [
    *PLACE,
    *SCORES,
    "scoring_seconds",
    "fine_tuned_strategy",
    "fine_tuned_validation_score",
    "fine_tuned_score",
]
CORRELATIONS = ["dataset", "score", "backbones", "kendall", "kendall_p", "spearman", "spearman_p"]


PAGE = {
    "Dataset": Column(lambda row: row.dataset),
    "Backbone": Column(lambda row: row.backbone),
    "LogME": Column(lambda row: number(row.logme, ".3f"), "logme"),
    "H-score": Column(lambda row: number(row.h_score, ".3f"), "h_score"),
    "Linear probe, validation %": Column(lambda row: percent(row.probe_validation_score), "probe_validation_score"),
    "Scored in": Column(lambda row: duration(row.scoring_seconds), "scoring_seconds"),
    "Fine-tuned by": Column(lambda row: number(row.fine_tuned_strategy, "")),
    "Fine-tuned, validation %": Column(
        lambda row: percent(row.fine_tuned_validation_score), "fine_tuned_validation_score"
    ),
    "Fine-tuned, test %": Column(lambda row: percent(row.fine_tuned_score), "fine_tuned_score"),
}


def transferability_table(
    scored: list[dict], comparison_csv, cells_csv, cells: list[dict], metric: str, out, correlations_out
) -> None:
    """Write transferability.csv (`COLUMNS`) and its rank correlations (`CORRELATIONS`).

    `scored` holds {"labels": {dataset, backbone}, "scores": path of transferability.json}, `cells` the labels of the cells that
    fine-tune pretrained weights. All scores but LogME and the H-score are the study's selection `metric`. fine_tuned_score is the mean
    on the test set of the strategy with the best validation score; empty where all diverged. probe_validation_score is that of the
    study's best linear probe there; empty without one.
    Correlations (Kendall's tau-b, Spearman's rho, both with two-sided p) run over a data set's backbones that have both numbers;
    empty with fewer than `FEWEST`, and where all of either are equal.
    """
    chosen_by = read_table(cells_csv)[[*PLACE, "strategy", "validation_score"]]
    comparison = read_table(comparison_csv).merge(chosen_by, on=[*PLACE, "strategy"], validate="one_to_one")
    tuned = pd.MultiIndex.from_tuples([tuple(cell.values()) for cell in cells] or [("", "", "")])
    keys = pd.MultiIndex.from_frame(comparison[[*PLACE, "strategy"]])
    fine_tuned = comparison[keys.isin(tuned) & comparison["accuracy_mean"].notna()]
    probes = comparison[comparison["kind"].isin(kinds.having("strategies", "linear_head"))]
    rows = []
    for entry in scored:
        place, scores = entry["labels"], read_json(entry["scores"])
        own = fine_tuned[(fine_tuned[PLACE] == pd.Series(place)).all(axis=1)]
        probe = probes[(probes[PLACE] == pd.Series(place)).all(axis=1)]
        best = own.loc[own["validation_score"].idxmax()] if len(own) else None
        rows.append(
            {
                **place,
                "logme": scores["logme"],
                "h_score": scores["h_score"],
                "probe_validation_score": probe["validation_score"].max(),
                "scoring_seconds": scores["seconds"],
                "fine_tuned_strategy": None if best is None else best["strategy"],
                "fine_tuned_validation_score": np.nan if best is None else best["validation_score"],
                "fine_tuned_score": np.nan if best is None else best[MEASURED[metric]],
            }
        )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    found = [
        correlation(own, score) | {"dataset": dataset}
        for dataset, own in frame.groupby("dataset", sort=True)
        for score in SCORES
    ]
    with atomic_write(out) as temporary:
        frame.to_csv(temporary, index=False)
    with atomic_write(correlations_out) as temporary:
        pd.DataFrame(found, columns=CORRELATIONS).to_csv(temporary, index=False)


def correlation(frame: pd.DataFrame, score: str) -> dict:
    """Rank correlation of `score` with fine_tuned_score over the rows that have both."""
    both = frame[[score, "fine_tuned_score"]].dropna()
    result = {"score": score, "backbones": len(both), **dict.fromkeys(CORRELATIONS[3:], np.nan)}
    if len(both) < FEWEST or (both.nunique() == 1).any():
        return result
    from scipy import stats  # a second to import, and needed with several backbones alone

    for name, test in (("kendall", stats.kendalltau), ("spearman", spearman)):
        found = test(both[score], both["fine_tuned_score"])
        result |= {name: float(found.statistic), f"{name}_p": float(found.pvalue)}
    return result


def spearman(one: pd.Series, other: pd.Series):
    """Spearman's ρ and its two-sided p, as `statistic` and `pvalue`, by the orders that equal chances would give.

    scipy's own p is that of a t distribution: 0 where all of four backbones agree, which one in twelve pairs of orders does.
    """
    from scipy import stats

    own, fixed = (stats.zscore(stats.rankdata(values)) for values in (one, other))

    def rho(ranks: np.ndarray, axis: int) -> np.ndarray:
        return (ranks * fixed).mean(axis=axis)

    return stats.permutation_test((own,), rho, permutation_type="pairings", vectorized=True, n_resamples=ORDERS, rng=0)


def sentences(correlations: pd.DataFrame) -> list[str]:
    """What the correlations say, one sentence per data set."""
    said = []
    for dataset, own in correlations.groupby("dataset", sort=True):
        most = int(own["backbones"].max())
        known = own.dropna(subset=["kendall"])
        if known.empty:
            why = f"{most} of at least {FEWEST} backbones" if most < FEWEST else "equal scores"
            said.append(f"{dataset}: no rank correlation, since there are {why}")
            continue
        parts = [
            f"{SCORES[row.score]} τ = {row.kendall:+.2f} (p {p_value(row.kendall_p)}), ρ = {row.spearman:+.2f} "
            f"(p {p_value(row.spearman_p)})"
            for row in known.itertuples()
        ]
        said.append(f"{dataset}: rank correlation with the fine-tuned score over {most} backbones: {'; '.join(parts)}")
    return said


def transferability_pages(table_csv, correlations_csv, metric: str, out: dict) -> None:
    """Write transferability.csv for readers, in the formats of `out`: the table, and below it the rank correlations in words."""
    frame, correlations = read_table(table_csv), read_table(correlations_csv)
    notes = [
        *sentences(correlations),
        "LogME, H-score: from the frozen features of the training images; higher promises more",
        "fine-tuned by the strategy with the best validation score on that backbone, its test score beside it",
        f"validation and test scores: {metric.replace('_', ' ')}, by which this study selects",
    ]
    subtitle = "Scores of the frozen backbone, before any fine-tuning, and what fine-tuning then reached."
    publish(frame, PAGE, out, "Which backbones promised most", subtitle, notes)
