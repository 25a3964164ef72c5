"""Accuracy of the recommended cell in every slice of the test images: dots and bars, a panel per column."""

import pandas as pd
from matplotlib.lines import Line2D

from ftbench.report.classes.slices_table import gap_said, worse
from ftbench.report.layout.formats import capital
from ftbench.report.layout.frames import read_table
from ftbench.report.layout.names import shortened
from ftbench.report.layout.style import COLOURS, GREY, legend, message, panels, save, style, title

MOST = 20  # slices that a panel holds; of more, those of the lowest accuracy are drawn


def slices(slices_csv, gaps_csv, dataset: str, out) -> None:
    """Draw one data set; the vertical line of a panel is the accuracy on all its images."""
    frame = read_table(slices_csv).query("dataset == @dataset and recommended")
    gaps = read_table(gaps_csv).query("dataset == @dataset and recommended")
    if frame.empty:
        message(
            f"No slices of {dataset}",
            "No run finished, or no column divides the test images; the table says which.",
            out,
        )
        return
    columns = list(dict.fromkeys(frame["column"]))
    told = set(worse(frame).index)
    with style():
        drawn = {column: _drawn(frame[frame["column"] == column]) for column in columns}
        figure, axes = panels(len(columns), 3.6, 0.25 * max(map(len, drawn.values())) + 0.9, columns=2, sharex=True)
        for panel, column in zip(axes, columns):
            _panel(panel, drawn[column], frame[frame["column"] == column], told)
            panel.set(title=column, xlabel="test accuracy, %")
        cell = frame.iloc[0]
        detail = f"{cell['strategy']} on {cell['backbone']}, {dataset}. Dot: mean over seeds. Bar: 95 % interval over seeds and the slice's "
        detail += "images. Line: all images. Number: images of the slice."
        many = [column for column in columns if len(drawn[column]) < (frame["column"] == column).sum()]
        detail += f" Of {', '.join(many)} the {MOST} lowest slices are drawn; the table has all." * bool(many)
        title(figure, _finding(gaps, len(told)), detail)
        handles = [
            Line2D([], [], ls="", marker="o", color=COLOURS[1], label="worse than the rest, corrected over all slices"),
            Line2D([], [], ls="", marker="o", mfc="white", mec=GREY, label="small: fewer than 10 independent images"),
        ]
        legend(figure, handles)
        save(figure, out)


def _drawn(own: pd.DataFrame) -> pd.DataFrame:
    return own if len(own) <= MOST else own[own["accuracy"].rank(method="first") <= MOST]


def _panel(panel, own: pd.DataFrame, whole: pd.DataFrame, told: set) -> None:
    panel.axvline(100 * (whole["accuracy"] * whole["images"]).sum() / whole["images"].sum(), color=GREY, lw=1)
    names = [str(name) for name in own["slice"]]
    for place, (index, row) in enumerate(own.iterrows()):
        colour = COLOURS[1] if index in told else COLOURS[0]
        if pd.notna(row["accuracy_low"]):
            panel.plot([100 * row["accuracy_low"], 100 * row["accuracy_high"]], [place] * 2, color=colour, lw=1.8)
        panel.plot(100 * row["accuracy"], place, "o", color=colour, mfc="white" if row["small"] else colour, ms=6)
        panel.annotate(
            f"{int(row['images']):,}",
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color="#333333",
        )
    panel.set_yticks(range(len(own)), shortened(names))
    panel.set_ylim(len(own) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.tick_params(labelbottom=True)
    panel.grid(visible=False, axis="y")


def _finding(gaps: pd.DataFrame, told: int) -> str:
    """The widest gap that is no chance, else how many slices are worse than the rest."""
    shown = gaps[gaps["gap_low"] > 0]
    if len(shown):
        return capital(gap_said(shown.loc[shown["gap"].idxmax()]))
    if told:
        return f"{told} slice{'s are' if told > 1 else ' is'} worse than the rest of the test images"
    return "No slice is shown to be worse than the rest of the test images"
