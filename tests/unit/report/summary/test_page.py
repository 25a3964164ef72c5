"""The page: what it shows is in the tables, what it names exists, and it needs nothing else."""

import re

import pandas as pd
import pytest
from markupsafe import escape
from unit.report.summary.conftest import DATASETS, written

from ftbench.report.layout.formats import interval
from ftbench.report.layout.frames import read_table
from ftbench.report.summary.bars import bars
from ftbench.report.summary.facts import ABOVE, BELOW, DIVERGED, RECOMMENDED, SAME, read_facts
from ftbench.report.summary.page import summary_page
from ftbench.study import kinds


@pytest.fixture(scope="module")
def page(folder):
    summary_page(folder, list(DATASETS), [], folder / "summary.html")
    return (folder / "summary.html").read_text()


def test_every_cell_stands_in_the_page_with_its_interval(folder, page):
    frame = read_table(folder / "tables" / "comparison.csv")
    for row in frame.itertuples():
        assert f">{row.backbone}</td>" in page and f">{row.strategy}</td>" in page
        if pd.notna(row.accuracy_mean):
            assert interval(row.accuracy_mean, row.accuracy_ci_low, row.accuracy_ci_high) in page
        assert f"<dt>{row.strategy}</dt><dd>{escape(kinds.says(row.kind))}</dd>" in page
    assert page.count("<b>class_") == 2 * 24  # the galleries


def test_what_it_names_exists_and_it_loads_nothing(folder, page):
    named = set(re.findall(r'<a data-file href="([^"]*)"', page))
    made_by_other_rules = {
        f"tables/{name}" for name in ("protocol.html", "pairwise.html", "cost.html", "records.jsonl")
    }
    assert {name for name in named if not (folder / name).is_file()} <= made_by_other_rules
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert "<b>0.png" not in page and "&lt;b&gt;" in page  # names of files are text, whatever they hold


def test_equal_tables_give_equal_bytes(folder, page, tmp_path):
    summary_page(folder, list(DATASETS), [], tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == page


def test_verdicts_are_those_of_the_recommendation(folder):
    chosen = read_table(folder / "tables" / "recommendation.csv").query("budget == 'no limit'").set_index("dataset")
    for facts in read_facts(folder, list(DATASETS)):
        row = chosen.loc[facts.dataset]
        same = {cell.name for cell in facts.cells if cell.verdict == SAME}
        assert same == set(row["indistinguishable"].split("; ")) and len(same) == row["indistinguishable_cells"]
        assert (
            facts.best.verdict == RECOMMENDED and facts.best.name == f"{row['best_strategy']} on {row['best_backbone']}"
        )
        for cell in facts.cells:
            if cell.verdict in (SAME, BELOW, ABOVE):
                assert cell.gap[0] == pytest.approx(cell.row["accuracy_mean"] - facts.best.row["accuracy_mean"])
                assert cell.gap[1] <= cell.gap[0] <= cell.gap[2]
                assert cell.verdict == SAME or (cell.verdict == ABOVE) == (cell.gap[0] > 0)


def test_bars_lie_on_their_axis(folder):
    for facts in read_facts(folder, list(DATASETS)):
        found = bars(facts.cells)
        assert len(found.shown) + len(found.folded) + len(found.lost) == len(facts.cells)
        for bar in found.shown + found.folded:
            assert 0 <= bar.low <= bar.mean <= bar.low + bar.width + 0.02 <= 100.02
        assert [text for text, _ in found.marks] == sorted((text for text, _ in found.marks), key=float)


def test_bars_past_twenty_unfold(folder):
    (facts, _) = read_facts(folder, list(DATASETS))
    many = [cell for cell in facts.cells if cell.verdict != DIVERGED] * 4
    found = bars(many)
    assert (len(found.shown), len(found.folded)) == (20, len(many) - 20)
    assert bars([]).shown == []


def test_a_study_in_which_nothing_finished_says_so(tmp_path):
    root = written(tmp_path, datasets=("shapes",), backbones=("lite0",), strategies=("finetune",), diverged_run=False)
    summary_page(root, ["shapes"], [], root / "summary.html")
    page = (root / "summary.html").read_text()
    assert "Nothing can be recommended: no run finished" in page and "Where it fails" in page


def test_the_record_of_the_seal_says_what_weights_had_seen(tmp_path):
    from ftbench.report.summary.records import _seen

    (tmp_path / "tables").mkdir()
    for seen, words in ((("0", "0"), ""), (("0", "3"), "of 1 of 2 cells"), (("", "3"), "of 2 of 2 cells")):
        rows = "".join(f"d,b,s{number},{value}\n" for number, value in enumerate(seen))
        (tmp_path / "tables/comparison.csv").write_text(f"dataset,backbone,strategy,seen_test_images\n{rows}")
        assert words in _seen(tmp_path) and bool(_seen(tmp_path)) == bool(words)
