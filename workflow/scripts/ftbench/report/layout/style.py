"""How every figure looks: palette, sizes, titles, and an SVG whose bytes depend on its content only."""

import io
import re
import textwrap
import warnings
from pathlib import Path
from typing import NamedTuple

import matplotlib
import matplotlib.transforms
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ftbench.base.files import write_text
from ftbench.report.layout.names import undrawable

# Okabe and Ito (2008), "Color Universal Design", the yellow darkened so that a thin line shows on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C7A00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "*", "p")
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
GREY = "#6E6E6E"
TALLEST = 7.6  # inches: the report puts a figure into the middle of the window and cuts the top off one that is taller
NARROWEST = 7.0  # inches: a title needs room even above a single small panel
RC = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs on every machine
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8A8A8A",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#EBEBEB",
    "grid.linewidth": 0.7,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
    "svg.fonttype": "path",
    "text.parse_math": False,  # a class may be called $1
    "svg.hashsalt": "finetune-bench",  # element ids are hashed with it: equal figures, equal bytes
    "image.interpolation": "nearest",
}


class LineStyle(NamedTuple):
    """How a strategy is drawn."""

    colour: str
    marker: str
    dash: object
    filled: bool  # of a marker whose shape says something else


def line_styles(strategies: list[str]) -> dict[str, LineStyle]:
    """One style per strategy, by its position in the study's list, so that it is the same in every figure.

    Past eight strategies the colours come again with another marker, another dash, and hollow.
    """
    return {
        name: LineStyle(
            COLOURS[position % len(COLOURS)],
            MARKERS[position % len(MARKERS)],
            DASHES[position // len(COLOURS) % len(DASHES)],
            position // len(COLOURS) % 2 == 0,
        )
        for position, name in enumerate(strategies)
    }


def style():
    """Context in which a figure is made and saved."""
    return matplotlib.rc_context(RC)


def panels(count: int, width: float, height: float, columns: int = 4, **kwargs) -> tuple[Figure, np.ndarray]:
    """A figure with `count` axes (1-D array) of `width` x `height` inches in up to `columns` columns, unused ones removed."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(columns * width, NARROWEST), rows * height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **kwargs).ravel()
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def title(figure: Figure, finding: str, detail: str = "") -> None:
    """The finding in bold, what is drawn in grey below it, wrapped to the figure's width, in a band added on top."""
    width, points = figure.get_figwidth(), 8.0
    # Characters per inch: about 10 of the bold 12 pt font, 14 of the 9 pt one, on average text; a little less, for wide names.
    for text, wrap, size, font in (
        (finding, 9.5, 12, {"weight": "bold", "color": "#111111"}),
        (detail, 14, 9, {"color": GREY}),
    ):
        lines = textwrap.wrap(text, int(width * wrap))
        for line in lines:
            points += 1.3 * size
            figure.text(0.01, 1, line, size=size, **font, in_layout=False).set_transform(
                matplotlib.transforms.offset_copy(figure.transFigure, figure, 0, -points, units="points")
            )
        points += 3
    band = (points + 6) / 72
    height = figure.get_figheight() + band
    figure.set_figheight(height)
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - band / height))


def legend(figure: Figure, *groups: list, columns: int = 8) -> None:
    """One legend for all panels, in a band added below them; reads row by row, each group begins a row."""
    groups = [group for group in groups if group]
    if not groups:
        return
    # 9 pt text is 0.08 inches a character; line, gaps and margins take another 0.75.
    widest = 0.08 * max(len(handle.get_label()) for group in groups for handle in group) + 0.75
    columns = max(1, min(columns, max(map(len, groups)), int(figure.get_figwidth() / widest)))
    handles = []
    for group in groups:
        handles += [*group, *[Line2D([], [], ls="", label="")] * (-len(group) % columns)]
    rows = len(handles) // columns
    figure.set_figheight(figure.get_figheight() + 0.2 * rows + 0.15)
    # matplotlib fills column by column: transpose, so that the reader's order is row by row.
    ordered = [handles[row * columns + column] for column in range(columns) for row in range(rows)]
    figure.legend(handles=ordered, loc="outside lower left", ncols=columns, handlelength=2.4, columnspacing=1.4)


def blank(axes: Axes) -> None:
    """Axes that carry pictures only."""
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def message(finding: str, detail: str, out) -> None:
    """A figure that says in words why there is nothing to draw."""
    with style():
        figure = Figure(figsize=(NARROWEST, 0.15), layout="constrained")
        blank(figure.subplots())
        title(figure, finding, detail)
        save(figure, out)


def save(figure: Figure, out: str | Path) -> None:
    """Write the figure as SVG without a date, so that equal content gives equal bytes; one taller than `TALLEST` is shown smaller.

    Its letters are outlines, unless the font lacks some of them: then it holds text, which the reader's browser draws in its own fonts.
    """
    drawn = _drawn(figure)
    lacking = undrawable((text.get_text() for text in figure.findobj(Text)), RC["font.family"])
    if lacking:
        print(
            f"{RC['font.family']} cannot draw {lacking[:10]}: {Path(out).name} leaves its text to the browser's fonts"
        )
        with matplotlib.rc_context({"svg.fonttype": "none"}):
            drawn = _drawn(figure)
    scale = min(1.0, TALLEST / figure.get_figheight())
    # Its size on the page is the first height and the first width; the drawing keeps its own units.
    shown = re.sub(
        r'(width|height)="([\d.]+)pt"', lambda one: f'{one[1]}="{scale * float(one[2]):g}pt"', drawn, count=2
    )
    write_text(out, shown)


def _drawn(figure: Figure) -> str:
    drawn = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # `save` looks for them and says so
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()
