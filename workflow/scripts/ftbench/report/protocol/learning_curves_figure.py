"""Learning curves: training loss and validation accuracy per epoch, a column of panels per backbone."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from ftbench.evaluate.records import content
from ftbench.report.layout.style import legend, line_styles, message, panels, save, style, title

COLUMNS = 4


def learning_curves(runs: list[dict], dataset: str, strategies: list[str], backbones: list[str], out) -> None:
    """Draw the histories of one data set's runs; a thick line is the mean over seeds, thin ones are the seeds.

    `runs` holds {"labels", "run": path, "history": path}. A probe has no epochs: its validation accuracy is a level line. A
    diverged run ends in a cross.
    """
    histories: dict[tuple[str, str], list] = {}
    levels: dict[tuple[str, str], float] = {}
    best_epochs: dict[tuple[str, str], list[tuple[float, int, int]]] = {}  # of each finished seed
    for entry in runs:
        if entry["labels"]["dataset"] != dataset:
            continue
        key = (entry["labels"]["backbone"], entry["labels"]["strategy"])
        history, run = pd.read_csv(entry["history"]), content(entry["run"])
        if "epoch" in history.columns:
            histories.setdefault(key, []).append((history, run["status"] == "diverged"))
        elif run["validation_accuracy"] is not None:
            levels[key] = run["validation_accuracy"]
        if run["best_epoch"] is not None:
            best_epochs.setdefault(key, []).append((run["validation_accuracy"], run["best_epoch"], run["epochs"]))
    backbones = [name for name in backbones if any(key[0] == name for key in (*histories, *levels))]
    if not histories:
        message(f"No run on {dataset} has epochs", "Only strategies without a training loop are in this study.", out)
        return
    styles = line_styles(strategies)
    with style():
        figure, axes = _draw(histories, levels, backbones, strategies, styles)
        title(
            figure,
            finding(best_epochs, dataset),
            "Thick: mean over seeds. Thin: single seeds. Level line: without epochs, such as a probe. ×: diverged.",
        )
        handles = [
            Line2D([], [], color=styles[name].colour, ls=styles[name].dash, lw=1.8, label=name)
            for name in strategies
            if any(key[1] == name for key in (*histories, *levels))
        ]
        legend(figure, handles)
        save(figure, out)


def finding(best_epochs: dict[tuple[str, str], list[tuple[float, int, int]]], dataset: str) -> str:
    """The cell that reaches most in the best epochs of its seeds, and which epochs those are."""
    if not best_epochs:
        return f"Every trained run on {dataset} diverged"
    reached = {key: np.mean([accuracy for accuracy, *_ in seeds]) for key, seeds in best_epochs.items()}
    backbone, strategy = best = max(reached, key=reached.get)
    _, found, epochs = zip(*best_epochs[best])
    which = f"{min(found)}" if min(found) == max(found) else f"{min(found)} to {max(found)}"
    seeds = "its best epoch" if len(found) == 1 else f"the best epochs of {len(found)} seeds"
    return f"{strategy} on {backbone} reaches {100 * reached[best]:.1f} % validation accuracy in {seeds}, {which} of {max(epochs)} ({dataset})"


def _draw(histories, levels, backbones, strategies, styles):
    columns = min(COLUMNS, len(backbones))
    blocks = -(-len(backbones) // columns)
    # Two rows of panels per block of backbones: loss above accuracy.
    figure, axes = panels(2 * blocks * columns, 2.9, 2.0, columns)
    grid = axes.reshape(2 * blocks, columns)
    finished = [
        history["train_loss"].to_numpy() for group in histories.values() for history, diverged in group if not diverged
    ] or [np.array([1.0])]
    top_loss = 1.08 * max(np.nanmax(losses) for losses in finished)
    accuracies = [
        100 * history["validation_accuracy"].to_numpy(float) for group in histories.values() for history, _ in group
    ]
    accuracies += [np.array([100 * level]) for level in levels.values()]
    if not any(len(values) for values in accuracies):  # all diverged in their first epoch
        accuracies = [np.array([0.0, 100.0])]
    low, high = (edge(np.concatenate(accuracies)) for edge in (np.nanmin, np.nanmax))
    margin = 0.05 * (high - low) + 0.2
    epochs = [int(history["epoch"].max()) for group in histories.values() for history, _ in group if len(history)]
    longest = max(epochs, default=1)
    for number in range(blocks * columns):
        loss, accuracy = (
            grid[2 * (number // columns), number % columns],
            grid[2 * (number // columns) + 1, number % columns],
        )
        if number >= len(backbones):
            loss.remove()
            accuracy.remove()
            continue
        backbone = backbones[number]
        for strategy in strategies:
            _strategy(loss, accuracy, histories.get((backbone, strategy), []), styles[strategy], top_loss)
            if (backbone, strategy) in levels:
                accuracy.axhline(
                    100 * levels[backbone, strategy], color=styles[strategy].colour, ls=styles[strategy].dash, lw=1.4
                )
        loss.set(title=backbone, ylim=(0, top_loss), xlim=(0.8 if longest > 1 else 0.5, longest + 0.2))
        accuracy.set(ylim=(low - margin, high + margin), xlabel="epoch", xlim=loss.get_xlim())
        loss.tick_params(labelbottom=False)
        for panel in (loss, accuracy):
            panel.xaxis.get_major_locator().set_params(integer=True)
        if number % columns == 0:
            loss.set_ylabel("training loss")
            accuracy.set_ylabel("validation\naccuracy, %")
        else:
            loss.tick_params(labelleft=False)
            accuracy.tick_params(labelleft=False)
    return figure, grid


def _strategy(loss, accuracy, group, line, top_loss) -> None:
    thin = {"color": line.colour, "lw": 0.6, "alpha": 0.45, "ls": line.dash}
    thick = {"color": line.colour, "lw": 1.8, "ls": line.dash}
    for history, diverged in group:
        loss.plot(history["epoch"], history["train_loss"], **thin)
        accuracy.plot(history["epoch"], 100 * history["validation_accuracy"], **thin)
        if diverged:
            first_epoch = {"epoch": 1, "train_loss": np.nan, "validation_accuracy": np.nan}
            last = history.iloc[-1] if len(history) else first_epoch  # no epoch to draw: a cross at the first
            height = np.nan_to_num(last["train_loss"], nan=top_loss, posinf=top_loss)
            loss.plot(last["epoch"], min(height, 0.97 * top_loss), "x", color=line.colour, ms=7, mew=2)
            accuracy.plot(last["epoch"], 100 * last["validation_accuracy"], "x", color=line.colour, ms=7, mew=2)
    finished = [history for history, diverged in group if not diverged]
    if finished:
        mean = pd.concat(finished).groupby("epoch")[["train_loss", "validation_accuracy"]].mean()
        loss.plot(mean.index, mean["train_loss"], **thick)
        accuracy.plot(mean.index, 100 * mean["validation_accuracy"], **thick)
