"""The tests of tests/gpu run where nothing is installed but torch, torchvision, timm, numpy, pytest, what they bring, and psutil."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
THERE = ("torch", "torchvision", "timm", "numpy", "pytest", "psutil", "setuptools")
# Finds nothing of what a bare machine does not have, then runs pytest with the arguments.
BLOCKED = """
import sys
import pytest
blocked = set(sys.argv[1].split(","))
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in blocked else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
assert not blocked & set(sys.modules), blocked & set(sys.modules)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
sys.exit(pytest.main(sys.argv[2:]))
"""


def brought(names) -> set[str]:
    """The installed distributions that these bring, and themselves."""
    found, waiting = set(), [name.lower() for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for need in needs:
            if "extra ==" not in need:
                waiting.append(_name(need))
    return found


def _name(requirement: str) -> str:
    end = next(
        (place for place, sign in enumerate(requirement) if not (sign.isalnum() or sign in "-_.")), len(requirement)
    )
    return requirement[:end].lower().replace("_", "-").replace(".", "-")


def missing_on_a_bare_machine() -> set[str]:
    """The modules of everything else that is installed here."""
    there = brought(THERE) | {"finetune-bench"}
    of = metadata.packages_distributions()
    return {
        module for module, owners in of.items() if not {owner.lower().replace("_", "-") for owner in owners} & there
    }


def test_nothing_but_torchs_wheels_is_imported():
    blocked = missing_on_a_bare_machine()
    assert {"snakemake", "sklearn", "pandas", "matplotlib", "jsonschema"} <= blocked and not {"torch", "yaml"} & blocked
    tests = ["tests/gpu", "-k", "peak_of_a_run and cpu or two_jobs and cpu", "-q", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "FTBENCH_TEST"))}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, ",".join(sorted(blocked)), *tests],
        cwd=ROOT,
        env=environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr
