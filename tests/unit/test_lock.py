"""The lock has every package that the project asks for, each with the sha256 of its published files; whoever installs compares them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements", "profiles/kubernetes/requirements", "docs/requirements"]
ENTRY = re.compile(
    r"^([A-Za-z0-9_.-]+)==\S+(?: ; [^\\\n]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.MULTILINE
)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_locked_with_hashes(lock):
    asked = [line.split("#")[0].strip() for line in (ROOT / f"{lock}.in").read_text().splitlines()]
    names = {normal(re.split(r"[=\[]", line)[0]) for line in asked if line}
    text = (ROOT / f"{lock}.txt").read_text()
    locked = {normal(name) for name in ENTRY.findall(text)}
    assert names <= locked
    assert [line for line in ENTRY.sub("", text).splitlines() if not line.startswith("#")] == []  # nothing without one


@pytest.mark.parametrize("place", ["Makefile", ".ci/run", "Dockerfile", "apptainer.def"])
def test_whoever_installs_the_lock_compares_the_hashes(place):
    installs = [
        line for line in (ROOT / place).read_text().splitlines() if re.search(r"pip install.*requirements\.txt", line)
    ]
    assert installs and all("--require-hashes" in line for line in installs)


def test_images_start_from_a_content_and_run_as_a_user():
    docker, apptainer = ((ROOT / name).read_text() for name in ("Dockerfile", "apptainer.def"))
    (base,) = set(re.findall(r"@(sha256:[0-9a-f]{64})", docker + apptainer))  # the same in both
    assert f"ARG BASE=python:3.11-slim@{base}" in docker and f"From: python@{base}" in apptainer
    assert docker.index("USER ftbench") > docker.index("useradd")
