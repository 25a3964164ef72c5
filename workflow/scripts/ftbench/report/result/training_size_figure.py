"""Accuracy against images per class: where pretrained weights pay, where they stop, and whether more images would help."""

import numpy as np
from matplotlib.lines import Line2D

from ftbench.report.layout.frames import read_table
from ftbench.report.layout.style import legend, line_styles, message, panels, save, style, title
from ftbench.report.result.training_size_table import best_by_validation, finding

SPREAD = 0.16  # of a step of the axis, over which the cells of one size stand side by side
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))  # by backbone; a strategy has its colour


def draw_families(table_csv, more_csv, members: list[dict], axes: dict, plots) -> None:
    """Draw every family of `members`, in their order, to the paths `plots`, a list or a single one."""
    paths = [plots] if isinstance(plots, str) else plots
    for family, path in zip(dict.fromkeys(member["family"] for member in members), paths, strict=True):
        training_size(table_csv, more_csv, family, **axes, out=path)


def training_size(table_csv, more_csv, family: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw one data set under all its limits: a line per cell, with the 95 % interval at each size.

    The cell that validation chooses at the largest size goes on to what its learning curve expects of more images, hollow.
    """
    frame = read_table(table_csv).query("family == @family and accuracy_mean.notna()")
    if frame.empty:
        message(f"No run on {family} finished", "Every seed of every cell diverged at every size.", out)
        return
    best = best_by_validation(frame[frame["images_per_class"] == frame["images_per_class"].max()])
    more = read_table(more_csv).query("family == @family and backbone == @best.backbone and strategy == @best.strategy")
    sizes = [*sorted(frame["images_per_class"].unique()), *more["more_images"]]
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
            if (backbone, strategy) == (best.backbone, best.strategy) and len(more):
                place = [place[-1], *(sizes.index(size) + shift for size in more["more_images"])]
                mean, low, high = (100 * np.array([own["accuracy_mean"].iloc[-1], *more[name]])
                                   for name in ("accuracy", "accuracy_low", "accuracy_high"))  # fmt: skip
                panel.errorbar(
                    place,
                    mean,
                    yerr=[mean - low, high - mean],
                    ms=5,
                    capsize=2.5,
                    lw=1,
                    mfc="white",
                    alpha=0.7,
                    **look | {"ls": ":"},
                )
        panel.set_xticks(range(len(sizes)), [f"{size:g}" for size in sizes])
        panel.set(xlabel=f"images per class of {family}, training and validation together", ylabel="test accuracy, %")
        detail = "Mean over seeds with the 95 % interval over seeds and test images; the test images are the same at every size. The gain is of "
        detail += "the pretrained cell that is best on validation over the best from random weights."
        detail += f" Hollow: what its learning curve expects of {best.strategy} on {best.backbone}." * bool(len(more))
        title(figure, finding(frame), detail)
        legend(figure, handles, columns=4)
        save(figure, out)
