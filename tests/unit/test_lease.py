"""The GPU lease, with device names that need not exist and processes that do."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ftbench import lease

SCRIPTS = Path(lease.__file__).parents[1]


def holder(folder: Path, names: str, count: int, seconds: float) -> subprocess.Popen:
    """A process that holds `count` of the devices `names` for `seconds` and prints which."""
    code = f"""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {str(SCRIPTS)!r})
        from ftbench import lease
        with lease.leased({count}, {{"CUDA_VISIBLE_DEVICES": {names!r}}}, Path({str(folder)!r})) as held:
            print(",".join(held), time.time(), flush=True)
            time.sleep({seconds})
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)


def test_devices_come_from_the_environment():
    assert lease.devices({"CUDA_VISIBLE_DEVICES": "2,5"}) == ["2", "5"]
    assert lease.devices({"CUDA_VISIBLE_DEVICES": ""}) == []


@pytest.mark.parametrize(
    "environment", [{"CUDA_VISIBLE_DEVICES": "0", "SLURM_JOB_ID": "7"}, {"CUDA_VISIBLE_DEVICES": ""}]
)
def test_nothing_is_leased_under_a_scheduler_or_without_devices(environment, tmp_path):
    with lease.leased(1, environment, tmp_path) as held:
        assert held == []
    assert list(tmp_path.iterdir()) == []


def test_no_gpu_asked_for_none_held(tmp_path):
    with lease.leased(0, {"CUDA_VISIBLE_DEVICES": "0"}, tmp_path) as held:
        assert held == []


def test_two_jobs_hold_different_devices(tmp_path):
    environment = {"CUDA_VISIBLE_DEVICES": "a,b"}
    with lease.leased(1, environment, tmp_path) as first, lease.leased(1, environment, tmp_path) as second:
        assert {*first, *second} == {"a", "b"}


def test_a_third_job_waits_for_a_device_and_never_shares_one(tmp_path):
    jobs = [holder(tmp_path, "a,b", 1, 1.5) for _ in range(3)]
    lines = [job.communicate(timeout=60)[0].splitlines()[-1].split() for job in jobs]
    taken = sorted((float(when), name) for name, when in lines)
    assert {name for _, name in taken} == {"a", "b"}
    # The third could start only after a holder of the same device had slept.
    third_time, third_name = taken[2]
    assert third_time - next(when for when, name in taken if name == third_name) >= 1.4


def test_a_killed_holder_frees_its_device(tmp_path):
    job = holder(tmp_path, "a", 1, 600)
    job.stdout.readline()
    job.send_signal(signal.SIGKILL)
    job.wait(timeout=30)
    start = time.monotonic()
    with lease.leased(1, {"CUDA_VISIBLE_DEVICES": "a"}, tmp_path) as held:
        assert held == ["a"]
    assert time.monotonic() - start < 5


def test_all_or_none(tmp_path):
    """A job that wants two of two devices while one is taken holds neither: the other stays free for a smaller job."""
    with lease.leased(1, {"CUDA_VISIBLE_DEVICES": "a,b"}, tmp_path):
        waiting = holder(tmp_path, "a,b", 2, 0.1)
        time.sleep(2.5)
        assert waiting.poll() is None
        deadline = time.monotonic() + 30
        got = None
        while got is None and time.monotonic() < deadline:
            small = holder(tmp_path, "a,b", 1, 0.1)
            got = small.communicate(timeout=30)[0].splitlines()[-1].split()[0]
        assert got == "b"
    assert waiting.communicate(timeout=30)[0].splitlines()[-1].split()[0] == "a,b"
