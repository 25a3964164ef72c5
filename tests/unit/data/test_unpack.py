"""Archives that mean harm: links, names that lead out of the folder, and pickles that run a command."""

import errno
import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ftbench.base.digests import md5_of_file
from ftbench.base.errors import InputError
from ftbench.data.sources import _unpack
from ftbench.data.sources._cifar import Cifar, load_plain

OUTSIDE = "victim"


def tar(path: Path, *members: tuple) -> Path:
    """Members are (name, bytes) or (name, type, target of the link)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content, *link in members:
            info = tarfile.TarInfo(name)
            if link:
                info.type, info.linkname = content, link[0]
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def unpack(path: Path) -> Path:
    folder = path.parent / "deep" / "folder"
    _unpack.unpack(path, "https://publisher", md5_of_file(path), folder)
    return folder


def chain() -> list[tuple]:
    """CVE-2025-4517: links whose resolved path is longer than the system takes, then a write through them."""
    long, path, members = "d" * 247, "", []
    for step in "abcdefghijklmnop":
        members.append((f"{path}{long}", tarfile.DIRTYPE, ""))
        members.append((f"{path}{step}", tarfile.SYMTYPE, long))
        path += f"{long}/"
    steps = "/".join("abcdefghijklmnop")
    members.append((f"{steps}/{'l' * 254}", tarfile.SYMTYPE, "../" * 16))
    members.append(("escape", tarfile.SYMTYPE, f"{steps}/{'l' * 254}/../../../{OUTSIDE}"))
    members.append(("flag", tarfile.LNKTYPE, f"escape/{OUTSIDE}"))
    return [*members, ("flag", b"overwritten")]


HARMFUL = {
    "a link up": [("a", tarfile.SYMTYPE, f"../../{OUTSIDE}"), ("a", b"overwritten")],
    "a hard link": [("a", tarfile.LNKTYPE, f"../../{OUTSIDE}")],
    "a link to a folder": [("a", tarfile.SYMTYPE, "/tmp"), ("a/b", b"overwritten")],
    "a device": [("a", tarfile.CHRTYPE, "")],
    "a pipe": [("a", tarfile.FIFOTYPE, "")],
    "a path up": [(f"../../{OUTSIDE}", b"overwritten")],
    "a path up inside": [(f"a/../../../{OUTSIDE}", b"overwritten")],
    "an absolute path": [("/tmp/ftbench-escape", b"overwritten")],
    "a line break": [("a\nb", b"x")],
    "a name that is too long": [("a" * 300, b"x")],
    "no name": [(".", b"x")],
    "CVE-2025-4517": chain(),
}


@pytest.mark.parametrize("members", HARMFUL.values(), ids=HARMFUL)
def test_nothing_is_written_outside_the_folder(members, tmp_path):
    victim = tmp_path / OUTSIDE
    victim.write_text("original")
    with pytest.raises(
        InputError, match=r"x\.tar\.gz holds '.*(a link or a device|could lead out of its folder)"
    ) as caught:
        unpack(tar(tmp_path / "x.tar.gz", *members))
    assert victim.read_text() == "original" and str(caught.value).isprintable()
    assert not Path("/tmp/ftbench-escape").exists()
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_plain_members_arrive_in_tar_and_zip(tmp_path):
    members = {"./a/b.txt": b"1", "c": b"2"}
    folder = unpack(tar(tmp_path / "x.tar.gz", ("./", tarfile.DIRTYPE, ""), *members.items()))
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == {
        "a/b.txt": b"1",
        "c": b"2",
    }
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:
        archive.writestr("../../victim", "overwritten")
    with pytest.raises(InputError, match="could lead out of its folder"):
        unpack(tmp_path / "y.zip")


def test_a_disk_that_fills_up_while_unpacking_is_one_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_unpack.shutil, "copyfileobj", full)
    with pytest.raises(
        InputError, match="No space left on the disk while unpacking .*x.tar.gz into .*: free some space"
    ):
        unpack(tar(tmp_path / "x.tar.gz", ("a", b"1")))


def test_a_file_where_a_folder_must_be_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="x.tar.gz cannot be unpacked"):
        unpack(tar(tmp_path / "x.tar.gz", ("a", b"1"), ("a/b", b"2")))


class Evil:
    def __init__(self, call, *arguments):
        self.what = call, arguments

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "call, arguments",
    [
        (os.system, ("touch pwned",)),
        (eval, ("open('pwned', 'w')",)),
        (Path.touch, (Path("pwned"),)),
        (np.load, ("pwned",)),
        (getattr, (os, "system")),
    ],
    ids=["os.system", "eval", "Path.touch", "numpy.load", "getattr"],
)
def test_a_pickle_that_asks_for_code_is_refused_and_nothing_of_it_runs(
    protocol, call, arguments, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data_batch_1"
    arguments = tuple(argument if argument is not os else "os" for argument in arguments)
    path.write_bytes(pickle.dumps({"data": Evil(call, *arguments)}, protocol))
    with pytest.raises(InputError, match=r"data_batch_1 of the archive is no plain table of arrays \(it asks for "):
        load_plain(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["data_batch_1"]


@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_batches_are_read_as_they_were_written(protocol, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)
    (tmp_path / "batch").write_bytes(pickle.dumps({"data": pixels, "labels": [0, 1, 1, 0], "note": b"\xff"}, protocol))
    (tmp_path / "meta").write_bytes(pickle.dumps({"label_names": ["plane", "car"]}, protocol))
    read = Cifar(tmp_path, ["batch", "batch"], "meta", "label_names")
    assert read.classes == ["plane", "car"] and read.targets == [0, 1, 1, 0] * 2
    assert read[5][1] == 1 and (read[5][0] == pixels[1].reshape(3, 32, 32).transpose(1, 2, 0)).all()
    assert load_plain(tmp_path / "batch")["note"] == b"\xff"


@pytest.mark.parametrize(
    "batch, meta, said",
    [
        ({"data": [1], "labels": [0]}, ["a"], "holds no array"),
        ({"data": np.zeros((1, 3072)), "labels": [0]}, ["a"], "holds no array"),
        ({"data": np.zeros((1, 3071), np.uint8), "labels": [0]}, ["a"], "holds no array"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [0, 1]}, ["a"], "one label per image"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": ["0"]}, ["a"], "one label per image"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [1]}, ["a"], "does not name the class of every label"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [0]}, "a", "does not name the class of every label"),
        ([1], ["a"], "instead of a table of arrays"),
    ],
)
def test_a_batch_of_another_form_is_named(batch, meta, said, tmp_path):
    (tmp_path / "batch").write_bytes(pickle.dumps(batch))
    (tmp_path / "meta").write_bytes(pickle.dumps({"names": meta}))
    with pytest.raises(InputError, match=said):
        Cifar(tmp_path, ["batch"], "meta", "names")


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"garbage", b"\x80\x02cos\nsystem\n."])
def test_what_is_no_pickle_is_named(content, tmp_path):
    (tmp_path / "batch").write_bytes(content)
    with pytest.raises(InputError, match="batch of the archive is no plain table of arrays"):
        load_plain(tmp_path / "batch")
