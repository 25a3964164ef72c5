"""Reliability diagrams: how often a confidence comes true, before and after the temperature of the validation set."""

import numpy as np
from matplotlib.lines import Line2D

from ftbench.report.layout.finished_metrics import metrics_of
from ftbench.report.layout.style import GREY, legend, line_styles, message, panels, save, style, title

FEWEST = 10  # test images a bin needs, over all seeds, to be drawn: the mean of fewer is noise


def pooled(bins: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Mean confidence and accuracy of each bin over runs, weighted by images; bins with fewer than `FEWEST` images are left out."""
    images = np.array([one["images"] for one in bins], dtype=float)
    total = images.sum(axis=0)
    kept = total >= FEWEST
    sums = [
        np.nansum(images * np.array([one[name] for one in bins], dtype=float), axis=0)
        for name in ("confidence", "accuracy")
    ]
    return sums[0][kept] / total[kept], sums[1][kept] / total[kept]  # fmt: skip


def reliability(runs: list[dict], dataset: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw one data set: a column per backbone, above as predicted, below with the logits divided by the temperature."""
    cells = metrics_of(runs, dataset)
    if not cells:
        message(f"No run on {dataset} finished", "Every seed of every cell diverged, so there is no confidence.", out)
        return
    styles = line_styles(strategies)
    backbones = [name for name in backbones if any(name == backbone for backbone, _ in cells)]
    columns = min(len(backbones), 4)
    slots = [
        (backbone, kind)
        for first in range(0, len(backbones), columns)
        for kind in ("reliability", "reliability_scaled")
        for backbone in (*backbones[first : first + columns], *[None] * (first + columns - len(backbones)))
    ]
    with style():
        figure, axes = panels(len(slots), 2.5, 2.45, columns)
        for panel, (backbone, kind) in zip(axes, slots):
            if backbone is None:
                panel.remove()
                continue
            panel.plot([0, 100], [0, 100], color=GREY, lw=0.8, ls=(0, (2, 2)), zorder=0.5)
            for strategy in strategies:
                if (backbone, strategy) in cells:
                    x, y = pooled([metrics[kind] for metrics in cells[backbone, strategy]])
                    one = styles[strategy]
                    panel.plot(100 * x, 100 * y, color=one.colour, ls=one.dash, marker=one.marker, ms=3.5, lw=1.2)
            first = panel.get_subplotspec().is_first_col()
            panel.set(xlim=(0, 101), ylim=(0, 101), aspect="equal", xlabel="confidence, %")
            panel.set_ylabel("share that is right, %" if first else "")
            panel.set_title(
                f"{backbone}, {'as predicted' if kind == 'reliability' else 'at temperature'}", fontsize=8.5
            )
        detail = "Test images in 15 bins of confidence, all seeds; below the diagonal a model is too sure. Lower panels: logits divided by "
        detail += "the temperature that was fitted on validation images. Bins with fewer than 10 images are left out."
        title(figure, finding(cells, dataset), detail)
        present = [name for name in strategies if any(name == strategy for _, strategy in cells)]
        legend(figure, [Line2D([], [], color=styles[name].colour, marker=styles[name].marker, ls=styles[name].dash, ms=4, label=name)
                        for name in present])  # fmt: skip
        save(figure, out)


def finding(cells: dict, dataset: str) -> str:
    """How many cells are too sure, and what the temperature does to their calibration error."""

    def mean(name: str, cell: list[dict]) -> float:
        return float(np.mean([metrics[name] for metrics in cell]))

    sure = sum(mean("temperature", cell) > 1 for cell in cells.values())
    before, after = (100 * np.mean([mean(name, cell) for cell in cells.values()]) for name in ("ece", "ece_scaled"))
    verb = "brings" if after < before else "does not mend"
    words = (
        f"the mean ECE from {before:.1f} to {after:.1f} %"
        if after < before
        else f"it: ECE {before:.1f}, then {after:.1f} %"
    )
    return f"{sure} of {len(cells)} cells on {dataset} {'is' if sure == 1 else 'are'} too sure of their answers; a temperature {verb} {words}"
