"""`make clean` removes one study, and none where it does not know which."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CASES = [
    ("study: flowers\n", {"birds"}, "Removing results/flowers: 1 files, 0.0 MB."),
    ('seeds: [0]\nstudy: "flowers" # in quotes\n', {"birds"}, "Removing results/flowers"),
    ("study: 'flowers'\n", {"birds"}, "Removing results/flowers"),
    ("{study: flowers}\n", {"birds"}, "Removing results/flowers"),
    ("study: flowers.v2\n", {"birds", "flowers"}, "study is 'flowers.v2'; valid are up to 60 letters"),
    ("study: ../results/flowers\n", {"birds", "flowers"}, "study is '../results/flowers'; valid are"),
    ("study: ..\n", {"birds", "flowers"}, "study is '..'; valid are"),
    ("study: birds\nstudy: flowers\n", {"birds", "flowers"}, "the key study stands here and in line 1"),
    ("study: # flowers\n", {"birds", "flowers"}, "study.yaml gives no study a name"),
    ("seeds: [0]\n", {"birds", "flowers"}, "study.yaml gives no study a name"),
    ("study: trees\n", {"birds", "flowers"}, "There is no results/trees: nothing to remove."),
    (None, {"birds", "flowers"}, "There is no config file study.yaml."),
]


def clean(folder: Path) -> subprocess.CompletedProcess:
    """`make clean` in a folder, by this interpreter in place of the one of `make setup`."""
    command = ["make", "-f", str(ROOT / "Makefile"), "-C", str(folder), "-o", "setup", "clean", "CONFIG=study.yaml"]
    program = f"FTBENCH={sys.executable} -m ftbench.tools.command_line"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    return subprocess.run([*command, program], capture_output=True, text=True, env=environment)


@pytest.fixture
def studies(tmp_path):
    for name in ("birds", "flowers"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "study.json").write_text("{}")
    return tmp_path


def left(folder: Path) -> set[str]:
    return {path.name for path in (folder / "results").iterdir()}


@pytest.mark.parametrize("config, remaining, said", CASES)
def test_clean_removes_the_study_of_its_config_alone(studies, config, remaining, said):
    if config is not None:
        (studies / "study.yaml").write_text(config)
    done = clean(studies)
    assert left(studies) == remaining and said in done.stdout + done.stderr
    assert (done.returncode == 0) == (config is not None and ("flowers" not in remaining or "trees" in config))
    assert "Traceback" not in done.stderr


def test_clean_follows_no_link_and_waits_for_snakemake(studies):
    (studies / "study.yaml").write_text("study: flowers\n")
    locks = studies / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/birds/study.json\nresults/flowers/study.json\n")
    assert "Snakemake works in results/flowers" in clean(studies).stderr and left(studies) == {"birds", "flowers"}
    (locks / "0.output.lock").write_text("results/birds/study.json\n")
    (studies / "results" / "flowers").rename(studies / "elsewhere")
    (studies / "results" / "flowers").symlink_to(studies / "elsewhere")
    assert "results/flowers is a link to" in clean(studies).stderr
    assert (studies / "elsewhere" / "study.json").exists() and left(studies) == {"birds", "flowers"}


def test_a_rehearsal_is_cleaned_by_its_own_name(studies):
    (studies / "study.yaml").write_text("study: flowers\nsmoke: true\n")
    (studies / "results" / "flowers_smoke").mkdir()
    assert clean(studies).returncode == 0
    assert left(studies) == {"birds", "flowers"}
