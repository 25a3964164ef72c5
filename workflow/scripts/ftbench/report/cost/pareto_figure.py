"""Accuracy against cost: which cell gives most for what training and tuning it took, for its latency and for its size."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ftbench.base.errors import listed
from ftbench.report.cost.pareto_front import Cost, cost_of, front, latency_of, size_of
from ftbench.report.layout.formats import duration, operations
from ftbench.report.layout.frames import read_table
from ftbench.report.layout.style import GREY, MARKERS, legend, line_styles, message, save, style, title

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


def pareto(comparison_csv, dataset: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw one data set's finished cells: colour is the strategy, shape the backbone, the line the front."""
    everything = read_table(comparison_csv).query("dataset == @dataset")
    frame = everything[everything["accuracy_mean"].notna()].reset_index(drop=True)
    if frame.empty:
        message(f"No run on {dataset} finished", "Every seed of every cell diverged, so there is no accuracy.", out)
        return
    finished, known = frame, np.isfinite(cost_of(frame).values)
    if not known.any():
        message(
            f"No cost is known on {dataset}",
            "All of its predictions come from outside, and nobody states what they cost.",
            out,
        )
        return
    frame = frame[known].reset_index(drop=True)
    cost, score = cost_of(frame), 100 * frame["accuracy_mean"].to_numpy(float)
    styles = line_styles(strategies)
    backbones = [name for name in backbones if name in set(frame["backbone"])]
    shapes = {name: MARKERS[number % len(MARKERS)] for number, name in enumerate(backbones)}
    with style():
        # Latency and size are the backbone's: one backbone alone has one value of each.
        rows = [["cost", "cost"], ["latency", "size"]] if len(backbones) > 1 else [["cost", "cost"]]
        figure = Figure(figsize=(8.6, 3.7 + 2.4 * (len(rows) - 1)), layout="constrained")
        axes = figure.subplot_mosaic(rows, height_ratios=[3.7, 2.4][: len(rows)])
        costs = {"cost": cost, "latency": latency_of(frame), "size": size_of(frame)}
        for name, panel in axes.items():
            _panel(panel, frame, costs[name], styles, shapes)
        unknown = finished[~known]
        title(figure, *_words(frame, everything, unknown, cost, score, front(cost.values, score), dataset))
        present = [name for name in strategies if name in set(frame["strategy"])]
        handles = [Line2D([], [], ls="", marker="o", label=name, **_dot(styles[name])) for name in present]
        shown = [Line2D([], [], ls="", marker=shape, color=GREY, label=name) for name, shape in shapes.items()]
        legend(figure, handles, shown if len(shapes) > 1 else [])
        save(figure, out)


def _panel(panel, frame, cost: Cost, styles: dict, shapes: dict) -> None:
    """One cost axis: dots with their intervals, the front, and its points' names. A cell whose cost is not known has no place on it."""
    known = np.isfinite(cost.values)
    frame, cost = frame[known].reset_index(drop=True), cost._replace(values=cost.values[known])
    if frame.empty:
        panel.set(xlabel=f"{cost.label}: not known of any", xticks=[], yticks=[])
        return
    score, low, high = (100 * frame[f"accuracy_{name}"].to_numpy(float) for name in ("mean", "ci_low", "ci_high"))
    best = front(cost.values, score)
    for number, row in enumerate(frame.itertuples()):
        colour, x = styles[row.strategy].colour, cost.values[number]
        panel.plot([x] * 2, [low[number], high[number]], color=colour, lw=1, alpha=0.9 if number in best else 0.35)
        panel.plot(x, score[number], shapes[row.backbone], ms=7, **_dot(styles[row.strategy]))
    panel.step(cost.values[best], score[best], where="post", color=GREY, lw=1, zorder=0.5)
    panel.set(xscale="log", ylabel="test accuracy, %", xlabel=cost.label)
    _cost_axis(panel, cost)
    _label_front(panel, frame, cost.values, score, best)


def _dot(line) -> dict:
    """Full with a white rim, or hollow where the colour comes a second time."""
    full = {"mfc": line.colour, "mec": "white", "mew": 0.6}
    return full if line.filled else {"mfc": "white", "mec": line.colour, "mew": 1.6}


def _cost_axis(panel, cost: Cost) -> None:
    lowest, highest = cost.values.min(), cost.values.max()
    left, right = lowest / 1.6, highest * 2.2
    decades = {10.0**power: cost.show(10.0**power) for power in range(25)}
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
    bottom, top = panel.get_ylim()
    left, right = np.log(panel.get_xlim())
    cells = panel.get_subplotspec()
    wide, tall = len(cells.colspan) / 2, 1.0 if cells.is_first_row() else 0.7  # of the large panel
    for number in reversed(best):
        place = ((np.log(spent[number]) - left) / (right - left), (score[number] - bottom) / (top - bottom))
        if any(abs(place[0] - x) < 0.22 / wide and abs(place[1] - y) < 0.045 / tall for x, y in written):
            continue
        written.append(place)
        row = frame.iloc[number]
        inward = place[0] > (0.75 if wide == 1 else 0.55)
        panel.annotate(
            f"{row['strategy']} on {row['backbone']}",
            (spent[number], score[number]),
            xytext=(-7, 5) if inward else (7, -11),
            textcoords="offset points",
            ha="right" if inward else "left",
            fontsize=8,
            color="#222222",
        )


def _words(frame, everything, unknown, cost: Cost, score, best, dataset) -> tuple[str, str]:
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
    left_out = len(everything) - len(frame) - len(unknown)
    if left_out:
        detail += f" {left_out} diverged {'cell is' if left_out == 1 else 'cells are'} left out."
    if len(unknown):
        named = listed([f"{row.strategy} on {row.backbone}" for row in unknown.itertuples()], 3)
        detail += f" Left out, since what it cost is not known: {named}."
    if cost.show is operations:
        detail += (
            " Cost is in operations: the cells ran on different devices or thread counts, whose seconds do not compare."
        )
    if len(frame[["latency_device", "latency_threads"]].drop_duplicates()) > 1:
        detail += " Latencies were measured on different machines or thread counts and do not compare."
    return finding, detail
