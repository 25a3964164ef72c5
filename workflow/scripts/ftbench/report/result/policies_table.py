"""The table of augmentation policies: the same strategy under several of them, and what each gains over the first."""

import pandas as pd

from ftbench.report.layout.columns import ACCURACY_COLUMN, CELL_COLUMNS, Column, as_text
from ftbench.report.layout.formats import MISSING, p_value, points
from ftbench.report.layout.frames import read_table, write_csv
from ftbench.report.layout.pages import publish

POLICIES = CELL_COLUMNS | {
    "Policy": as_text("policy"),
    "Accuracy, %": ACCURACY_COLUMN,
    "Gain over the first, points": Column(
        lambda row: MISSING if pd.isna(row.gain) else points(row.gain, row.gain_low, row.gain_high), "gain"
    ),
    "p, Holm": Column(lambda row: MISSING if pd.isna(row.p_holm) else p_value(row.p_holm), "p_holm"),
}


def policies_table(comparison_csv, pairwise_csv, variants: dict[str, list], out, pages: dict) -> None:
    """Write policies.csv and its page in the formats of `pages`: a row per policy, its accuracy, and its gain over the first policy.

    `variants` maps each strategy that is one policy of several to [the name in the config, {data set: the policy there}]. Gains are
    fractions with the crossed interval and Holm's p of the comparison; empty for the first policy, and if a cell diverged.
    """
    comparison, pairwise = read_table(comparison_csv), read_table(pairwise_csv)
    rows = []
    for cell in comparison.itertuples(index=False):
        if cell.strategy not in variants:
            continue
        name_in_config, policies = variants[cell.strategy]
        first = next(name for name, (own, _) in variants.items() if own == name_in_config)
        rows.append(
            {
                **{name: getattr(cell, name) for name in ("dataset", "backbone")},
                "strategy": name_in_config,
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
