"""A study belongs to one driver at a time, from whichever clone it is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftbench.base.errors import InputError
from ftbench.study.driver import commands


def test_a_second_driver_of_a_study_is_refused_until_the_first_ends(tmp_path):
    code = (
        f"from ftbench.study.driver.commands import hold; hold({str(tmp_path)!r}); print('held', flush=True); input()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(commands.__file__).parents[2])}
    first = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout.readline() == "held\n"
    with pytest.raises(InputError, match=f"Another Snakemake works in {tmp_path}, perhaps from another clone"):
        commands.hold(tmp_path)
    first.kill()
    first.wait(timeout=30)
    os.close(commands.hold(tmp_path))


def test_a_job_that_outlives_its_driver_does_not_hold_the_study(tmp_path):
    """A killed Snakemake leaves its training process alive; the next start waits for the run, not for the study."""
    handle = commands.hold(tmp_path)
    program = [sys.executable, "-c", "print('begun', flush=True); input()"]
    child = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
    assert child.stdout.readline() == b"begun\n"  # handles are closed a moment after the parent goes on
    os.close(handle)
    os.close(commands.hold(tmp_path))
    child.kill()
    child.wait(timeout=30)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "results").touch()
    with pytest.raises(InputError, match="cannot be written .*; give a folder of results that is yours to write"):
        commands.hold(tmp_path / "results")
