"""The GPU lease, with device names that need not exist and processes that do."""

import contextlib
import os
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


ONE = {"CUDA_VISIBLE_DEVICES": "0"}


def private(monkeypatch, temporary: Path, runtime: Path | None) -> dict:
    """An environment whose locks lie below `runtime`, or below `temporary` where there is none."""
    monkeypatch.setattr(lease.tempfile, "gettempdir", lambda: str(temporary))
    return ONE | {"XDG_RUNTIME_DIR": str(runtime or temporary / "nowhere")}


def test_each_user_has_a_folder_that_others_cannot_write_to(tmp_path, monkeypatch):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    assert lease.lock_folder(private(monkeypatch, tmp_path, runtime)) == runtime / "ftbench-gpus"
    folder = lease.lock_folder(private(monkeypatch, tmp_path, None))
    assert folder == tmp_path / f"ftbench-gpus-{os.geteuid()}" and folder.stat().st_mode & 0o777 == 0o700
    with lease.leased(1, private(monkeypatch, tmp_path, None)) as held:
        assert held == ["0"] and [path.name for path in folder.iterdir()] == ["0.lock"]


def test_a_folder_that_a_stranger_could_have_made_is_refused(tmp_path, monkeypatch):
    environment = private(monkeypatch, tmp_path, None)
    folder = tmp_path / f"ftbench-gpus-{os.geteuid()}"
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)

    def refused(why: str) -> None:
        with pytest.raises(InputError, match=f"The folder of GPU locks {folder} {why}; remove it"):
            lease.lock_folder(environment)

    folder.symlink_to(victim)
    refused("is a link")
    assert list(victim.iterdir()) == [] and victim.stat().st_mode & 0o777 == 0o700
    folder.unlink()
    folder.touch()
    refused("is no folder")
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o777)
    refused("can be written to by others")
    folder.chmod(0o700)
    found = folder.lstat()
    monkeypatch.setattr(lease.os, "geteuid", lambda: found.st_uid + 1)
    folder.rename(tmp_path / f"ftbench-gpus-{found.st_uid + 1}")
    folder = tmp_path / f"ftbench-gpus-{found.st_uid + 1}"
    refused("belongs to another user")


def test_users_share_a_folder_only_where_the_administrator_names_one(tmp_path):
    with lease.leased(1, ONE | {lease.SHARED: str(tmp_path)}) as held:
        assert held == ["0"]
        assert (tmp_path / "0.lock").stat().st_mode & 0o777 == 0o644  # to lock it, the others read it
    with pytest.raises(InputError, match="FTBENCH_LEASES is '/nowhere'; it must be a folder"):
        lease.lock_folder(ONE | {lease.SHARED: "/nowhere"})


@pytest.mark.parametrize("kind", ["a link to what is not there", "a link to a file", "a fifo", "a folder"])
def test_a_lock_that_is_no_file_is_one_sentence_and_nothing_is_made_or_waited_for(kind, tmp_path):
    folder, other = tmp_path / "locks", tmp_path / "other"
    folder.mkdir()
    lock = folder / "0.lock"
    match kind:
        case "a link to what is not there":
            lock.symlink_to(other)
        case "a link to a file":
            other.touch()
            lock.symlink_to(other)
        case "a fifo":
            os.mkfifo(lock)
        case "a folder":
            lock.mkdir()
    existed = other.exists()
    with (
        pytest.raises(InputError, match=r"The GPU lock .*0\.lock cannot be opened \(.*\); remove it"),
        lease.leased(1, ONE, folder),
    ):
        pass
    assert other.exists() == existed


def test_a_lock_that_was_removed_while_it_was_held_is_said(tmp_path, capsys):
    with lease.leased(1, ONE, tmp_path):
        (tmp_path / "0.lock").unlink()
    assert "0.lock was removed while this job held it" in capsys.readouterr().out
    with lease.leased(1, ONE, tmp_path):
        pass
    assert capsys.readouterr().out == ""


def test_a_lock_that_is_removed_while_it_is_waited_for_is_none(tmp_path, monkeypatch):
    """A file that lost its name between opening and locking would be held by this job alone: the next one makes a new file."""
    flock, removed = lease.fcntl.flock, []

    def late(handle, how):
        if not removed:
            removed.append((tmp_path / "0.lock").unlink())
        return flock(handle, how)

    monkeypatch.setattr(lease.fcntl, "flock", late)
    with lease.leased(1, ONE, tmp_path):
        second = holder(tmp_path, "0", 1, 0.1)
        time.sleep(2)
        assert second.poll() is None
    assert second.communicate(timeout=30)[0].splitlines()[-1].startswith("0 ")


@pytest.mark.parametrize("name", ["../../escape", "0\n1", "a" * 300, "-1", "é"])
def test_a_devices_name_cannot_lead_out_of_the_folder(name, tmp_path):
    folder = tmp_path / "deep" / "locks"
    folder.mkdir(parents=True)
    with lease.leased(1, {"CUDA_VISIBLE_DEVICES": name}, folder) as held:
        assert held == [name] and len(list(folder.iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
