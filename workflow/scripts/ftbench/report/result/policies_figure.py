"""Accuracy under every augmentation policy of a strategy: does augmentation help here, and which?"""

import numpy as np

from ftbench.report.layout.frames import read_table
from ftbench.report.layout.style import GREY, line_styles, message, panels, save, style, title
from ftbench.report.layout.words import gains_said


def policies(policies_csv, dataset: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw one data set: a panel per backbone and strategy, a point with its interval per policy, the first as a line."""
    frame = read_table(policies_csv).query("dataset == @dataset and accuracy_mean.notna()")
    if frame.empty:
        message(f"No run on {dataset} finished", "Every seed of every policy diverged.", out)
        return
    order = list(dict.fromkeys(frame["policy"]))
    shown = [(b, s) for b in backbones for s in strategies if ((frame.backbone == b) & (frame.strategy == s)).any()]
    styles = line_styles(strategies)
    with style():
        figure, axes = panels(len(shown), 3.2, 0.3 * len(order) + 1.1, columns=3, sharey=True)
        for panel, (backbone, strategy) in zip(axes, shown):
            own = frame[(frame.backbone == backbone) & (frame.strategy == strategy)]
            place = [order.index(policy) for policy in own["policy"]]
            mean, low, high = (100 * own[f"accuracy_{name}"].to_numpy(float) for name in ("mean", "ci_low", "ci_high"))
            panel.axvline(mean[0], color=GREY, lw=0.8, ls=(0, (3, 2)))
            panel.errorbar(mean, place, xerr=np.maximum(0, [mean - low, high - mean]), fmt=styles[strategy].marker,
                           color=styles[strategy].colour, ms=5, capsize=2.5, lw=1.3)  # fmt: skip
            panel.set(title=f"{backbone} · {strategy}", xlabel="test accuracy, %", ylim=(len(order) - 0.5, -0.5))
            panel.set_yticks(range(len(order)), order)
        title(
            figure,
            _finding(frame, dataset),
            "Mean over seeds with the crossed 95 % interval; dashed: the first policy. Each policy was tuned for itself.",
        )
        save(figure, out)


def _finding(frame, dataset: str) -> str:
    best = frame.loc[frame["accuracy_mean"].idxmax()]
    lead = f"{best.policy} has the highest mean on {dataset}: {100 * best.accuracy_mean:.1f} % ({best.strategy} on {best.backbone})"
    return lead + gains_said(frame)
