"""`make scale` on its smallest study: it still runs, and its bare Snakefile still has the shape of the workflow."""

import importlib.util
import shutil

from studies import PARTS, REPOSITORY

SPEC = importlib.util.spec_from_file_location("scale", REPOSITORY / "benchmarks/scale.py")


def test_the_smallest_study_is_planned_and_compared(tmp_path):
    scale = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(scale)
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
