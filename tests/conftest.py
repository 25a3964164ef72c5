"""The order of the tests: long files first, so that no worker is left with one of them when the others are done."""

import gc
import os

# Workers share the cores: each with as many threads as there are cores, they would spend their time on waiting for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Minutes of waiting first, then what all others' studies wait for, then by length.
LONG = (
    "cluster/test_real_slurm.py",
    "workflow/test_study.py",
    "stress/*.py",
    "cifar10/*.py",
    "cluster/*.py",
    "workflow/test_axes.py",
    "workflow/test_halving.py",
    "workflow/test_faults.py",
    "workflow/*.py",
)


def pytest_collection_finish():
    """What is imported by now stays: to look through it for garbage again and again takes minutes of the whole run."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: next((place for place, name in enumerate(LONG) if item.path.match(name)), len(LONG)))
