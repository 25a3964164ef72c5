"""The walk through a user's folder: which files are images, what is passed over and what is a fault."""

import os
from pathlib import Path

import pytest

from ftbench.base.errors import InputError
from ftbench.base.given.walk import EXCLUDED, HIDDEN, LOOP, SYSTEM, walk

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


def make(root: Path, *names: str, content: bytes = b"x") -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def names(root, **patterns) -> list[str]:
    return [name for name, _ in walk(root, **patterns).files]


def counts(root, **patterns) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, reason), count in walk(root, **patterns).passed.items():
        found[reason] = found.get(reason, 0) + count
    return found


def test_images_are_listed_sorted_with_their_sizes_whatever_their_ending_is_written_like(tmp_path):
    make(tmp_path, "b/2.JPG", "a/1.png", "a/deep/er/3.TiFf")
    (tmp_path / "a/1.png").write_bytes(b"12345")
    assert walk(tmp_path).files == [("a/1.png", 5), ("a/deep/er/3.TiFf", 1), ("b/2.JPG", 1)]


def test_what_is_hidden_left_behind_or_no_image_is_counted_by_reason(tmp_path):
    make(
        tmp_path,
        "a/1.png",
        "a/._1.png",
        "a/.DS_Store",
        ".git/x.png",
        "a/@eaDir/1.png",
        "__MACOSX/a/1.png",
        "$RECYCLE.BIN/x.jpg",
    )
    make(tmp_path, "a/Thumbs.db", "a/desktop.ini", "a/1.xml", "a/2.xml", "labels.csv", "a/Icon\r")
    assert names(tmp_path) == ["a/1.png"]
    reasons = {"db": 1, "ini": 1, "xml": 2, "csv": 1}
    assert counts(tmp_path) == {
        HIDDEN: 3,
        SYSTEM: 3,
        "no image (no ending)": 1,
        **{f"no image (.{ending})": count for ending, count in reasons.items()},
    }


def test_the_first_bytes_decide_where_the_name_does_not(tmp_path):
    make(tmp_path, "a/ISIC_001", "a/photo.jpg_large", content=PNG)
    make(tmp_path, "a/notes", "a/data.unknown")
    assert names(tmp_path) == ["a/ISIC_001", "a/photo.jpg_large"]


def test_links_are_followed_and_loops_are_not(tmp_path):
    make(tmp_path / "real", "cat/1.png", "dog/2.png")
    root = tmp_path / "set"
    root.mkdir()
    (root / "cat").symlink_to(tmp_path / "real/cat")
    make(root, "dog/own.png")
    (root / "dog/other.png").symlink_to(tmp_path / "real/dog/2.png")
    (tmp_path / "real/cat/back").symlink_to(tmp_path / "real/cat")
    (root / "dog/up").symlink_to(root)
    assert names(root) == ["cat/1.png", "dog/other.png", "dog/own.png"]
    assert counts(root) == {LOOP: 2}


def test_a_broken_link_counts_where_it_is_read_and_not_beside(tmp_path):
    make(tmp_path, "train/a/1.png")
    (tmp_path / "README-link").symlink_to("/nonexistent/readme")
    found = walk(tmp_path)
    found.refuse_faults(["train"])
    with pytest.raises(InputError, match=r"README-link is a link to /nonexistent/readme, which does not exist; mend"):
        found.refuse_faults([""])
    (tmp_path / "train/a/2.png").symlink_to("gone.png")
    with pytest.raises(InputError, match=r"path: .*train/a/2\.png is a link to gone\.png, which does not exist; mend"):
        walk(tmp_path).refuse_faults(["train"])
    (tmp_path / "train/a/self.png").symlink_to("self.png")
    assert ("train/a/self.png", "is a link to itself; remove it") in walk(tmp_path).faults


def test_a_name_that_is_not_utf8_is_a_sentence_that_can_be_printed(tmp_path):
    make(tmp_path, "a/1.png")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a/caf\xe9.png")).write_bytes(b"x")
    with pytest.raises(InputError, match=r"a/caf\\xe9\.png has a name that is not UTF-8; rename it\.$") as caught:
        walk(tmp_path).refuse_faults(["a"])
    str(caught.value).encode("utf-8")


def test_a_folder_that_may_not_be_listed_is_a_fault(tmp_path, monkeypatch):
    make(tmp_path, "a/1.png", "a/sub/2.png")
    original = os.scandir

    def scandir(path):
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match=r"a/sub may not be read \(permission denied\); give the user"):
        walk(tmp_path).refuse_faults([""])


def test_a_missing_folder_and_a_file_are_sentences(tmp_path):
    with pytest.raises(InputError, match=r"^path: .*none cannot be read \(No such file or directory\)"):
        walk(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"^path: .*file cannot be read \(Not a directory\)"):
        walk(tmp_path / "file")


def test_patterns_choose_by_name_folder_and_path(tmp_path):
    make(tmp_path, "a/1.png", "a/1_mask.png", "a/masks/2.png", "b/left/3.png", "b/right/3.png")
    assert names(tmp_path, exclude=["*_mask.png", "masks/"]) == ["a/1.png", "b/left/3.png", "b/right/3.png"]
    assert names(tmp_path, exclude=["/a"]) == ["b/left/3.png", "b/right/3.png"]
    assert names(tmp_path, include=["**/left/*"]) == ["b/left/3.png"]
    assert names(tmp_path, include=["[12].png", "right"]) == ["a/1.png", "a/masks/2.png", "b/right/3.png"]
    assert counts(tmp_path, exclude=["masks"]) == {EXCLUDED: 1}
    assert walk(tmp_path, exclude=["*_msk.png", "masks"]).unmatched == ["*_msk.png"]
    assert names(tmp_path, exclude=["*.jpg"]) == names(tmp_path)
