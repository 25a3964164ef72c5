"""Recall of every class in every cell: a heat map that shows which classes are hard, and for whom."""

import numpy as np

from ftbench.report.layout.frames import read_table
from ftbench.report.layout.names import shortened
from ftbench.report.layout.style import message, panels, save, style, title

ANNOTATED = 20  # classes up to which each field shows its number
MOST = 120  # classes that one figure holds; of more, the hardest are drawn


def per_class(per_class_csv, dataset: str, out) -> None:
    """Draw one data set's cells (rows, in config order) by classes (columns, in class order); recall in percent."""
    frame = read_table(per_class_csv).query("dataset == @dataset")
    if frame.empty:
        message(f"No run on {dataset} finished", "Every seed of every cell diverged, so no class has a recall.", out)
        return
    classes = list(dict.fromkeys(frame["class"]))
    cells = list(dict.fromkeys(zip(frame["backbone"], frame["strategy"])))
    recall = 100 * frame["recall"].to_numpy(float).reshape(len(cells), len(classes))
    hardest, detail = (
        _hardest(recall, classes, dataset),
        "Recall: share of a class's test images that are found, mean over seeds.",
    )
    if len(classes) > MOST:
        drawn = np.sort(np.argsort(recall.mean(axis=0), kind="stable")[:MOST])
        detail += f" Drawn are the {MOST} hardest of {len(classes)} classes; the table has them all."
        classes, recall = [classes[one] for one in drawn], recall[:, drawn]
    many = len(classes) > ANNOTATED
    names = shortened(classes)
    below = 0.065 * max(0, max(map(len, names)) - 12)  # inches that long names take from the panel
    with style():
        figure, (panel,) = panels(1, (0.11 if many else 0.5) * len(classes) + 3.2, 0.22 * len(cells) + 1.0 + below)
        low = min(50.0, 10 * np.floor(recall.min() / 10))
        picture = panel.imshow(recall, cmap="cividis", vmin=low, vmax=100, aspect="auto")
        _name_fields(panel, names, cells, many)
        if not many:
            _annotate(panel, recall, (low + 100) / 2)
        height = figure.get_figheight()
        bar = figure.colorbar(picture, ax=panel, pad=0.015, shrink=min(1.0, 4 / height), aspect=25, anchor=(0, 1))
        bar.set_label("recall, %")
        bar.outline.set_visible(False)
        title(figure, hardest, detail)
        save(figure, out)


def _name_fields(panel, classes: list[str], cells: list[tuple[str, str]], many: bool) -> None:
    """Classes below, cells at the left, and a white line between backbones."""
    panel.grid(visible=False)
    level = not many and max(map(len, classes)) <= 5
    panel.set_xticks(range(len(classes)), classes, rotation=0 if level else 90, fontsize=5.5 if many else 8.5)
    panel.set_yticks(range(len(cells)), [f"{backbone} · {strategy}" for backbone, strategy in cells], fontsize=8)
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)
    for number in range(1, len(cells)):
        if cells[number][0] != cells[number - 1][0]:
            panel.axhline(number - 0.5, color="white", lw=2.5)


def _annotate(panel, recall: np.ndarray, middle: float) -> None:
    """Every field's number, white on the dark half of the colours."""
    for (row, column), value in np.ndenumerate(recall):
        colour = "white" if value < middle else "black"
        panel.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=colour)


def _hardest(recall: np.ndarray, classes: list[str], dataset: str) -> str:
    means = recall.mean(axis=0)
    worst = int(means.argmin())
    over = f", mean of {len(recall)} cells" if len(recall) > 1 else ""
    return f"{classes[worst]} is the hardest class of {dataset}: {means[worst]:.1f} % recall{over}"
