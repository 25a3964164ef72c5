"""docs/reliability.md: every fault names tests that exist, so that a renamed test cannot leave a promise behind."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")][
    1:
]


def missing(named: str) -> str | None:
    """What is not there of "folder/test_file.py" or "folder/test_file.py::test_name"."""
    file, _, name = named.partition("::")
    path = ROOT / "tests" / file
    if not path.is_file():
        return file
    tests = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    return None if not name or name in tests else named


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_fault_names_tests_that_exist(row):
    fault, happens, tests = row
    named = re.findall(r"`([^`]+)`", tests)
    assert fault and happens and named
    assert [what for what in map(missing, named) if what] == []


def test_the_faults_that_this_workflow_promises_to_survive_are_listed():
    faults = "\n".join(fault for fault, _, _ in ROWS)
    for word in ("`kill -9` of a training job", "`kill -9` of the driver", "`kill -9` of everything", "disk is full",
                 "read-only", "node died", "clocks", "half copied", "two drivers", "cache", "stale lock"):  # fmt: skip
        assert word in faults


def test_a_missing_test_is_found():
    assert missing("workflow/test_faults.py::test_nothing") == "workflow/test_faults.py::test_nothing"
    assert missing("workflow/test_nowhere.py") == "workflow/test_nowhere.py"
    assert missing("workflow/test_faults.py") is None
