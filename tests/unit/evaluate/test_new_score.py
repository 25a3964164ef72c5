"""A score is one row of `SCORES`: added to a copy of the package, it reaches every file and page."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ftbench.evaluate.metrics import INTERVAL, KEPT, MEAN, MODE, SCORES
from ftbench.report.result.comparison_table import COMPARISON, COMPARISON_COLUMNS, EXTRA_COLUMNS
from ftbench.report.uncertainty.calibration_table import CALIBRATION

ROOT = Path(__file__).parents[3]
FUNCTION = '''def doubts(answers: Answers) -> float:
    """Share of the answers with a confidence below one half."""
    return float((answers.confidence < 0.5).mean())


# fmt: off
'''
ROW = """    Score("doubts", doubts, heading="Doubts", unit="%", comparison=7, calibration=9),
)
# fmt: on
"""
STUDY = """
from pathlib import Path

from unit.synthetic import evaluate_study, write_study

from ftbench.report.result.comparison_table import comparison_pages
from ftbench.report.uncertainty.calibration_table import calibration_pages

study = write_study(Path("study"), backbones=("one",), strategies=("linear_probe", "finetune"), images=40)
tables = evaluate_study(study, Path("tables"))
comparison_pages(tables["comparison"], tables["differences"], {"markdown": "comparison.md"})
calibration_pages(tables["comparison"], {"markdown": "calibration.md"})
print(study["runs"][0]["metrics"])
"""


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_function_and_a_row_are_all_that_a_new_score_needs(tmp_path):
    scripts = shutil.copytree(ROOT / "workflow" / "scripts", tmp_path / "scripts")
    metrics = scripts / "ftbench" / "evaluate" / "metrics.py"
    edit(metrics, "# fmt: off\n", FUNCTION)
    edit(metrics, ")\n# fmt: on\n", ROW)
    paths = os.pathsep.join(map(str, (scripts, ROOT / "tests", ROOT / "tests" / "unit")))
    ran = subprocess.run([sys.executable, "-c", STUDY], cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths},
                         capture_output=True, text=True)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    saved = json.loads((tmp_path / ran.stdout.strip()).read_text(encoding="utf-8"))
    assert 0 < saved["doubts"] < 1
    runs = pd.read_csv(tmp_path / "tables" / "runs.csv")
    assert runs["doubts"].iloc[0] == saved["doubts"]
    comparison = pd.read_csv(tmp_path / "tables" / "comparison.csv")
    assert comparison.columns[-1] == "doubts"  # behind the agreed columns
    finished = comparison[comparison["status"] == "finished"].iloc[0]
    own = runs[runs["strategy"] == finished["strategy"]]
    assert finished["doubts"] == pytest.approx(own["doubts"].mean())
    for page in ("comparison", "calibration"):
        headings, _, first, *_ = (tmp_path / f"{page}.md").read_text(encoding="utf-8").splitlines()
        cells = dict(zip(headings.strip("| ").split(" | "), first.strip("| ").split(" | "), strict=True))
        assert cells["Doubts, %"] == f"{100 * comparison['doubts'].iloc[0]:.1f}"


def test_every_row_of_the_table_is_sound():
    names = [score.name for score in SCORES]
    assert len(set(names)) == len(names)
    assert {score.kind for score in SCORES} <= {MEAN, MODE, INTERVAL, KEPT}
    for page in ("comparison", "calibration"):
        shown = [score for score in SCORES if getattr(score, page)]
        assert sorted(getattr(score, page) for score in shown) == list(range(1, len(shown) + 1))
        assert all(score.heading and score.kind == MEAN for score in shown)


def test_the_agreed_columns_name_every_score_once():
    columns = COMPARISON_COLUMNS + EXTRA_COLUMNS
    assert len(set(columns)) == len(columns)
    assert {score.name for score in SCORES if score.kind in (MEAN, MODE)} <= set(columns)
    shown = {column.by for column in (*COMPARISON.values(), *CALIBRATION.values())} - {""}
    assert shown <= set(columns)
