"""Tuning curves: validation accuracy against the tuned value, what was chosen, and whether the grid ended there."""

from matplotlib.lines import Line2D

from ftbench.base.files import read_json
from ftbench.report.layout.style import GREY, legend, line_styles, message, panels, save, style, title

AXIS_LABELS = {"learning_rate": "learning rate", "l2": "L2 penalty", "k": "neighbours k", "alpha": "mixing weight α"}
LINEAR = ("alpha",)  # may be 0
METRIC_LABELS = {"accuracy": "validation accuracy, %", "balanced_accuracy": "balanced validation\naccuracy, %"}
COLUMNS = 4
FAINT = 0.45  # opacity of the shorter rungs of a successive halving
Choice = tuple[str, str, dict]  # backbone, strategy, and what selected.json holds


def tuning(selected: list[dict], dataset: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw the trials of one data set: a panel per backbone, for learning rates first, then for a probe's penalties and kNN's k.

    `selected` holds {"labels": {dataset, backbone, strategy}, "selected": path}. Filled marker: trial. Ring: chosen. Square ring:
    chosen at the edge of the grid. Cross on the floor: diverged. Of a successive halving the shorter rungs are fainter.
    """
    chosen = _tuned(selected, dataset)
    if not chosen:
        message(f"Nothing was tuned on {dataset}", "All strategies of this study run at a fixed recipe.", out)
        return
    metric = chosen[0][2]["selection_metric"]
    styles = line_styles(strategies)
    limits = _limits(chosen, metric)
    wanted = [(parameter, name) for parameter in AXIS_LABELS for name in backbones
              if any(one[0] == name and one[2]["parameter"] == parameter for one in chosen)]  # fmt: skip
    slots = _slots(wanted)
    with style():
        figure, axes = panels(len(slots), 2.9, 2.5, _widest(wanted))
        for panel, slot in zip(axes, slots):
            if slot is None:
                panel.remove()
                continue
            _panel(panel, *slot, chosen, metric, styles, limits)
        title(figure, *_words(chosen, dataset))
        present = {strategy for _, strategy, _ in chosen}
        legend(figure, _handles([name for name in strategies if name in present], styles), _meanings())
        save(figure, out)


def _tuned(selected: list[dict], dataset: str) -> list[Choice]:
    """What was chosen on one data set, of the strategies that were tuned."""
    found = [
        (entry["labels"]["backbone"], entry["labels"]["strategy"], read_json(entry["selected"]))
        for entry in selected
        if entry["labels"]["dataset"] == dataset
    ]
    return [choice for choice in found if choice[2]["tuned"]]


def _limits(chosen: list[Choice], metric: str) -> tuple[float, float]:
    """The lowest and highest percent drawn. The floor below the lowest trial is where diverged ones lie."""
    values = [
        100 * trial[f"validation_{metric}"] for _, _, content in chosen for trial in _finished(content, metric)
    ] or [0, 100]
    margin = 0.06 * (max(values) - min(values)) + 0.3
    return min(values) - 2.5 * margin, max(values) + 1.5 * margin


def _panel(panel, parameter: str, backbone: str, chosen: list[Choice], metric: str, styles: dict, limits) -> None:
    """The curves of one backbone over one tuned parameter, a line per strategy in the study's order."""
    own = [
        (strategy, content)
        for name, strategy, content in chosen
        if (name, content["parameter"]) == (backbone, parameter)
    ]
    for name in styles:
        for strategy, content in own:
            if strategy == name:
                _curve(panel, content, parameter, metric, styles[name], limits)
    panel.set(
        title=backbone, xscale="linear" if parameter in LINEAR else "log", ylim=limits, xlabel=AXIS_LABELS[parameter]
    )
    _ticks(panel, {trial[parameter] for _, content in own for trial in content["trials"]})
    if panel.get_subplotspec().is_first_col():
        panel.set_ylabel(METRIC_LABELS[metric])
    else:
        panel.tick_params(labelleft=False)


def _words(chosen: list[Choice], dataset: str) -> tuple[str, str]:
    """The finding, whether grids were wide enough, and the note below it."""
    at_edge = sum(bool(content["at_grid_edge"]) for _, _, content in chosen)
    if at_edge:
        lie = "lies at the edge of its grid" if at_edge == 1 else "lie at the edge of their grids"
        finding = f"{at_edge} of {len(chosen)} choices on {dataset} {lie}: widen {'it' if at_edge == 1 else 'them'}"
    else:
        finding = f"All {len(chosen)} choices on {dataset} lie inside their grids"
    counts = {len(_values(content)) for _, _, content in chosen if content["parameter"] == "learning_rate"}
    alike = "the same number of trials" if len(counts) < 2 else f"{min(counts)} to {max(counts)} trials"
    note = f"Every tuned strategy had its own grid with {alike}."
    if any(_rung(trial) for _, _, content in chosen for trial in content["trials"]):
        note += " Fainter: the shorter trials of the successive halving."
    return finding, note


def _values(content: dict) -> set[float]:
    """The values that were tried, each once: a halving tries some for longer."""
    return {trial[content["parameter"]] for trial in content["trials"]}


def _handles(names: list[str], styles: dict) -> list[Line2D]:
    """The legend's lines of the strategies drawn."""
    shown = [(name, styles[name]) for name in names]
    return [
        Line2D([], [], color=line.colour, marker=line.marker, ls=line.dash, ms=5, label=name) for name, line in shown
    ]


def _meanings() -> list[Line2D]:
    """The legend's rings and cross."""
    ring = {"ls": "", "mfc": "none", "mec": "#222222", "ms": 10, "mew": 1.4}
    return [
        Line2D([], [], marker="o", label="chosen", **ring),
        Line2D([], [], marker="s", label="chosen, grid edge", **ring),
        Line2D([], [], marker="x", ls="", color=GREY, mew=2, ms=7, label="diverged"),
    ]


def _widest(wanted: list[tuple[str, str]]) -> int:
    """Panels in a row: as many as the parameter with most backbones has, `COLUMNS` at most."""
    return min(COLUMNS, max(sum(p == q for q, _ in wanted) for p, _ in wanted))


def _slots(wanted: list[tuple[str, str]]) -> list:
    """Panels in reading order, each parameter on a row of its own; None is an empty place."""
    slots: list = []
    widest = _widest(wanted)
    for parameter in AXIS_LABELS:
        slots += [slot for slot in wanted if slot[0] == parameter]
        slots += [None] * (-len(slots) % widest)
    while slots[-1] is None:
        slots.pop()
    return slots


def _ticks(panel, values: set[float]) -> None:
    """Ticks at the tried values themselves where they are few enough to read."""
    panel.minorticks_off()
    panel.xaxis.set_major_formatter("{x:g}")
    if len(values) <= 5:
        panel.set_xticks(sorted(values), [f"{value:g}" for value in sorted(values)])


def _finished(content: dict, metric: str) -> list[dict]:
    return [trial for trial in content["trials"] if trial[f"validation_{metric}"] is not None]


def _curve(panel, content, parameter, metric, line, limits) -> None:
    finished = sorted(_finished(content, metric), key=lambda trial: trial[parameter])
    longest = max((_rung(trial) for trial in finished), default=0)
    for rung in range(longest + 1):
        x, y = _points([trial for trial in finished if _rung(trial) == rung], parameter, metric)
        last = {"lw": 1.2, "ms": 4} if rung == longest else {"lw": 0.8, "ms": 3, "alpha": FAINT}
        panel.plot(x, y, color=line.colour, marker=line.marker, ls=line.dash, **last)
    failed = [trial[parameter] for trial in content["trials"] if trial not in finished]
    floor = limits[0] + 0.04 * (limits[1] - limits[0])
    panel.plot(failed, [floor] * len(failed), "x", color=line.colour, mew=2, ms=7, alpha=0.8)
    chosen = [trial for trial in finished if trial[parameter] == content["chosen"] and _rung(trial) == longest]
    shape = "s" if content["at_grid_edge"] else "o"
    panel.plot(*_points(chosen, parameter, metric), shape, mfc="none", mec=line.colour, ms=10, mew=1.4)


def _rung(trial: dict) -> int:
    """Of a successive halving; 0 where every trial was as long as a run."""
    return trial.get("rung", 0)


def _points(trials: list[dict], parameter: str, metric: str) -> tuple[list[float], list[float]]:
    return [trial[parameter] for trial in trials], [100 * trial[f"validation_{metric}"] for trial in trials]
