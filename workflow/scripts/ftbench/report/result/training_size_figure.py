"""Accuracy against images per class: where pretrained weights pay, where they stop, and whether more images would help."""

import numpy as np
from matplotlib.lines import Line2D

from ftbench.report.layout.frames import read_table
from ftbench.report.layout.style import legend, line_styles, message, panels, save, style, title
from ftbench.report.result.training_size_table import finding

SPREAD = 0.16  # of a step of the axis, over which the cells of one size stand side by side
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))  # by backbone; a strategy has its colour


def training_size(table_csv, family: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw one data set under all its limits: a line per cell, with the 95 % interval at each size."""
    frame = read_table(table_csv).query("family == @family and accuracy_mean.notna()")
    if frame.empty:
        message(f"No run on {family} finished", "Every seed of every cell diverged at every size.", out)
        return
    sizes = sorted(frame["images_per_class"].unique())
    styles = line_styles(strategies)
    cells = [(b, s) for b in backbones for s in strategies if ((frame.backbone == b) & (frame.strategy == s)).any()]
    with style():
        figure, (panel,) = panels(1, 7.6, 3.6)
        handles = []
        for number, (backbone, strategy) in enumerate(cells):
            own = frame[(frame.backbone == backbone) & (frame.strategy == strategy)].sort_values("images_per_class")
            shift = SPREAD * (number / max(len(cells) - 1, 1) - 0.5)
            place = [sizes.index(size) + shift for size in own["images_per_class"]]
            mean, low, high = (100 * own[f"accuracy_{name}"].to_numpy(float) for name in ("mean", "ci_low", "ci_high"))
            look = {
                "color": styles[strategy].colour,
                "marker": styles[strategy].marker,
                "ls": DASHES[backbones.index(backbone) % len(DASHES)],
            }
            panel.errorbar(
                place, mean, yerr=np.maximum(0, [mean - low, high - mean]), ms=5, capsize=2.5, lw=1.4, **look
            )
            handles.append(Line2D([], [], ms=5, label=f"{strategy} on {backbone}", **look))
        panel.set_xticks(range(len(sizes)), [f"{size:g}" for size in sizes])
        panel.set(xlabel=f"images per class of {family}, training and validation together", ylabel="test accuracy, %")
        detail = "Mean over seeds with the 95 % interval over seeds and test images; the test images are the same at every size. The gain is of "
        detail += "the pretrained cell that is best on validation over the best from random weights."
        title(figure, finding(frame), detail)
        legend(figure, handles, columns=4)
        save(figure, out)
