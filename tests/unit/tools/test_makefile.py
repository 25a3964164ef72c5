"""`make clean` removes one study, and none where it does not know which."""

import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[3] / "Makefile"


@pytest.mark.parametrize(
    "config, left",
    [
        ("study: flowers\n", {"birds"}),
        ('seeds: [0]\nstudy: "flowers" # in quotes\n', {"birds"}),
        ("study: 'flowers'\n", {"birds"}),
        ("{study: flowers}\n", {"birds", "flowers"}),
        ("study: # flowers\n", {"birds", "flowers"}),
        (None, {"birds", "flowers"}),  # a name that is no file
    ],
)
def test_clean_removes_the_study_of_its_config_alone(tmp_path, config, left):
    for name in ("birds", "flowers"):
        (tmp_path / "results" / name).mkdir(parents=True)
    if config is not None:
        (tmp_path / "study.yaml").write_text(config)
    command = ["make", "-f", str(MAKEFILE), "-C", str(tmp_path), "clean", "CONFIG=study.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert {path.name for path in (tmp_path / "results").iterdir()} == left
    if len(left) == 2:
        assert done.returncode != 0 and "study.yaml gives no study a name" in done.stderr
