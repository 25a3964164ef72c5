"""Risk-coverage curves: the error that is left when the least sure answers are handed to someone else."""

import numpy as np
from matplotlib.lines import Line2D

from ftbench.report.layout.finished_metrics import metrics_of
from ftbench.report.layout.style import legend, line_styles, message, panels, save, style, title

QUOTED = 80  # percent of coverage that the title speaks of


def risk_coverage(runs: list[dict], dataset: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw one data set: a panel per backbone, error over the share of test images that is answered, mean over seeds."""
    cells = metrics_of(runs, dataset)
    if not cells:
        message(f"No run on {dataset} finished", "Every seed of every cell diverged, so there is no error.", out)
        return
    curves = {key: 100 * np.mean([one["risk_coverage"] for one in cell], axis=0) for key, cell in cells.items()}
    styles = line_styles(strategies)
    backbones = [name for name in backbones if any(name == backbone for backbone, _ in cells)]
    with style():
        figure, axes = panels(len(backbones), 3.1, 2.5, sharey=True)
        for panel, backbone in zip(axes, backbones):
            for strategy in strategies:
                if (backbone, strategy) in curves:
                    risk = curves[backbone, strategy]
                    coverage = 100 * np.arange(1, len(risk) + 1) / len(risk)
                    panel.plot(coverage, risk, color=styles[strategy].colour, ls=styles[strategy].dash, lw=1.5)
            panel.set(title=backbone, xlim=(0, 100), ylim=(0, None), xlabel="answered, the surest first, %")
            if panel.get_subplotspec().is_first_col():
                panel.set_ylabel("error among the answered, %")
        best = min(curves, key=lambda key: np.mean(curves[key]))
        risk = curves[best]
        finding = (
            f"{best[1]} on {best[0]} has the lowest area: answering {QUOTED} % of the images takes its error from "
        )
        finding += f"{risk[-1]:.1f} to {risk[QUOTED - 1]:.1f} %"
        title(figure, finding, f"{dataset}, test images, mean over seeds. Confidence is the largest probability.")
        present = [name for name in strategies if any(name == strategy for _, strategy in cells)]
        legend(
            figure, [Line2D([], [], color=styles[name].colour, ls=styles[name].dash, label=name) for name in present]
        )
        save(figure, out)
