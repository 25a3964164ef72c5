"""The package without the workflow: the example that the documentation shows runs as it stands."""

import subprocess
import sys

import pandas as pd
from studies import REPOSITORY


def test_the_example_runs_and_finds_the_better_recipe(tmp_path):
    done = subprocess.run(
        [sys.executable, "examples/library.py", str(tmp_path)],
        cwd=REPOSITORY,
        env={"PYTHONPATH": "workflow/scripts", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    cells = pd.read_csv(tmp_path / "cells.csv").set_index("strategy")
    assert cells.accuracy_mean["high"] > cells.accuracy_mean["low"] + 0.2
    assert (cells.accuracy_ci_low < cells.accuracy_mean).all()
    assert "low minus high: -0." in done.stdout
    assert len(list(tmp_path.glob("runs/*/seed*/model.safetensors"))) == 4
