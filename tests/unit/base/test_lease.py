"""The GPU lease, with device names that need not exist and processes that do."""

import contextlib
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ftbench.base import lease
from ftbench.base.errors import InputError

SCRIPTS = Path(lease.__file__).parents[2]


def holder(folder: Path, names: str, count: int, seconds: float, slots: int = 1) -> subprocess.Popen:
    """A process that holds `count` of the devices `names` for `seconds` and prints which."""
    code = f"""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {str(SCRIPTS)!r})
        from ftbench.base import lease
        with lease.leased({count}, {{"CUDA_VISIBLE_DEVICES": {names!r}, lease.SLOTS: "{slots}"}}, Path({str(folder)!r})) as held:
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


def test_a_device_is_shared_by_as_many_as_slots_per_gpu_says(tmp_path):
    environment = {"CUDA_VISIBLE_DEVICES": "a,b", lease.SLOTS: "2"}
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(lease.leased(1, environment, tmp_path)) for _ in range(4)]
        assert [{*held[0], *held[1]}, {*held[2], *held[3]}] == [{"a", "b"}] * 2  # the emptier device first
        fifth = holder(tmp_path, "a,b", 1, 0.1, slots=2)
        time.sleep(2.5)
        assert fifth.poll() is None
    assert fifth.communicate(timeout=30)[0].splitlines()[-1].split()[0] in ("a", "b")


def test_two_gpus_are_two_devices_however_many_share_one(tmp_path):
    with lease.leased(2, {"CUDA_VISIBLE_DEVICES": "a,b", lease.SLOTS: "2"}, tmp_path) as held:
        assert sorted(held) == ["a", "b"]


@pytest.mark.parametrize("slots", ["0", "-1", "many", "1.5", ""])
def test_a_wrong_number_of_slots_is_one_sentence(slots, tmp_path):
    with (
        pytest.raises(InputError, match="FTBENCH_SLOTS_PER_GPU is .* must be a whole number of 1 or more"),
        lease.leased(1, {"CUDA_VISIBLE_DEVICES": "a", lease.SLOTS: slots}, tmp_path),
    ):
        pass


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
