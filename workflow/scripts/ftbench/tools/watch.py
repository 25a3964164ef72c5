"""A live table of a study's trials and runs in the terminal: `ftbench watch`. It reads files and disturbs nothing."""

import time
from collections import Counter
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ftbench.tools.progress import Run, all_runs, state

LOOKS = {"running": "bold green", "finished": "", "diverged": "red", "stopped": "yellow", "waiting": "dim"}


def line(run: Run, now: dict) -> list[str]:
    """The cells of one run's row."""
    last, progress = now["epochs"][-1] if now["epochs"] else {}, now["progress"]
    where, speed, left = (last.get("epoch", ""), last.get("images_per_second"), None)
    loss, accuracy = last.get("train_loss"), last.get("validation_accuracy")
    if progress:
        where = f"{progress['epoch']}/{progress['epochs']}, {progress['step']}/{progress['steps']}"
        loss, speed, left = progress["loss"], progress["images_per_second"], progress["seconds_left"]
    return [
        *run.cell,
        run.name,
        now["status"],
        str(where),
        f"{float(loss):.3f}" if loss else "",
        f"{100 * float(accuracy):.1f}" if accuracy else "",
        f"{float(speed):,.0f}" if speed else "",
        f"{left / 60:.1f} min" if left is not None and now["status"] == "running" else "",
    ]


def table(name: str, runs: list[Run], height: int | None = None) -> Table:
    """All runs, or, where they do not fit into `height` lines, those that run and those next to them."""
    states = [state(run) for run in runs]
    counts = Counter(now["status"] for now in states)
    title = f"{name}: " + ", ".join(f"{counts[status]} {status}" for status in LOOKS if counts[status])
    shown = Table(
        title=title, title_justify="left", header_style="bold", expand=True, box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    sets = len({run.cell.dataset for run in runs}) > 1
    names = ("Dataset", "Backbone", "Strategy") if sets else ("Backbone", "Strategy")
    for heading in names:
        shown.add_column(heading, overflow="ellipsis")  # these give way in a narrow terminal
    for heading in ("Run", "Status", "Epoch", "Loss", "Val., %", "Images/s", "Left"):
        shown.add_column(heading, no_wrap=True)
    order = range(len(runs))
    if height is not None and len(runs) > height:
        first = ("running", "stopped", "diverged", "finished", "waiting")
        order = sorted(sorted(order, key=lambda number: first.index(states[number]["status"]))[:height])
    for number in order:
        cells = line(runs[number], states[number])
        shown.add_row(*(cells if sets else cells[1:]), style=LOOKS[states[number]["status"]])
    return shown


def watch(study: dict, results: Path, seconds: float, once: bool) -> None:
    """Show the runs of a resolved study below its folder `results`, every few seconds until all have ended.

    With `once`, or if the output is no terminal, print the whole table a single time.
    """
    runs = all_runs(study, results)
    console = Console()
    if once or not console.is_terminal:
        console.print(table(study["study"], runs))
        return
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(table(study["study"], runs, console.height - 6), refresh=True)
            if all(run.record.exists() for run in runs):
                break
            time.sleep(seconds)
    console.print(table(study["study"], runs))
