"""No cell of a table is run by the spreadsheet that opens it, and every text comes back as it was."""

import csv

import pandas as pd
import pytest

from ftbench.base.csv_text import guarded, plain
from ftbench.report.layout.frames import read_table, write_csv

NAMES = ["=1+1", "+x", "-1", "@SUM(A1)", "'=1", "''=", "'quoted'", "cat", "", "a=b", '=HYPERLINK("http://x","y")']


def test_formulas_are_quoted_and_nothing_else_changes():
    frame = pd.DataFrame({"class": NAMES, "score": range(len(NAMES)), "note": [None, 1.5, *NAMES[2:]]})
    safe = guarded(frame)
    assert not any(text.startswith(("=", "+", "-", "@")) for text in safe["class"])
    assert safe["score"].tolist() == frame["score"].tolist() and safe["note"][1] == 1.5
    assert plain(safe).equals(frame)
    assert guarded(pd.DataFrame(columns=["class"])).empty


def test_a_table_is_read_as_it_was_written(tmp_path):
    names = [name for name in NAMES if name]  # an empty field is a missing one
    path = tmp_path / "table.csv"
    write_csv(pd.DataFrame({"class": names, "accuracy": -0.5}), path)
    with path.open(newline="") as stream:
        cells = [row["class"] for row in csv.DictReader(stream)]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    read = read_table(path)
    assert read["class"].tolist() == names and read["accuracy"].eq(-0.5).all()


@pytest.mark.parametrize("name", NAMES[:6])
def test_quoting_twice_is_undone_twice(name):
    frame = pd.DataFrame({"class": [name]})
    assert plain(plain(guarded(guarded(frame)))).equals(frame)
