"""docs/metrics.md: every row has an example by hand, which the code finds, and every column of a table has a row."""

import fnmatch
import re
from pathlib import Path

import pandas as pd
import pytest
from unit import by_hand_costs, by_hand_scores  # noqa: F401, they fill EXAMPLES
from unit.by_hand import EXAMPLES
from unit.synthetic import evaluate_study, write_study

from ftbench.report.recommendation import transferability_table
from ftbench.report.result import activations_table, policies_table, robustness_tables
from ftbench.report.uncertainty import clean_test_table, ranks_tables

NUMBER = re.compile(r"(?<![\d.])-?\d+(?:\.\d+)?")
DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def rows() -> dict[str, str]:
    """{first name of a row: its example} of every table of the document that defines numbers."""
    found, place = {}, None
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if not cells:
            place = None
        elif place is None:
            place = cells.index("example by hand") if cells[0] == "number" else -1
        elif place >= 0 and set(line) != {"|", "-"}:
            found[re.split("[`,:]", cells[0].lstrip("`"))[0].strip()] = cells[place]
    return found


@pytest.mark.parametrize("row", rows())
def test_the_code_finds_what_the_example_says(row, tmp_path, monkeypatch):
    """An example ends with its values, in order, numbers to the digits shown; what stands before them is the way there."""
    assert row in EXAMPLES, f"give {row} an example by hand in {DOCUMENT.name}, and a function of it"
    given = {"tmp_path": tmp_path, "monkeypatch": monkeypatch}
    names = EXAMPLES[row].__code__.co_varnames[: EXAMPLES[row].__code__.co_argcount]
    values = EXAMPLES[row](*(given[name] for name in names))
    text = rows()[row].replace("−", "-")
    for place, value in enumerate(reversed(values if isinstance(values, tuple) else (values,))):
        if isinstance(value, (str, list)):
            start = text.rfind(str(value))
        else:
            found = [one.start() for one in NUMBER.finditer(text) if shows(one[0], float(value))]
            last = [one.start() for one in NUMBER.finditer(text)][-1:]
            start = found[-1] if found and (place or found[-1:] == last) else -1
        assert start >= 0, f"{row}: the code finds {value}, where the example has {text!r}"
        text = text[:start]


def shows(text: str, value: float) -> bool:
    """Whether a number as it is written is this value, rounded to the digits that are written."""
    digits = len(text.partition(".")[2])
    return abs(float(text) - value) <= (0.5 * 10**-digits if digits else 0) + 1e-9


def test_there_is_no_example_without_a_row():
    assert set(EXAMPLES) == set(rows())


def test_every_column_of_every_table_is_in_the_document(tmp_path):
    study = write_study(tmp_path, images=40, backbones=("lite0",))
    columns = {
        name for path in evaluate_study(study, tmp_path / "tables").values() for name in pd.read_csv(path).columns
    }
    columns |= {*robustness_tables.DETAIL, *robustness_tables.SUMMARY, "accuracy_noise", *clean_test_table.COLUMNS}
    columns |= {*transferability_table.COLUMNS, *transferability_table.CORRELATIONS}
    ranks_tables.ranks_table(tmp_path / "tables" / "comparison.csv", tmp_path / "ranks.csv")
    ranks_tables.win_tie_loss_table(tmp_path / "tables" / "pairwise.csv", tmp_path / "win.csv")
    columns |= {name for path in tmp_path.glob("*.csv") for name in pd.read_csv(path).columns}
    shown = [column.by for column in (policies_table.POLICIES | activations_table.ACTIVATIONS).values() if column.by]
    columns |= {*shown, "policy", "activation", "gain_low", "gain_high"}
    names = {name.replace("<family>", "*") for name in re.findall("`([^`]+)`", DOCUMENT.read_text(encoding="utf-8"))}
    unknown = sorted(column for column in columns if not any(fnmatch.fnmatch(column, name) for name in names))
    assert not unknown, f"{DOCUMENT.name} says nothing of {unknown}"
