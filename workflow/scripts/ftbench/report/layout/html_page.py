"""One table as one HTML page that sorts and filters, and needs nothing from elsewhere.

The rows stand in the page as plain HTML, so that it can be read, searched and printed without a script. DataTables
(datatables.net), taken from the package itables, then makes it interactive; gzip brings its 0.7 MB down to 0.25.
"""

import base64
import gzip
import html
import json
from functools import cache
from pathlib import Path

import itables
import pandas as pd

BUNDLE = Path(itables.__file__).parent / "html"
FILTERED = (
    "Dataset",
    "Backbone",
    "Strategy",
    "Compared",
    "Budget",
    "Class",
)  # columns with a list of values to choose from
LONG = 80  # characters of a cell that is broken into lines
STYLE = """
:root { color-scheme: light; }
body { font: 14px/1.4 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; margin: 1rem; color: #222; background: #fff; }
h1 { font-size: 1.25rem; margin: 0; }
body.framed h1 { padding-left: 1.6rem; } /* beside the button that opens the report's menu */
p.subtitle { color: #666; margin: .2rem 0 1rem; }
ul.notes { color: #555; font-size: 12px; padding-left: 1.2em; margin: .8rem 0 0; }
table { border-collapse: collapse; font-size: 13px; width: 100%; }
.frame { overflow-x: auto; }
th, td { padding: 3px 10px; text-align: left; }
td { white-space: nowrap; }
th { vertical-align: bottom; }
td.long { white-space: normal; min-width: 26em; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.marked td { font-weight: bold; }
table.dataTable > thead > tr > th { padding: 6px 10px; }
div.dt-container .dt-search input { width: 14em; }
@media (max-width: 640px) { body { margin: .5rem; } div.dt-container .dt-layout-row { gap: .4rem; } }
"""
SCRIPT = """
const unpack = async (id) => {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  return await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
};
const style = document.createElement("style");
style.textContent = await unpack("packed-css");
document.head.prepend(style);
const url = URL.createObjectURL(new Blob([await unpack("packed-js")], { type: "text/javascript" }));
const { ITable, jQuery } = await import(url);
URL.revokeObjectURL(url);
const table = document.querySelector("table");
const options = JSON.parse(document.getElementById("options").textContent);
new ITable(table, options);
// The headings are a table of their own above the scrolling one: they follow it where the report's menu opens or closes.
window.addEventListener("resize", () => jQuery(table).DataTable().columns.adjust());
document.body.classList.toggle("framed", window !== window.top);
document.body.dataset.ready = "true";
"""


@cache
def _packed(name: str) -> str:
    """A file of the bundle, gzipped and in base64; without a time stamp, so that equal tables give equal bytes."""
    return base64.b64encode(gzip.compress((BUNDLE / name).read_bytes(), 9, mtime=0)).decode()


def _cell(text, number, is_number: bool) -> str:
    if not is_number:
        long = ' class="long"' if len(str(text)) > LONG else ""
        return f"<td{long}>{html.escape(str(text))}</td>"
    # A missing number sorts below all others.
    return f'<td class="number" data-order="{-1e308 if pd.isna(number) else number}">{html.escape(str(text))}</td>'


def _rows(text: pd.DataFrame, numbers: dict[str, list], marked: set[int]) -> str:
    """The lines of the table's body."""
    lines = []
    for place, cells in enumerate(text.itertuples(index=False, name=None)):
        row = "".join(
            _cell(cell, numbers[heading][place] if heading in numbers else None, heading in numbers)
            for heading, cell in zip(text.columns, cells)
        )
        lines.append(f'<tr class="marked">{row}</tr>' if place in marked else f"<tr>{row}</tr>")
    return "\n".join(lines)


def _options(headings) -> dict:
    """What DataTables is told; columns of `FILTERED` get a list of their values."""
    lists = [place for place, heading in enumerate(headings) if heading in FILTERED]
    return {
        "paging": False,  # a study's table is meant to be seen whole
        "order": [],  # as the study's config has it
        "scrollX": True,
        "autoWidth": False,
        "columnDefs": [{"targets": lists, "columnControl": ["order", ["searchList"]]}],
        "columnControl": ["order"],
        "ordering": {"indicators": False, "handler": True},
        "layout": {"topStart": "search", "topEnd": {"buttons": ["copyHtml5", "csvHtml5"]}, "bottomStart": "info", "bottomEnd": None},
    }  # fmt: skip


def html_page(
    text: pd.DataFrame, numbers: dict[str, list], title: str, subtitle: str, notes: list[str], bold: list[int] = ()
) -> str:
    """The page of a table of text cells; `numbers` maps a heading to what its column is sorted by, `bold` are marked rows."""
    head = "".join(
        f'<th class="number">{html.escape(heading)}</th>' if heading in numbers else f"<th>{html.escape(heading)}</th>"
        for heading in text.columns
    )
    below = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
<p class="subtitle">{html.escape(subtitle)}</p>
<div class="frame">
<table class="display compact">
<thead><tr>{head}</tr></thead>
<tbody>
{_rows(text, numbers, set(bold))}
</tbody>
</table>
</div>
<ul class="notes">{below}</ul>
<script type="text/plain" id="packed-css">{_packed("dt_bundle.css")}</script>
<script type="text/plain" id="packed-js">{_packed("dt_bundle.js")}</script>
<script type="application/json" id="options">{json.dumps(_options(text.columns))}</script>
<script type="module">{SCRIPT}</script>
</body>
</html>
"""
