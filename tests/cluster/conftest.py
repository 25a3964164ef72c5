"""A real Slurm on this host for the tests marked `slurm`, and a small study to run on it."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "workflow"))  # the studies and the clones of the workflow tests

from slurm import Cluster, slurm_is_installed, small_study  # noqa: E402
from studies import WEIGHTS, Clone, write_weights  # noqa: E402

REQUIRED = os.environ.get("FTBENCH_SLURM") == "required"  # then a machine without Slurm fails instead of skipping


@pytest.fixture(scope="session")
def start_cluster():
    """A function that starts a cluster of its own for whoever calls it: one CPU node, one GPU node with two simulated GPUs."""
    if not (REQUIRED or slurm_is_installed()):
        pytest.skip("Slurm is not installed; FTBENCH_SLURM=required makes tests/cluster/up.sh install it")
    started = []
    # Not in pytest's folder: munge wants every folder above its socket open to all, and a short path.
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)

        def start() -> Cluster:
            started.append(Cluster(Path(folder) / str(len(started)), len(started)))
            started[-1].up(install=REQUIRED)
            return started[-1]

        yield start
        for cluster in started:
            cluster.down()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Clone:
    """A copy of the repository with the small study, its images prepared, its weights fetched and nothing trained."""
    clone = Clone.of_repository(tmp_path_factory.mktemp("prepared") / "clone", small_study())
    write_weights(clone.root / WEIGHTS)
    data = "results/tiny/data/digits"
    weights = sorted(o for node in clone.graph() if node.rule == "fetch_weights" for o in node.outputs)
    clone.snakemake(f"{data}/normalization.json", f"{data}/test_images.npy", *weights)
    return clone
