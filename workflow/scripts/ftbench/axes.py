"""Answers along one axis of a study: the same strategy under several augmentation policies, the same network with several
activations. Tables for both, from the tables of the comparison and the counts of silent units.
"""

import pandas as pd

from ftbench.collect import CELL
from ftbench.errors import InputError
from ftbench.table_columns import Column
from ftbench.table_formats import MISSING, interval, p_value, percent, points
from ftbench.table_pages import publish
from ftbench.tables import read_table, write_csv

ACCURACY = Column(lambda row: interval(row.accuracy_mean, row.accuracy_ci_low, row.accuracy_ci_high), "accuracy_mean")
CELL_COLUMNS = {
    "Dataset": Column(lambda row: row.dataset),
    "Backbone": Column(lambda row: row.backbone),
    "Strategy": Column(lambda row: row.strategy),
}
POLICIES = CELL_COLUMNS | {
    "Policy": Column(lambda row: row.policy),
    "Accuracy, %": ACCURACY,
    "Gain over the first, points": Column(
        lambda row: MISSING if pd.isna(row.gain) else points(row.gain, row.gain_low, row.gain_high), "gain"
    ),
    "p, Holm": Column(lambda row: MISSING if pd.isna(row.p_holm) else p_value(row.p_holm), "p_holm"),
}
ACTIVATIONS = CELL_COLUMNS | {
    "Activation": Column(lambda row: row.activation),
    "Dead units before, %": Column(lambda row: percent(row.dead_before, 2), "dead_before"),
    "Dead units after, %": Column(lambda row: percent(row.dead_after, 2), "dead_after"),
    "Not positive before, %": Column(lambda row: percent(row.sparsity_before, 2), "sparsity_before"),
    "Not positive after, %": Column(lambda row: percent(row.sparsity_after, 2), "sparsity_after"),
    "Accuracy, %": ACCURACY,
}


def policy_table(comparison_csv, pairwise_csv, families: dict[str, list], out, pages: dict) -> None:
    """Write a row per policy of every family, as CSV and in the formats of `pages`: accuracy with interval, and the gain over the family's first policy.

    `families` maps each strategy that is one policy of several to [the name in the config, {data set: the policy there}]. Gains are fractions
    with the crossed interval and Holm's p of the comparison; empty for the first policy and where a cell diverged.
    """
    comparison, pairwise = read_table(comparison_csv), read_table(pairwise_csv)
    rows = []
    for cell in comparison.itertuples(index=False):
        if cell.strategy not in families:
            continue
        family, policies = families[cell.strategy]
        first = next(name for name, (own, _) in families.items() if own == family)
        rows.append(
            {
                **{name: getattr(cell, name) for name in ("dataset", "backbone")},
                "strategy": family,
                "policy": policies[cell.dataset],
                "seeds": cell.seeds,
                **{name: getattr(cell, name) for name in ("accuracy_mean", "accuracy_ci_low", "accuracy_ci_high")},
                **_gain(pairwise, cell, first),
            }
        )
    frame = pd.DataFrame(rows).sort_values(["dataset", "backbone", "strategy"], kind="stable", key=_in_order)
    write_csv(frame, out)
    note = "gains are differences of test accuracy with crossed intervals; p is corrected over all pairs of strategies on that backbone"
    subtitle = "The same strategy under several policies, each tuned for itself."
    publish(frame, POLICIES, pages, "Augmentation policies", subtitle, [note])


def _in_order(column: pd.Series) -> pd.Series:
    """Sort keys that keep the order in which the values first appear."""
    return column.map({name: number for number, name in enumerate(dict.fromkeys(column))})


def _gain(pairwise: pd.DataFrame, cell, first: str) -> dict:
    gain = dict.fromkeys(("gain", "gain_low", "gain_high", "p_holm"))
    here = pairwise[(pairwise.dataset == cell.dataset) & (pairwise.backbone_a == cell.backbone) & (pairwise.backbone_b == cell.backbone)]  # fmt: skip
    for a, b, sign in ((cell.strategy, first, 1), (first, cell.strategy, -1)):
        found = here[(here.strategy_a == a) & (here.strategy_b == b) & (here.family == "strategies")]
        if cell.strategy != first and len(found):
            row = found.iloc[0]
            low, high = sorted((sign * row.ci_low, sign * row.ci_high))
            gain = {"gain": sign * row.difference, "gain_low": low, "gain_high": high, "p_holm": row.p_holm}
    return gain


def read_activity(cells: list[dict]) -> pd.DataFrame:
    """All counts in one frame; `cells` holds {"labels": {dataset, backbone, strategy}, "activity": path, "activation": name}."""
    frames = [
        pd.read_csv(cell["activity"], dtype={"layer": "str"}).assign(**cell["labels"], activation=cell["activation"])
        for cell in cells
    ]
    if not frames:
        raise InputError("No backbone of the study names an activation, so there is nothing to compare.")
    return pd.concat(frames, ignore_index=True)


def activation_table(cells: list[dict], comparison_csv, out, pages: dict) -> None:
    """Write a row per cell, as CSV and in the formats of `pages`: the share of dead units and of values that are not positive, with the accuracy.

    Shares are means over layers, weighted by their units, and over seeds.
    """
    frame = read_activity(cells)
    weighted = frame.assign(**{name: frame[name] * frame["units"] for name in ("dead", "sparsity")})
    grouped = weighted.groupby([*CELL, "activation", "when"], sort=False)[["dead", "sparsity", "units"]].sum()
    shares = grouped[["dead", "sparsity"]].div(grouped["units"], axis=0).unstack("when")
    shares.columns = [f"{name}_{when}" for name, when in shares.columns]
    accuracy = read_table(comparison_csv)[[*CELL, "accuracy_mean", "accuracy_ci_low", "accuracy_ci_high"]]
    table = shares.reset_index().merge(accuracy, on=CELL, how="left")
    for name in ("dead_after", "sparsity_after"):  # every seed diverged
        if name not in table:
            table[name] = float("nan")
    write_csv(table, out)
    notes = [
        "dead: a channel whose input to the activation is never positive, on any position of 512 validation images",
        "behind a ReLU such a unit passes no value and no gradient; behind the others it works on its small slope",
    ]
    subtitle = "Silent units before and after training, mean over layers and seeds."
    publish(table, ACTIVATIONS, pages, "Activations", subtitle, notes)
