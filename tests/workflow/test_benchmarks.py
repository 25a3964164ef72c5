"""Benchmarks are code: each runs to its end on its smallest sizes. What it would measure counts on a quiet machine alone."""

import re

import pytest
import warm_python
from studies import REPOSITORY, environment

BENCHMARKS = sorted(path for path in (REPOSITORY / "benchmarks").glob("*.py") if not path.stem.startswith("_"))
# bench.py calls memory.py, probe.py and overhead.py: each runs here once, by itself.
ONLY = {"bench": ["--only", "train_step_resnet18_32"], "gpu": ["--device", "cpu"]}


# Each of these measures the start of the same job; what it reads is made once.
OF_ONE_JOB = ("overhead", "scale", "startup")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_runs_quickly_and_prints_what_it_found(path, work):
    before = contents()
    arguments = [str(path), "--quick", *ONLY.get(path.stem, [])]
    if path.stem in OF_ONE_JOB:
        arguments += ["--work", str(work)]
    done = warm_python.run(arguments, REPOSITORY, environment(), apart=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d", done.stdout) and "missed" not in done.stdout
    assert contents() == before  # no result of a measurement is replaced


def contents() -> dict:
    """{name: time of its last change} of the results that benchmarks write."""
    return {path.name: path.stat().st_mtime_ns for path in (REPOSITORY / "results").glob("*.json")}


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_the_readme_has_a_line_for_a_benchmark(path):
    text = (REPOSITORY / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{path.name}` \| .+ \| `.+` \|$", text, re.M)
