import errno
import fcntl
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from ftbench.base.errors import InputError
from ftbench.train import checkpoint


def test_a_state_comes_back_as_it_was_and_only_to_its_own_run(tmp_path, capsys):
    state = {"step": 3, "network": {"w": torch.arange(4.0)}, "nothing": None, "history": [{"loss": 0.5}]}
    checkpoint.save(tmp_path, "mine", state)
    loaded = checkpoint.load(tmp_path, "mine")
    assert torch.equal(loaded.pop("network")["w"], torch.arange(4.0))
    assert loaded == {"identity": "mine", "step": 3, "nothing": None, "history": [{"loss": 0.5}]}
    assert capsys.readouterr().out == ""
    assert checkpoint.load(tmp_path, "other") is None
    assert "is of another recipe, data, code or device; training starts afresh" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.pt"]


def test_no_state_is_nothing_to_talk_about(tmp_path, capsys):
    assert checkpoint.load(tmp_path / "never", "mine") is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: b"x" * 99, lambda whole: whole[: len(whole) // 2]])
def test_a_damaged_state_is_ignored_and_said_so(tmp_path, capsys, damage):
    checkpoint.save(tmp_path, "mine", {"w": torch.zeros(1000)})
    path = tmp_path / checkpoint.STATE
    path.write_bytes(damage(path.read_bytes()))
    assert checkpoint.load(tmp_path, "mine") is None
    assert f"the resume state {path} cannot be read (" in capsys.readouterr().out


def test_a_failed_save_keeps_the_older_state(tmp_path):
    checkpoint.save(tmp_path, "mine", {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        checkpoint.save(tmp_path, "mine", {"step": threading.Lock()})
    assert checkpoint.load(tmp_path, "mine")["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.STATE]


class FullDisk(io.FileIO):
    """A file on a disk with room for 1,000 bytes more."""

    def write(self, content):
        if self.tell() + len(content) > 1000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(content)


@pytest.mark.parametrize("numbers", [1, 10_000_000])
def test_a_full_disk_is_one_sentence_and_keeps_the_older_state(tmp_path, monkeypatch, numbers):
    """torch's own error is another one: it closes the file that is cut short, and fails at that."""
    checkpoint.save(tmp_path, "mine", {"step": 1})
    with monkeypatch.context() as patch, pytest.raises(InputError, match="No space left on the disk while writing .*"):
        patch.setattr(Path, "open", lambda path, mode: FullDisk(path, mode))
        checkpoint.save(tmp_path, "mine", {"w": torch.zeros(numbers)})
    assert checkpoint.load(tmp_path, "mine")["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.STATE]


def test_clearing_removes_the_folder_and_may_be_done_twice(tmp_path):
    checkpoint.save(tmp_path / "run.resume", "mine", {})
    checkpoint.clear(tmp_path / "run.resume")
    checkpoint.clear(tmp_path / "run.resume")
    assert list(tmp_path.iterdir()) == []


# --- the lock --------------------------------------------------------------------------------------------------------

HOLD = """
import fcntl, sys
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path/run until its stdin ends."""
    (tmp_path / "run").mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run" / "lock")],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_nobody_else_gets_the_lock_while_it_is_held(tmp_path):
    def free():
        with (tmp_path / "run" / "lock").open("w") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    with pytest.raises(RuntimeError), checkpoint.locked(tmp_path / "run"):
        assert not free()
        raise RuntimeError
    assert free()


@pytest.mark.parametrize("end", ["release", "kill"])
def test_the_lock_is_waited_for_until_its_holder_ends_however_it_ends(tmp_path, holder, monkeypatch, capsys, end):
    naps = []

    def nap(_):
        naps.append(holder.poll())
        if len(naps) == 2:
            holder.kill() if end == "kill" else holder.stdin.close()
            holder.wait()

    monkeypatch.setattr(time, "sleep", nap)
    with checkpoint.locked(tmp_path / "run") as waited:
        assert waited and holder.poll() is not None
    assert naps == [None, None]  # it was alive while we waited
    assert capsys.readouterr().out.count("another process trains this run") == 1


def test_a_free_lock_is_not_waited_for_and_can_be_taken_again(tmp_path):
    for _ in range(2):
        with checkpoint.locked(tmp_path / "run") as waited:
            assert not waited


def test_a_folder_that_its_holder_removed_is_locked_anew(tmp_path, monkeypatch):
    """The holder finishes and removes the folder between our open and our lock: that lock is on a file no one sees."""
    original, calls = checkpoint.fcntl.flock, []

    def flock(handle, how):
        if not calls:
            checkpoint.clear(tmp_path / "run")
        calls.append(handle)
        original(handle, how)

    monkeypatch.setattr(checkpoint.fcntl, "flock", flock)
    with checkpoint.locked(tmp_path / "run"):
        assert len(calls) == 2 and (tmp_path / "run" / "lock").exists()


# --- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_becomes_a_flag_and_the_old_handlers_come_back(number):
    before = signal.getsignal(number)
    with checkpoint.StopSignal() as stop:
        assert stop.number is None
        os.kill(os.getpid(), number)
        assert stop.number == number
    assert signal.getsignal(number) is before
