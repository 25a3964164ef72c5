"""Test accuracy of every cell with its interval: dots and bars, a panel per backbone, a row per strategy."""

import numpy as np
from matplotlib.lines import Line2D

from ftbench.evaluate.runs_csv import read_runs
from ftbench.report.layout.frames import read_table
from ftbench.report.layout.style import GREY, legend, line_styles, message, panels, save, style, title
from ftbench.report.layout.words import top_said


def accuracy(
    comparison_csv, runs_csv, differences_csv, dataset: str, strategies: list[str], backbones: list[str], out
) -> None:
    """Draw one data set's cells; the small dots behind are single seeds, the ring is the recommended cell."""
    frame = read_table(comparison_csv).query("dataset == @dataset")
    runs = read_runs(runs_csv).query("dataset == @dataset")
    if not frame["accuracy_mean"].notna().any():
        message(f"No run on {dataset} finished", "Every seed of every cell diverged, so there is no accuracy.", out)
        return
    styles = line_styles(strategies)
    backbones = [name for name in backbones if name in set(frame["backbone"])]
    rows = [name for name in strategies if name in set(frame["strategy"])]
    low = 100 * np.nanmin(np.concatenate([frame["accuracy_ci_low"], runs["accuracy"].to_numpy(float)]))
    high = 100 * np.nanmax(np.concatenate([frame["accuracy_ci_high"], runs["accuracy"].to_numpy(float)]))
    room = 0.22 * (high - low) + 0.1  # for the numbers at the right
    with style():
        figure, axes = panels(len(backbones), 3.1, 0.24 * len(rows) + 0.75)
        for panel, backbone in zip(axes, backbones):
            for place, strategy in enumerate(rows):
                cell = frame[(frame["backbone"] == backbone) & (frame["strategy"] == strategy)]
                if len(cell):
                    seeds = runs[(runs["backbone"] == backbone) & (runs["strategy"] == strategy)]["accuracy"]
                    _row(panel, place, cell.iloc[0], 100 * seeds.dropna(), styles[strategy], low)
            panel.set(title=backbone, xlim=(low - 0.05 * (high - low), high + room), ylim=(len(rows) - 0.4, -0.6))
            panel.set_xticks([tick for tick in panel.get_xticks() if low - 0.05 * (high - low) <= tick <= 100])
            panel.set_yticks(range(len(rows)), rows)
            panel.tick_params(axis="y", length=0)
            panel.grid(visible=False, axis="y")
            panel.tick_params(labelleft=panel.get_subplotspec().is_first_col())
            panel.set_xlabel("test accuracy, %")
        detail = f"{dataset}, {int(frame['test_images'].max()):,} test images. Dot: mean over seeds. Bar: 95 % interval over seeds "
        detail += "and test images (images alone with one seed). Small dots: single seeds."
        differences = read_table(differences_csv).query("dataset == @dataset")
        title(figure, top_said(frame, differences), detail)
        ring = Line2D(
            [], [], ls="", marker="o", mfc="none", mec="#222222", ms=10, label="recommended: best on validation"
        )
        legend(figure, [ring])
        save(figure, out)


def _row(panel, place, cell, seeds, line, low) -> None:
    if cell["status"] == "diverged":
        panel.text(low, place, "diverged", color=GREY, style="italic", va="center", fontsize=8)
        return
    mean = 100 * cell["accuracy_mean"]
    panel.plot([100 * cell["accuracy_ci_low"], 100 * cell["accuracy_ci_high"]], [place] * 2, color=line.colour, lw=1.8)
    if len(seeds) > 1:
        panel.plot(seeds, np.full(len(seeds), place + 0.26), ".", color=line.colour, ms=3, alpha=0.6)
    panel.plot(mean, place, line.marker, color=line.colour, ms=6)
    if cell["recommended"]:
        panel.plot(mean, place, "o", mfc="none", mec="#222222", ms=11)
    diverged = f" ({cell['diverged_seeds']} div.)" if cell["diverged_seeds"] else ""
    panel.annotate(
        f"{mean:.1f}{diverged}",
        (100 * cell["accuracy_ci_high"], place),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color="#333333",
    )
