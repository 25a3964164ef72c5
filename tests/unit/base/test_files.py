import errno
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from ftbench.base import digests, files, verified
from ftbench.base.errors import InputError, choices

WRITERS = {
    "a.json": lambda path: files.write_json(path, list(range(10_000))),
    "a.npy": lambda path: files.write_npy(path, np.zeros(10_000)),
    "a.npz": lambda path: files.write_npz(path, a=np.zeros(10_000)),
    "a.txt": lambda path: files.write_text(path, "x" * 100_000),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_write_leaves_the_file_and_nothing_else(tmp_path, name):
    path = tmp_path / "new" / "folder" / name
    WRITERS[name](path)
    WRITERS[name](path)  # over the old one
    assert set(path.parent.iterdir()) == {path, path.with_name(verified.RECORD)}


@pytest.mark.parametrize(
    "error", [ValueError("no"), OSError(errno.EIO, "broken"), KeyboardInterrupt(), SystemExit(143)]
)
def test_a_failure_leaves_the_old_file_and_no_temporary_one(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)), files.atomic_write(path) as temporary:
        temporary.write_text("half of the n")
        assert path.read_text() == "old"  # no reader sees the half
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_is_a_sibling_with_the_same_suffix(tmp_path):
    with files.atomic_write(tmp_path / "model.safetensors") as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".safetensors"
        temporary.write_text("")


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), files.atomic_write(tmp_path / "a.txt"):
        pass


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_sentence_and_the_old_file_stays(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"old")
    with files.atomic_write(tmp_path / f"probe{path.suffix}") as temporary:
        temporary.write_text("")
    full = temporary.with_name(temporary.name.replace("probe", path.stem))
    full.symlink_to("/dev/full")  # where the writer will put its temporary file
    with pytest.raises(InputError) as caught:
        WRITERS[name](path)
    assert str(caught.value) == f"No space left on the disk while writing {path}: free some space and start again."
    assert path.read_bytes() == b"old"
    assert not full.is_symlink()


class LibrarysOwnError(Exception):
    """As safetensors' SafetensorError, which is not an OSError."""


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        LibrarysOwnError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_quota_and_a_librarys_own_word_for_it_are_the_same(tmp_path, error):
    with pytest.raises(InputError, match="No space left"), files.atomic_write(tmp_path / "a"):
        raise error


def test_another_error_of_a_library_stays_its_own(tmp_path):
    with pytest.raises(LibrarysOwnError), files.atomic_write(tmp_path / "a"):
        raise LibrarysOwnError("I/O error: File too large (os error 27)")


