"""Tables for readers: Markdown, LaTeX and self-contained HTML pages made from the CSV tables.

All three formats show the same cells and the same notes. The HTML page sorts and filters by DataTables, as the package itables
ships it: packed into the page, nothing is loaded from elsewhere.
"""

import pandas as pd

from ftbench.base.files import write_text
from ftbench.report.layout.columns import ACCURACY, Column, readable
from ftbench.report.layout.html_page import html_page

BOLD = ("Backbone", "Strategy", ACCURACY, "A", "B", "p, Holm")  # what is bold in a marked row of Markdown and LaTeX
MIXED_NOTE = (
    "the cells ran on different devices or thread counts: their seconds, images/s and memory do not compare as they stand; "
    "operations do"
)
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}
LATEX |= {"±": r"$\pm$", "–": "--", "−": "$-$", "×": r"$\times$", "<": "$<$", ">": "$>$", "≤": r"$\leq$"}


def escape_latex(text: str) -> str:
    """Text as LaTeX shows it literally: underscores, percent signs and the like are escaped."""
    return "".join(LATEX.get(character, character) for character in text)


def _markdown(text: pd.DataFrame, notes: list[str], bold: list[int]) -> str:
    shown = text.astype(str).replace({r"\|": r"\\|"}, regex=True)
    lines = ["| " + " | ".join(shown.columns) + " |", "|" + "---|" * len(shown.columns)]
    for number, cells in enumerate(shown.to_dict("records")):
        marked = [f"**{cell}**" if number in bold and name in BOLD else cell for name, cell in cells.items()]
        lines.append("| " + " | ".join(marked) + " |")
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]) + "\n"


def _latex(text: pd.DataFrame, numeric: set[str], notes: list[str], bold: list[int]) -> str:
    """A booktabs tabular (`\\usepackage{booktabs}`), a rule between data sets, the notes as comments above it."""
    lines = [f"% {note}" for note in notes]
    alignment = "".join("r" if heading in numeric else "l" for heading in text.columns)
    lines += [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule"]
    lines += [" & ".join(escape_latex(heading) for heading in text.columns) + r" \\", r"\midrule"]
    previous = None
    for number, cells in enumerate(text.astype(str).to_dict("records")):
        group = cells.get("Dataset")
        if previous not in (None, group):
            lines.append(r"\midrule")
        previous = group
        escaped = {name: escape_latex(cell) for name, cell in cells.items()}
        if number in bold:
            escaped |= {name: rf"\textbf{{{cell}}}" for name, cell in escaped.items() if name in BOLD}
        lines.append(" & ".join(escaped.values()) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def publish(
    frame: pd.DataFrame,
    columns: dict[str, Column],
    out: dict,
    title: str,
    subtitle: str,
    notes: list[str],
    bold: list[int] = (),
) -> None:
    """Write a table in the formats of `out`, {"html" | "markdown" | "latex": path}; `bold` are the numbers of marked rows."""
    text, numbers = readable(frame, columns)
    if "html" in out:
        write_text(out["html"], html_page(text, numbers, title, subtitle, notes, bold))
    if "markdown" in out:
        write_text(out["markdown"], _markdown(text, notes, bold))
    if "latex" in out:
        write_text(out["latex"], _latex(text, set(numbers), notes, bold))
