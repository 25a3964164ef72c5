"""Silent units layer by layer, before and after training: do ReLUs die, and do leaky ones help?"""

from matplotlib.lines import Line2D

from ftbench.report.layout.style import GREY, legend, line_styles, message, panels, save, style, title
from ftbench.report.result.activations_table import read_silent_units

ROWS = {"dead": "dead units, %", "sparsity": "values not positive, %"}


def activations(cells: list[dict], dataset: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw one data set: a column per backbone, dead units above and sparsity below, over the activations in order."""
    frame = read_silent_units(cells)
    frame = frame[frame.dataset == dataset]
    if frame.empty:
        message(f"No backbone on {dataset} names an activation", "Nothing was measured.", out)
        return
    shown = [name for name in backbones if (frame.backbone == name).any()]
    styles = line_styles(strategies)
    with style():
        figure, axes = panels(2 * len(shown), 3.2, 2.1, columns=len(shown))
        for number, (row, label) in enumerate(ROWS.items()):
            for column, backbone in enumerate(shown):
                panel, own = axes[number * len(shown) + column], frame[frame.backbone == backbone]
                layers = list(dict.fromkeys(own["layer"]))
                for (strategy, when), part in own.groupby(["strategy", "when"], sort=False):
                    share = 100 * part.groupby("layer")[row].mean().reindex(layers)
                    after = when == "after"
                    panel.plot(range(1, len(layers) + 1), share, color=styles[strategy].colour, lw=1.5 if after else 1,
                               ls="-" if after else (0, (2, 1.5)), marker=styles[strategy].marker if after else "", ms=3)  # fmt: skip
                panel.set_ylim(0, 105 if row == "sparsity" else max(5, panel.get_ylim()[1]))
                if number == 0:
                    panel.set_title(f"{backbone} ({own['activation'].iloc[0]})")
                else:
                    panel.set_xlabel("activation, from image to head")
                if column == 0:
                    panel.set_ylabel(label)
        title(
            figure,
            _finding(frame, dataset),
            "Dead: never positive on the validation images (at most 512 of them). Mean over seeds.",
        )
        present = [name for name in strategies if (frame.strategy == name).any()]
        lines = [
            Line2D([], [], color=styles[name].colour, marker=styles[name].marker, ms=3, label=name) for name in present
        ]
        times = [
            Line2D([], [], color=GREY, ls=(0, (2, 1.5)), label="before training"),
            Line2D([], [], color=GREY, label="after"),
        ]
        legend(figure, lines, times)
        save(figure, out)


def _finding(frame, dataset: str) -> str:
    after = frame[frame.when == "after"]
    if after.empty:
        return f"No run on {dataset} finished, so nothing is known of the time after training"
    shares = {
        name: 100 * (part["dead"] * part["units"]).sum() / part["units"].sum()
        for name, part in after.groupby("activation", sort=False)
    }
    return f"Units dead after training on {dataset}: " + ", ".join(
        f"{share:.1f} % with {name}" for name, share in shares.items()
    )
