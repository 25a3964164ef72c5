"""`make scale` on its smallest study: it still runs, and its bare Snakefile still has the shape of the workflow."""

import importlib.util
import shutil

import pytest
from studies import PARTS, REPOSITORY


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / f"benchmarks/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_smallest_study_is_planned_and_compared(tmp_path):
    scale = load("scale")
    for part in PARTS:
        copy = shutil.copytree if (REPOSITORY / part).is_dir() else shutil.copy2
        copy(REPOSITORY / part, tmp_path / part)
    size = scale.SIZES[0]
    _, backbones, strategies, seeds, trials = size
    planned = scale.plan(size, tmp_path)
    bare = scale.bare_plan(size, tmp_path)
    runs = backbones * strategies * seeds
    assert min(planned["jobs"], bare["bare_jobs"]) > runs + backbones * strategies * trials
    assert abs(planned["jobs"] - bare["bare_jobs"]) < 30  # probes, tables and figures
    compared = scale.aggregate((1, 1, 1, 2, 2), tmp_path)
    assert compared["runs"] == 3  # one of the probe, two of the other strategy
    assert 0 < compared["aggregation_mb"] < scale.AGGREGATION_MB
    assert (tmp_path / "pairwise.csv").exists()


def test_a_jobs_time_on_its_node_is_read_from_slurms_log():
    log = """\
[2026-01-01T23:59:58.500] Launching batch job 1 for UID 0
[2026-01-01T23:59:59.000] launch task StepId=1.0 request from UID:0 GID:0 HOST:127.0.0.1 PORT:57416
[2026-01-02T00:00:07.000] Launching batch job 12 for UID 0
[2026-01-02T00:00:07.250] [1.0] done with job
[2026-01-02T00:00:08.250] [1.batch] done with job
[2026-01-02T00:00:09.000] [12.batch] done with job
"""
    assert load("startup").seconds_held(log) == pytest.approx({"1": 9.75, "12": 2.0})