def test_equal_values_are_equal_bytes_and_nan_is_refused(tmp_path):
    files.write_json(tmp_path / "a.json", {"b": 1, "a": [0.1, None, "é"]})
    files.write_json(tmp_path / "b.json", {"a": [0.1, None, "é"], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert files.read_json(tmp_path / "a.json") == {"a": [0.1, None, "é"], "b": 1}
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError):
            files.write_json(tmp_path / "c.json", {"x": bad})
        with pytest.raises(ValueError):
            digests.digest({"x": bad})
    assert not (tmp_path / "c.json").exists()


def test_a_digest_sees_a_swap_but_not_the_order_of_keys():
    value = {"a": 1, "b": 2, "c": [1, 2]}
    assert digests.digest(value) == digests.digest(dict(reversed(value.items())))
    others = [
        {"a": 2, "b": 1, "c": [1, 2]},  # the same bare values, swapped
        {"a": 1, "b": 2, "c": [2, 1]},
        {"a": 1, "b": 2, "c": [12]},
        {"a": "1", "b": 2, "c": [1, 2]},
        {"a": 1.5, "b": 2, "c": [1, 2]},
        {"a": 1, "b": 2},
    ]
    assert len({digests.digest(other) for other in [value, *others]}) == len(others) + 1


def test_digests_of_files_are_those_of_their_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert digests.sha256_of_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    assert digests.md5_of_file(tmp_path / "a") == hashlib.md5(content).hexdigest()
    assert digests.digest([1]) == hashlib.sha256(json.dumps([1]).encode()).hexdigest()


def test_choices_are_sorted_whatever_their_type():
    assert choices(["b", "a", 3]) == "3, a, b"


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o007, 0o660)])
def test_a_file_has_the_permissions_that_the_user_asks_for_whoever_wrote_it(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with files.atomic_write(tmp_path / "model.safetensors") as temporary:
            temporary.touch(mode=0o600)  # as safetensors does
        assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == mode
        assert os.umask(mask) == mask  # looking at the mask left it as it was
    finally:
        os.umask(before)


@pytest.fixture
def order(monkeypatch):
    """What reaches the disk, in its order: ("flush", path) and ("rename", path)."""
    done = []
    flush, replace = os.fsync, type(files.Path()).replace

    def noted_flush(handle):
        done.append(("flush", str(files.Path(f"/proc/self/fd/{handle}").readlink())))
        flush(handle)

    def noted_rename(path, target):
        done.append(("rename", str(target)))
        return replace(path, target)

    monkeypatch.setattr(files.os, "fsync", noted_flush)
    monkeypatch.setattr(files.Path, "replace", noted_rename)
    return done


@pytest.mark.parametrize("name", WRITERS)
def test_bytes_then_name_are_on_the_disk_when_a_write_is_over(tmp_path, order, name):
    """A rename that reaches the disk before the bytes leaves an empty file after a power cut."""
    path = tmp_path / name
    WRITERS[name](path)
    temporary = order[0][1]
    assert temporary.startswith(f"{tmp_path}/.a.") and ".tmp" in temporary
    record = ("flush", str(tmp_path / verified.RECORD))
    assert order == [("flush", temporary), record, ("rename", str(path)), ("flush", str(tmp_path))]


def test_a_new_folder_is_durable_in_the_one_that_holds_it(tmp_path, order):
    files.make_folder(tmp_path / "a" / "b")
    assert order == [("flush", str(tmp_path)), ("flush", str(tmp_path / "a"))]
    files.make_folder(tmp_path / "a" / "b")
    assert len(order) == 2


def test_a_sign_of_life_costs_no_flush(tmp_path, order):
    files.write_json(tmp_path / "progress.json", {}, lasting=False)
    assert [what for what, _ in order] == ["rename"]


def test_a_disk_without_room_for_a_folder_is_the_same_sentence(tmp_path, monkeypatch):
    def full(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "make_folder", full)
    with pytest.raises(InputError, match="No space left on the disk while writing .*a.txt"):
        files.write_text(tmp_path / "new" / "a.txt", "")


def test_a_sentence_says_control_characters_and_does_not_do_them():
    """Tensor names, paths and answers of servers reach the terminal through it."""
    said = str(InputError("the tensor \x1b[31mhead\u202e\r\x00é is missing.\nconfig: another."))
    assert said == r"the tensor \x1b[31mhead\u202e\r\x00é is missing." + "\nconfig: another."


def test_what_killed_writers_left_goes_with_the_next_write_and_nothing_else_does(tmp_path):
    """Of this machine's processes alone: the number of one of another machine says nothing here."""
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    other_host = "0000" if files.HOST != "0000" else "1111"
    left, kept = tmp_path / f".a.{gone.pid}-{files.HOST}.tmp.txt", [
        tmp_path / f".a.{os.getppid()}-{files.HOST}.tmp.txt",  # of a process that runs
        tmp_path / f".a.{gone.pid}-{other_host}.tmp.txt",
        tmp_path / f".ab.{gone.pid}-{files.HOST}.tmp.txt",  # of another file
        tmp_path / f".a.{gone.pid}-{files.HOST}.tmp.json",
        tmp_path / "a.json",
    ]  # fmt: skip
    for path in (left, *kept):
        path.touch()
    files.write_text(tmp_path / "a.txt", "new")
    assert set(tmp_path.iterdir()) == {*kept, tmp_path / "a.txt", tmp_path / verified.RECORD}
