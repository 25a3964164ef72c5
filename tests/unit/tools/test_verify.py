"""`ftbench verify` names every file that is not as it was written, and nothing else."""

import os

import pytest

from ftbench.base.errors import InputError
from ftbench.base.files import write_json, write_text
from ftbench.tools import verify


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "flowers"
    for name in ("run.json", "cost.json"):
        write_json(folder / "runs" / "seed0" / name, {"of": name})
    write_text(folder / "tables" / "cost.csv", "a,b\n1,2\n")
    write_text(folder / "logs" / "train.log", "a log")
    return folder


def states(folder):
    return {
        str(each.path.relative_to(folder)): each.state
        for each in verify.verify(folder)
        if "logs" not in each.path.parts
    }


def test_a_whole_study_is_right(study, capsys):
    assert set(states(study).values()) == {"right"} and len(states(study)) == 3
    assert verify.report("flowers") == 0
    assert "0 damaged, 0 missing, 0 unnoted" in capsys.readouterr().out


def test_the_damaged_file_is_named_with_the_command_that_mends_it(study, capsys):
    broken = study / "runs" / "seed0" / "cost.json"
    os.truncate(broken, 3)
    assert verify.report("flowers") == 1
    text = capsys.readouterr().out
    assert "damaged: results/flowers/runs/seed0/cost.json: it has 3 bytes" in text
    assert text.splitlines()[-1] == "  rm results/flowers/runs/seed0/cost.json"


def test_missing_and_unknown_files_are_said_and_cost_nothing(study, capsys):
    (study / "runs" / "seed0" / "run.json").unlink()
    (study / "tables" / "mine.csv").write_text("mine")
    assert states(study) == {
        "runs/seed0/cost.json": "right",
        "runs/seed0/run.json": "missing",
        "tables/cost.csv": "right",
        "tables/mine.csv": "unnoted",
    }
    assert verify.report("flowers") == 0


def test_an_unknown_study_is_a_sentence_with_those_that_exist(study):
    with pytest.raises(InputError, match="No study 'tulips' lies in results/; there are: flowers"):
        verify.report("tulips")
