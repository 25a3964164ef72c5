"""Accuracy against cost: which cell gives most for what training and tuning it took.

Cost is time where all cells ran on one kind of device with one thread count, and floating-point operations where they did not:
seconds of different machines have no order.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.lines import Line2D

from ftbench.plots.style import GREY, MARKERS, legend, looks, message, panels, save, style, title
from ftbench.table_formats import duration, operations
from ftbench.tables import mixed_hardware, read_table

TICKS = {
    1: "1 s",
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3_600: "1 h",
    36_000: "10 h",
    345_600: "4 d",
    3_456_000: "40 d",
}


class Cost(NamedTuple):
    """The cost axis: one value per cell, and how a value is written."""

    values: np.ndarray
    show: Callable[[float], str]
    label: str


def cost_of(frame) -> Cost:
    """What training and tuning one model of each cell costs: seconds, or operations where the hardware is mixed."""
    if mixed_hardware(frame):
        values = (frame["train_flops"] + frame["tuning_flops"]).to_numpy(float)
        return Cost(np.maximum(values, 1.0), operations, "operations of training + tuning one model (log scale)")
    values = (frame["train_seconds"] + frame["tuning_seconds"]).to_numpy(float)
    return Cost(np.maximum(values, 0.1), duration, "training + tuning of one model (log scale)")


def front(cost: np.ndarray, accuracy: np.ndarray) -> list[int]:
    """Positions of the points that no other beats in both: cheapest first, each more accurate than all before it."""
    kept, best = [], -np.inf
    for position in np.lexsort((-accuracy, cost)):
        if accuracy[position] > best:
            kept.append(int(position))
            best = accuracy[position]
    return kept


def pareto(comparison_csv, dataset: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw one data set's finished cells: colour is the strategy, shape the backbone, the line the front."""
    everything = read_table(comparison_csv).query("dataset == @dataset")
    frame = everything[everything["accuracy_mean"].notna()].reset_index(drop=True)
    if frame.empty:
        message(f"No run on {dataset} finished", "Every seed of every cell diverged, so there is no accuracy.", out)
        return
    look = looks(strategies)
    backbones = [name for name in backbones if name in set(frame["backbone"])]
    shapes = {name: MARKERS[number % len(MARKERS)] for number, name in enumerate(backbones)}
    cost = cost_of(frame)
    spent = cost.values
    score = 100 * frame["accuracy_mean"].to_numpy(float)
    low, high = 100 * frame["accuracy_ci_low"].to_numpy(float), 100 * frame["accuracy_ci_high"].to_numpy(float)
    best = front(spent, score)
    with style():
        figure, (panel,) = panels(1, 8.6, 4.6)
        for number, row in enumerate(frame.itertuples()):
            colour = look[row.strategy].colour
            strong = number in best
            panel.plot(
                [spent[number]] * 2, [low[number], high[number]], color=colour, lw=1, alpha=0.9 if strong else 0.35
            )
            panel.plot(spent[number], score[number], shapes[row.backbone], color=colour, ms=7, mec="white", mew=0.6)
        panel.step(spent[best], score[best], where="post", color=GREY, lw=1, zorder=0.5)
        panel.set(xscale="log", ylabel="test accuracy, %", xlabel=cost.label)
        _cost_axis(panel, cost)
        _label_front(panel, frame, spent, score, best)
        title(figure, *_words(frame, everything, cost, score, best, dataset))
        present = [name for name in strategies if name in set(frame["strategy"])]
        handles = [Line2D([], [], ls="", marker="o", color=look[name].colour, label=name) for name in present]
        shown = [Line2D([], [], ls="", marker=shape, color=GREY, label=name) for name, shape in shapes.items()]
        legend(figure, handles, shown if len(shapes) > 1 else [])
        save(figure, out)


def _cost_axis(panel, cost: Cost) -> None:
    lowest, highest = cost.values.min(), cost.values.max()
    left, right = lowest / 1.6, highest * 2.2
    decades = {10.0**power: operations(10.0**power) for power in range(25)}
    candidates = TICKS if cost.show is duration else decades
    ticks = {tick: label for tick, label in candidates.items() if left <= tick <= right}
    if len(ticks) < 2:
        few = np.geomspace(lowest, highest, 3 if highest > 1.5 * lowest else 1)
        ticks = {tick: cost.show(tick) for tick in few}
    panel.set_xlim(left, right)
    panel.set_xticks(list(ticks), list(ticks.values()))
    panel.minorticks_off()


def _label_front(panel, frame, spent, score, best) -> None:
    """Name the points of the front, leaving out a name that would lie on one already written."""
    written: list[tuple[float, float]] = []
    span = np.diff(panel.get_ylim())[0]
    width = np.diff(np.log(panel.get_xlim()))[0]
    for number in reversed(best):
        place = (np.log(spent[number]) / width, score[number] / span)
        if any(abs(place[0] - x) < 0.22 and abs(place[1] - y) < 0.045 for x, y in written):
            continue
        written.append(place)
        row = frame.iloc[number]
        right = place[0] - np.log(panel.get_xlim()[0]) / width > 0.75
        panel.annotate(
            f"{row['strategy']} on {row['backbone']}",
            (spent[number], score[number]),
            xytext=(-7, 5) if right else (7, -11),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=8,
            color="#222222",
        )


def _words(frame, everything, cost: Cost, score, best, dataset) -> tuple[str, str]:
    """The finding: the best, and the cheapest whose mean lies inside the best one's interval, if that saves half."""
    top = best[-1]

    def name(number: int) -> str:
        return f"{frame.loc[number, 'strategy']} on {frame.loc[number, 'backbone']}"

    floor = 100 * frame.loc[top, "accuracy_ci_low"]
    enough = [number for number in best[:-1] if score[number] >= floor and cost.values[number] < cost.values[top] / 2]
    finding = f"{name(top)} is most accurate: {score[top]:.1f} % for {cost.show(cost.values[top])}"
    if enough:
        cheap = enough[0]
        finding += f"; {name(cheap)} is within its interval for {cost.show(cost.values[cheap])}"
    detail = f"{dataset}: {len(best)} of {len(frame)} cells are on the front (grey line). Bars: 95 % intervals."
    left_out = len(everything) - len(frame)
    if left_out:
        detail += f" {left_out} diverged {'cell is' if left_out == 1 else 'cells are'} left out."
    if cost.show is operations:
        detail += (
            " Cost is in operations: the cells ran on different devices or thread counts, whose seconds do not compare."
        )
    return finding, detail
