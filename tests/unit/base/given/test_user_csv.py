"""Which image a row of a user's table means."""

import os
import unicodedata

import pytest

from ftbench.base.given.user_csv import FileNames, shared_folder, user_table

NAMES = ["train/cat/1.png", "train/cat/2.png", "train/dog/1.png", "test/cat/9.png", "test/café/x.jpg"]


@pytest.fixture
def known(tmp_path):
    root = tmp_path / "data" / "photos"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / "link").symlink_to(root)
    return FileNames(NAMES, root, ("train", "test"), (tmp_path / "data", tmp_path))


@pytest.mark.parametrize(
    "written, name",
    [
        ("train/cat/1.png", 0),
        ("./train/cat/1.png", 0),
        ("train/../train//cat/1.png", 0),
        ("train\\cat\\2.png", 1),
        ("cat/2.png", 1),  # without its part
        ("photos/train/dog/1.png", 2),  # from the table's folder
        ("../data/photos/train/dog/1.png", 2),
        ("data/photos/test/cat/9.png", 3),  # from where Snakemake runs
        ("TRAIN/Cat/1.PNG", 0),
        ("9.png", 3),  # a bare name that is one image's
        ("9", 3),
        ("train/dog/1", 2),
        ("C:\\Users\\me\\photos\\train\\dog\\1.png", 2),
        ("/home/other/photos/test/cat/9.png", 3),
        (unicodedata.normalize("NFD", "test/café/x.jpg"), 4),
        ("café/x.jpg", 4),
        ("../other/train/cat/1.png", 0),
        ("  train/cat/1.png ", 0),
    ],
)
def test_a_row_means_one_image_however_it_is_written(known, written, name):
    assert known.find(written) == NAMES[name]


def test_absolute_paths_through_links_and_the_home_folder(known, tmp_path, monkeypatch):
    assert known.find(str(tmp_path / "data/photos/train/cat/1.png")) == NAMES[0]
    assert known.find(str(tmp_path / "link/train/cat/1.png")) == NAMES[0]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert known.find("~/data/photos/train/cat/1.png") == NAMES[0]
    monkeypatch.chdir(tmp_path)
    assert FileNames(NAMES, os.path.relpath(known.root)).find(str(tmp_path / "link/train/cat/2.png")) == NAMES[1]


@pytest.mark.parametrize("written", ["cat/7.png", "../train/cat/7.png", "1.jpg", "/elsewhere/1.jpg", "", "train/cat"])
def test_what_is_no_image_is_none(known, written):
    assert known.find(written) is None


@pytest.mark.parametrize("written", ["1.png", "1"])
def test_what_may_be_several_is_said(known, written):
    with pytest.raises(ValueError, match=rf"{written} may be train/cat/1\.png or train/dog/1\.png"):
        known.find(written)


def test_a_row_that_leaves_out_its_part_means_train_and_is_counted(tmp_path):
    known = FileNames(["test/cat/1.png", "train/cat/1.png", "test/cat/2.png"], tmp_path, ("train", "test"))
    assert known.find("cat/1.png") == "train/cat/1.png" and known.find("cat/2.png") == "test/cat/2.png"
    assert known.shortened == 1
    with pytest.raises(ValueError, match=r"/old/cat/1\.png may be train/cat/1\.png or test/cat/1\.png"):
        known.find("/old/cat/1.png")


def test_names_that_are_no_files_are_found_as_they_are():
    assert FileNames(["train/00001", "train/00002"], None).find("train/00002") == "train/00002"


@pytest.mark.parametrize("text", ["file,group\na,1\n", "file;group\na;1\n", "\ufefffile \t group\na\t1\n"])
def test_columns_are_divided_as_spreadsheets_do(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert list(user_table(tmp_path / "t.csv", "groups")) == [{"file": "a", "group": "1"}]


def test_a_row_may_leave_out_the_folder_of_all_images_and_no_other():
    assert shared_folder(["test/a/0.png", "test/b/0.png"]) == ["test"]
    assert shared_folder(["a/0.png", "b/0.png"]) == shared_folder([]) == []
    with pytest.raises(ValueError, match="may be a/0.png or b/0.png"):
        FileNames(["a/0.png", "b/0.png"], None, shared_folder(["a/0.png", "b/0.png"])).find("0.png")
