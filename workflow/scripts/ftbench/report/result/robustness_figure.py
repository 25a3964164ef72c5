"""Accuracy over the severity of corruptions, a panel per family."""

from matplotlib.lines import Line2D

from ftbench.report.layout.frames import read_table
from ftbench.report.layout.style import GREY, MARKERS, legend, line_styles, message, panels, save, style, title


def robustness(corruptions_csv, dataset: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw one data set's finished cells: mean accuracy over a family's kinds; severity 0 is the clean accuracy."""
    frame = read_table(corruptions_csv).query("dataset == @dataset")
    if frame.empty:
        message(f"No run on {dataset} finished", "Every seed of every cell diverged, so there is no accuracy.", out)
        return
    styles = line_styles(strategies)
    backbones = [name for name in backbones if name in set(frame["backbone"])]
    shapes = {name: MARKERS[number % len(MARKERS)] for number, name in enumerate(backbones)}
    families = list(dict.fromkeys(frame["family"]))
    means = frame.groupby(["backbone", "strategy"], sort=False)[["accuracy", "accuracy_clean"]].mean()
    right = means[means["accuracy_clean"] > 0]  # what is never right has nothing to lose
    drops = (right["accuracy_clean"] - right["accuracy"]) / right["accuracy_clean"]
    with style():
        figure, axes = panels(len(families), 3.2, 3.0, columns=4, sharey=True)
        for panel, family in zip(axes, families):
            own = frame[frame["family"] == family]
            for (backbone, strategy), cell in own.groupby(["backbone", "strategy"], sort=False):
                line = cell.groupby("severity")["accuracy"].mean()
                x, y = [0, *line.index], [cell["accuracy_clean"].iloc[0], *line]
                panel.plot(x, [100 * value for value in y], marker=shapes[backbone], ms=4, lw=1.2, color=styles[strategy].colour,
                           ls=styles[strategy].dash)  # fmt: skip
            kinds = own["corruption"].nunique()
            panel.set(
                title=f"{family} ({kinds} kind{'s' * (kinds != 1)})",
                xlabel="severity",
                xticks=[0, *sorted(set(own["severity"]))],
            )
        axes[0].set_ylabel("test accuracy, %")
        images = int(frame["images"].iloc[0])
        title(
            figure,
            _finding(drops, dataset),
            f"{dataset}: {images:,} test images, mean over the kinds of each family; severity 0 is without corruption.",
        )
        present = [name for name in strategies if name in set(frame["strategy"])]
        handles = [Line2D([], [], color=styles[name].colour, ls=styles[name].dash, label=name) for name in present]
        shown = [Line2D([], [], ls="", marker=shape, color=GREY, label=name) for name, shape in shapes.items()]
        legend(figure, handles, shown if len(shapes) > 1 else [])
        save(figure, out)


def _finding(drops, dataset: str) -> str:
    """Who loses the smallest and the largest share of the accuracy; `drops` has it by (backbone, strategy)."""
    if drops.empty:
        return f"No cell is right on any clean image of {dataset}, so none can lose accuracy"
    least, most = drops.idxmin(), drops.idxmax()
    finding = f"{least[1]} on {least[0]} loses least to corruptions, {100 * drops[least]:.0f} % of its accuracy"
    if least != most:
        finding += f"; {most[1]} on {most[0]} most, {100 * drops[most]:.0f} %"
    return finding
