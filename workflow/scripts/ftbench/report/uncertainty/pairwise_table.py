"""The table of pairs: every difference that was tested, with its interval and its p values."""

from ftbench.report.layout.columns import Column, as_text
from ftbench.report.layout.formats import (
    detectable,
    p_value,
    points,
)
from ftbench.report.layout.frames import read_table
from ftbench.report.layout.pages import publish
from ftbench.report.layout.words import INTERVALS_NOTE, ONE_SEED_NOTE

PAIRWISE = {
    "Dataset": as_text("dataset"),
    "Compared": Column(lambda row: {"strategies": "strategies", "recommended": "with recommended"}[row.family]),
    "A": Column(lambda row: f"{row.strategy_a} on {row.backbone_a}"),
    "B": Column(lambda row: f"{row.strategy_b} on {row.backbone_b}"),
    "Seeds": Column(lambda row: f"{row.seeds_a} / {row.seeds_b}"),
    "A − B, points [95 % interval]": Column(lambda row: points(row.difference, row.ci_low, row.ci_high), "difference"),
    "Effect size h [95 % interval]": Column(
        lambda row: f"{row.effect_size:+.2f} [{row.effect_low:+.2f}, {row.effect_high:+.2f}]", "effect_size"
    ),
    "p": Column(lambda row: p_value(row.p), "p"),
    "p, Holm": Column(lambda row: p_value(row.p_holm), "p_holm"),
    "Detectable, points": Column(lambda row: detectable(row.detectable, 2), "detectable"),
    "McNemar p per seed": Column(
        lambda row: f"{p_value(row.mcnemar_p_lowest)} – {p_value(row.mcnemar_p_highest)}", "mcnemar_p_median"
    ),
}


def pairwise_pages(pairwise_csv, out: dict) -> None:
    """Write the tests between cells: significant rows (Holm p below 0.05) in bold."""
    frame = read_table(pairwise_csv)
    bold = [int(number) for number in frame.index[frame["p_holm"] < 0.05]]
    notes = [
        "bold: p below 0.05 after Holm's correction within its family (strategies of one backbone, or cells against the "
        "recommended one)",
        "h: Cohen's effect size of two proportions; 0.2 is small, 0.5 medium, 0.8 large",
        "detectable: the true difference that 80 % of studies of this size would find, at this pair's standard error; none where it is more "
        "than 100 points",
        *([ONE_SEED_NOTE] if frame["p"].isna().any() else []),
        INTERVALS_NOTE,
        "McNemar: lowest and highest of the per-seed tests, descriptive only: it takes no account of seed variance",
    ]
    subtitle = "Crossed random effects of seeds and test images; seed variances are learnt from all cells together."
    publish(frame, PAIRWISE, out, "Differences of accuracy", subtitle, notes, bold)
