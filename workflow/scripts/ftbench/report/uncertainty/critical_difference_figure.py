"""Mean ranks over data sets with what Nemenyi's test cannot tell apart, or the sentence that says why there is no diagram."""

from ftbench.report.layout.frames import read_table
from ftbench.report.layout.style import line_styles, message, panels, save, style, title
from ftbench.report.uncertainty.ranks_tables import rank_cells


def critical_difference(comparison_csv, strategies: list[str], out, test_sets: dict[str, str] | None = None) -> None:
    """Draw the study's critical-difference diagram (Demšar 2006, figure 1); a cell's colour is its strategy's."""
    comparison = read_table(comparison_csv)
    ranks = rank_cells(comparison, test_sets)
    if ranks.p is None:
        best = ranks.mean.index[0] if len(ranks.mean) else None
        detail = "Intervals and tests within each data set stand in the tables."
        if best is not None and ranks.blocks > 1:
            detail += f" Lowest mean rank over the {ranks.blocks} data sets: {best} ({ranks.mean.iloc[0]:.2f})."
        message(ranks.sentence, detail, out)
        return
    import scikit_posthocs  # after the return above: see ftbench.report.uncertainty.ranks_tables

    styles = line_styles(strategies)
    strategy = dict(zip(comparison["strategy"] + " on " + comparison["backbone"], comparison["strategy"]))
    colours = {name: styles[strategy[name]].colour for name in ranks.mean.index}
    with style():
        figure, (panel,) = panels(1, 9.0, 1.2 + 0.12 * len(ranks.mean))
        panel.grid(visible=False)
        drawn = scikit_posthocs.critical_difference_diagram(
            ranks.mean, ranks.p, ax=panel, color_palette=colours, label_fmt_left="{label} ({rank:.2f})  ",
            label_fmt_right="  ({rank:.2f}) {label}", text_h_margin=0.01,
        )  # fmt: skip
        for (bar,) in drawn["crossbars"]:  # drawn through a set, whose order is another in every process
            bar.set_xdata(sorted(bar.get_xdata()))
        title(figure, f"{ranks.mean.index[0]} ranks best over {ranks.blocks} data sets", ranks.sentence)
        save(figure, out)
