"""Over all pairs and all data sets: who wins how often, and mean ranks with their critical difference.

A critical-difference diagram needs independent blocks, and several backbones on one data set are not independent: blocks are
distinct sets of test images (Demšar 2006, "Statistical Comparisons of Classifiers over Multiple Data Sets", section 3.2).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ftbench.base.files import read_json
from ftbench.compare.statistics import win_tie_loss
from ftbench.report.layout.columns import Column
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish

# Data sets from which on ranks say something; Demšar asks for more than 10 data sets and 5 classifiers.
FEWEST_BLOCKS = 10
FEWEST_CELLS = 3  # Friedman's test compares three or more; two are a pair of the differences table


class Ranks(NamedTuple):
    mean: pd.Series  # mean rank of every cell that finished on all data sets, best first
    blocks: int
    friedman_p: float | None  # None where the sentence says why there is no test
    p: pd.DataFrame | None  # Nemenyi's p of every pair of cells
    sentence: str


def rank_cells(comparison: pd.DataFrame, test_sets: dict[str, str] | None = None) -> Ranks:
    """Mean ranks of cells over data sets (1 is best, ties share their mean), Friedman's test and Nemenyi's (1963) after it.

    `comparison` is comparison.csv. Only cells that finished on every data set take part. `test_sets` maps a data set to the digest of
    its test images: entries that share them (ten `train_limit` of one source) are one block, with the mean of their accuracies.
    """
    table = comparison.assign(cell=comparison["strategy"] + " on " + comparison["backbone"])
    table = table.pivot(index="dataset", columns="cell", values="accuracy_mean")
    order = list(dict.fromkeys(comparison["strategy"] + " on " + comparison["backbone"]))
    complete = table[order].dropna(axis="columns")
    entries = len(complete)
    if test_sets:
        complete = complete.groupby(complete.index.map(test_sets)).mean()
    mean = complete.rank(axis="columns", ascending=False).mean().sort_values(kind="stable")
    blocks, cells = complete.shape
    if blocks < FEWEST_BLOCKS or cells < FEWEST_CELLS:
        shared = f" ({entries} entries, of which some share their test images)" if entries > blocks else ""
        have = f"{blocks} data set{'s' * (blocks != 1)}{shared} and {cells} cell{'s' * (cells != 1)} that finished on all of them"
        sentence = (
            f"No critical-difference diagram: it needs at least {FEWEST_BLOCKS} data sets as blocks and {FEWEST_CELLS} cells, and "
            f"this study has {have}; backbones on one data set are not independent blocks."
        )
        return Ranks(mean, blocks, None, None, sentence)
    from scipy import stats  # a second to import, and few studies have so many data sets

    friedman = float(stats.friedmanchisquare(*complete.to_numpy().T).pvalue)
    found = "differ" if friedman < 0.05 else "do not differ beyond chance"
    sentence = f"Mean ranks over {blocks} data sets {found} (Friedman p = {friedman:.2g}); bars join what Nemenyi's test leaves."
    import scikit_posthocs  # brings seaborn, which costs a second, and few studies have so many data sets

    p = scikit_posthocs.posthoc_nemenyi_friedman(complete)
    return Ranks(mean, blocks, friedman, p.loc[mean.index, mean.index], sentence)


def win_tie_loss_table(pairwise_csv, out) -> None:
    """Write win_tie_loss.csv: strategy_a, strategy_b, wins, ties, losses of a against b, backbones × data sets as the rounds.

    From the family "strategies" of pairwise.csv: a round is won or lost where Holm's p is below 0.05, else tied. Every pair
    appears both ways round.
    """
    pairs = read_table(pairwise_csv).query("family == 'strategies'")
    counts = win_tie_loss(zip(pairs["strategy_a"], pairs["strategy_b"], pairs["difference"], pairs["p_holm"]))
    rows = [(*names, *found) for names, found in counts.items()]
    write_csv(pd.DataFrame(rows, columns=["strategy_a", "strategy_b", "wins", "ties", "losses"]), out)


def digests_of(test_json: dict) -> dict[str, str]:
    """The digest of each data set's test images, from {data set: its test.json}."""
    return {name: read_json(path)["sha256"]["images"] for name, path in test_json.items()}


def ranks_table(comparison_csv, out, test_sets: dict[str, str] | None = None) -> str:
    """Write ranks.csv: cell, mean_rank, blocks, friedman_p (empty without a test), best first.

    Returns the sentence that says what the ranks tell, or why there is no test.
    """
    ranks = rank_cells(read_table(comparison_csv), test_sets)
    frame = pd.DataFrame({"cell": ranks.mean.index, "mean_rank": ranks.mean.to_numpy()})
    p = np.nan if ranks.friedman_p is None else ranks.friedman_p
    write_csv(frame.assign(blocks=ranks.blocks, friedman_p=p), out)
    return ranks.sentence


def win_tie_loss_pages(win_tie_loss_csv, strategies: list[str], sentence: str, out: dict) -> None:
    """Write the matrix of wins, ties and losses of every strategy (row) against every other (column), in config order."""
    counts = {
        (row.strategy_a, row.strategy_b): f"{row.wins} / {row.ties} / {row.losses}"
        for row in read_table(win_tie_loss_csv).itertuples()
    }
    present = [name for name in strategies if any(name == a for a, _ in counts)]
    rows = [{"strategy": a, **{b: counts.get((a, b), "–") for b in present}} for a in present]
    frame = pd.DataFrame(rows, columns=["strategy", *present])
    columns = {"Strategy": Column(lambda row: row[0])}
    columns |= {f"against {b}": Column(lambda row, place=place: row[place]) for place, b in enumerate(present, 1)}
    notes = [
        "a round is one backbone on one data set; it is won or lost where p is below 0.05 after Holm's correction, else tied",
        sentence,
    ]
    subtitle = "How often the strategy of the row wins / ties / loses against that of the column."
    publish(frame, columns, out, "Wins, ties and losses", subtitle, notes)
