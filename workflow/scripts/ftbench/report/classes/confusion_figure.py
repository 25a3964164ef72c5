"""Which classes the recommended cell takes for which: its confusion matrix, every row a true class."""

import numpy as np
from matplotlib.colors import PowerNorm

from ftbench.evaluate.records import content
from ftbench.report.layout.names import shortened
from ftbench.report.layout.recommended_runs import finished_runs_of_recommended
from ftbench.report.layout.style import message, panels, save, style, title

ANNOTATED = 20  # classes up to which each cell shows its number
MOST = 120  # classes that one figure holds; of more, those with the lowest recall are drawn


def confusion(runs: list[dict], cells_csv, dataset: str, out) -> None:
    """Draw the recommended cell's first finished seed; `runs` holds {"labels", "metrics": path}, `cells_csv` is from compare.

    Rows are normalised: each sums to 100 % of the true class's test images.
    """
    own = finished_runs_of_recommended(runs, cells_csv, dataset)
    if not own:
        message(
            f"No run on {dataset} finished", "Every seed of every cell diverged, so there is nothing to confuse.", out
        )
        return
    labels, metrics = own[0]["labels"], content(own[0]["metrics"])
    counts = np.array(metrics["confusion"])
    names = [one["class"] for one in metrics["per_class"]]
    shares = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    finding, left_out = _worst_pair(counts, shares, names), ""
    if len(names) > MOST:
        drawn = np.sort(np.argsort(shares.diagonal(), kind="stable")[:MOST])
        left_out = f" Drawn are the {MOST} of {len(names)} classes with the lowest recall."
        names, counts, shares = (
            [names[one] for one in drawn],
            counts[np.ix_(drawn, drawn)],
            shares[np.ix_(drawn, drawn)],
        )
    names = shortened(names)
    size = len(names)
    with style():
        side = min(11.0, max(3.4, 0.62 * size + 1.2))
        room = 0.065 * max(0, max(map(len, names)) - 12)  # inches that long names take from the panel
        figure, (panel,) = panels(1, side + 1.2 + room, side + room)
        # The square root shows confusions of a few percent beside a diagonal near 100.
        picture = panel.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 100))
        panel.grid(visible=False)
        font = 8 if size <= ANNOTATED else max(4.0, 8 - 0.04 * size)
        panel.set_xticks(range(size), names, rotation=90 if size * max(map(len, names)) > 72 else 0, fontsize=font)
        panel.set_yticks(range(size), names, fontsize=font)
        panel.tick_params(length=0)
        panel.set(xlabel="predicted", ylabel="true")
        for spine in panel.spines.values():
            spine.set_visible(False)
        if size <= ANNOTATED:
            for i, j in zip(*np.nonzero(counts)):
                shown = f"{shares[i, j]:.0f}" if shares[i, j] >= 9.95 else f"{shares[i, j]:.1f}"
                panel.text(
                    j, i, shown, ha="center", va="center", fontsize=7.5, color="white" if shares[i, j] > 45 else "black"
                )
        bar = figure.colorbar(picture, ax=panel, shrink=0.6, ticks=[0, 1, 5, 10, 25, 50, 100])
        bar.set_label("share of the true class, %")
        bar.outline.set_visible(False)
        detail = f"{labels['strategy']} on {labels['backbone']}, seed {labels['seed']}: recommended on {dataset} by its validation score"
        detail += f", {100 * metrics['accuracy']:.1f} % right on the test set."
        title(figure, finding, detail + left_out)
        save(figure, out)


def _worst_pair(counts, shares, names) -> str:
    off = shares.copy()
    np.fill_diagonal(off, -1)
    true, predicted = np.unravel_index(off.argmax(), off.shape)
    if counts[true, predicted] == 0 or true == predicted:
        return "No test image is taken for another class"
    return f"{names[true]} is most often taken for {names[predicted]}: {shares[true, predicted]:.1f} % of its images"
