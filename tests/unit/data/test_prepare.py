import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from entries import entry
from PIL import Image

from ftbench.base import verified
from ftbench.base.errors import InputError
from ftbench.data.decode.fit import fitted
from ftbench.data.prepare import prepare_test, prepare_train

TRAIN = ("images.npy", "labels.npy", "groups.npy", "classes.json", "files.csv", "train.json")
TEST = ("classes.json", "test_images.npy", "test_labels.npy", "test_files.csv", "test.json")


def write_image(path: Path, value: int, size=(8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], 3)
    Image.fromarray(np.random.default_rng(value).integers(0, 256, shape, dtype=np.uint8)).save(path)


@pytest.fixture
def root(tmp_path):
    for part, per_class in {"train": 4, "test": 2}.items():
        for label, name in enumerate(("cat", "dog")):
            for index in range(per_class):
                write_image(
                    tmp_path / "root" / part / name / f"{index}.png", 100 * (part == "test") + 10 * label + index
                )
    return tmp_path / "root"


def train(root, threads=1, out="out", **changes):
    out = root.parent / out
    settings = entry(path=str(root), **changes)
    prepare_train(settings, root, *(out / name for name in TRAIN), threads=threads)
    return read(out, "")


def test(root, out="out", **changes):
    out = root.parent / out
    prepare_test(entry(path=str(root), **changes), root, *(out / name for name in TEST))
    return read(out, "test_")


def read(out, prefix):
    with (out / f"{prefix}files.csv").open(newline="") as stream:
        files = list(csv.DictReader(stream))
    return {
        "images": np.load(out / f"{prefix}images.npy"),
        "labels": np.load(out / f"{prefix}labels.npy"),
        "groups": np.load(out / "groups.npy"),
        "classes": json.loads((out / "classes.json").read_text()),
        "files": [row["file"] for row in files],
        "ids": [int(row["id"]) for row in files],
        "summary": json.loads((out / ("test.json" if prefix else "train.json")).read_text()),
    }


test.__test__ = False


def test_arrays_hold_the_images(root):
    for got, count in ((train(root), 8), (test(root), 4)):
        assert got["images"].shape == (count, 8, 8, 3) and got["images"].dtype == np.uint8
        assert got["labels"].dtype == np.int64 and len(got["labels"]) == count
        assert got["classes"] == ["cat", "dog"]
        assert got["ids"] == list(range(count))
        for row, file in enumerate(got["files"]):
            assert (got["images"][row] == np.asarray(Image.open(root / file))).all()
            assert got["classes"][got["labels"][row]] == file.split("/")[1]
        summary = got["summary"]
        assert summary["images"] == count and summary["size"] == [8, 8] and summary["skipped"] == []
        assert summary["per_class"] == {"cat": count // 2, "dog": count // 2}


def test_array_can_be_mapped_and_nothing_else_is_left(root):
    train(root)
    assert np.load(root.parent / "out" / "images.npy", mmap_mode="r").shape == (8, 8, 8, 3)
    assert {path.name for path in (root.parent / "out").iterdir()} == {*TRAIN, verified.RECORD}


def test_digest_is_that_of_pixels_labels_and_classes(root):
    got = train(root)
    own = {"images": got["images"].tobytes(), "labels": (root.parent / "out/labels.npy").read_bytes()}
    assert got["summary"]["sha256"] == {name: hashlib.sha256(content).hexdigest() for name, content in own.items()}
    expected = hashlib.sha256(got["images"].tobytes() + got["labels"].tobytes())
    expected.update(json.dumps([got["classes"], [8, 8, 3]]).encode())
    assert got["summary"]["digest"] == expected.hexdigest()
    assert train(root, out="again")["summary"] == got["summary"]
    shutil.move(root / "train" / "cat" / "0.png", root / "train" / "dog" / "x.png")
    assert train(root, out="changed")["summary"]["digest"] != got["summary"]["digest"]


def test_threads_change_nothing(root):
    first, second = train(root), train(root, threads=3, out="threads")
    assert first["summary"] == second["summary"] and first["files"] == second["files"]


def test_equal_pixels_are_one_group_whatever_the_format(root):
    Image.open(root / "train" / "cat" / "0.png").save(root / "train" / "dog" / "copy.bmp")
    got = train(root)
    group = dict(zip(got["files"], got["groups"].tolist()))
    assert group["train/cat/0.png"] == group["train/dog/copy.bmp"]
    assert len(set(group.values())) == 8


def test_listed_groups_are_joined_with_duplicates(root, tmp_path):
    shutil.copy(root / "train" / "cat" / "1.png", root / "train" / "cat" / "copy.png")
    table = tmp_path / "groups.csv"
    table.write_text("file,group\ncat/0.png,a\ncat/1.png,a\n")
    got = train(root, groups=str(table), ungrouped="allow")
    group = dict(zip(got["files"], got["groups"].tolist()))
    assert (
        group["train/cat/0.png"] == group["train/cat/1.png"] == group["train/cat/copy.png"] != group["train/cat/2.png"]
    )


# Corrupt images


def corrupt(root, count=1, name="cat"):
    for index in range(count):
        (root / "train" / name / f"bad{index}.png").write_bytes(b"\x89PNG not really")


def test_every_corrupt_image_is_counted_and_the_first_five_are_named(root):
    corrupt(root, 7)
    with pytest.raises(InputError) as caught:
        train(root)
    text = str(caught.value)
    assert text.startswith("7 of 15 images cannot be decoded: train/cat/bad0.png (cannot identify")
    assert "bad4.png" in text and "bad5.png" not in text and "and 2 more" in text and "\n" not in text
    assert not list((root.parent / "out").iterdir()), "nothing half made is left"


def test_skipped_images_leave_no_row(root):
    expected = train(root, out="clean")
    corrupt(root, 2)
    (root / "train" / "dog" / "0a.txt").write_text("no image")
    whole = (root / "train" / "dog" / "1.png").read_bytes()
    (root / "train" / "dog" / "cut.png").write_bytes(whole[: len(whole) // 2])
    got = train(root, on_corrupt="skip")
    skipped = ["train/cat/bad0.png", "train/cat/bad1.png", "train/dog/cut.png"]
    assert got["summary"]["skipped"] == skipped
    assert got["summary"]["left_out"] == {"no image (.txt)": 1}
    assert (got["images"] == expected["images"]).all() and got["files"] == expected["files"]
    assert got["summary"]["digest"] == expected["summary"]["digest"]
    assert np.load(root.parent / "out" / "images.npy", mmap_mode="r").shape == (8, 8, 8, 3)


def test_first_image_may_be_the_corrupt_one(root):
    (root / "train" / "cat" / "000.png").write_bytes(b"")
    assert train(root, on_corrupt="skip")["images"].shape == (8, 8, 8, 3)


def test_class_left_without_images_is_named(root):
    for path in (root / "train" / "cat").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(InputError, match=r"class cat has no images \(4 corrupt ones were skipped\)"):
        train(root, on_corrupt="skip")


def test_broken_disk_is_not_a_corrupt_image(root, monkeypatch):
    def refuse(path, *args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(InputError, match="train/cat/0.png cannot be read: Input/output error"):
        train(root, on_corrupt="skip")


def test_floating_point_images_are_named(root):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(root / "train" / "cat" / "f.tif")
    with pytest.raises(InputError, match=r"f.tif \(floating point"):
        train(root)


# Sizes


def test_unequal_sizes_need_a_size(root):
    write_image(root / "train" / "dog" / "9.png", 1, size=(9, 8))
    with pytest.raises(
        InputError, match="image_size: null, but train/cat/0.png has 8x8 pixels and train/dog/9.png has 9x8"
    ):
        train(root)
    assert train(root, image_size=6)["images"].shape == (9, 6, 6, 3)
    assert test(root, image_size=6)["images"].shape == (4, 6, 6, 3)


def test_image_of_the_right_size_keeps_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    for fit in ("crop", "squash", "pad", "stretch"):
        assert (fitted(pixels, 8, fit) == pixels).all()
        assert (fitted(Image.fromarray(pixels), None, fit) == pixels).all()
    assert fitted(pixels[..., 0], None, "crop").shape == (8, 8, 3)


def test_crop_keeps_the_centre_and_stretch_keeps_everything():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255  # the middle third
    assert fitted(wide, 10, "crop").min() == 255
    assert fitted(wide.transpose(1, 0, 2), 10, "crop").min() == 255
    stretched = fitted(wide, 30, "stretch")
    assert stretched.shape == (30, 30, 3)
    assert stretched[:, :8].max() == 0 and stretched[:, 12:18].min() == 255 and stretched[:, 22:].max() == 0
    assert fitted(wide, 40, "crop").shape == (40, 40, 3)


def test_turning_and_cropping_commute():
    image = np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)
    turned = fitted(np.ascontiguousarray(np.rot90(image, 2)), 8, "crop")
    assert np.abs(np.rot90(turned, 2).astype(int) - fitted(image, 8, "crop")).max() <= 1


def test_only_uint8_is_taken():
    with pytest.raises(ValueError, match="float64"):
        fitted(np.zeros((4, 4, 3)), None, "crop")


# Classes and settings


def test_one_class_is_refused(root):
    shutil.rmtree(root / "train" / "cat")
    shutil.rmtree(root / "test" / "cat")
    with pytest.raises(InputError, match="has the one class dog; a study needs 2 or more"):
        train(root)


def test_classes_of_the_test_part_must_be_known(root):
    train(root)
    (root.parent / "out" / "classes.json").write_text('["cat", "cow"]')
    with pytest.raises(
        InputError, match="has the class dog in its test part only; the classes of the train part are cat"
    ):
        test(root)


def test_labels_of_the_test_part_follow_classes_json(root):
    train(root)
    (root.parent / "out" / "classes.json").write_text('["dog", "cat"]')
    got = test(root)
    assert [got["classes"][label] for label in got["labels"]] == [file.split("/")[1] for file in got["files"]]


@pytest.mark.parametrize("changes", [{"fit": "squeeze"}, {"on_corrupt": "ignore"}])
def test_unknown_choices_list_the_valid_ones(root, changes):
    with pytest.raises(InputError, match="valid are"):
        train(root, **changes)


def test_digits_are_prepared_alike(tmp_path):
    settings = entry(source="digits")
    prepare_train(settings, None, *(tmp_path / name for name in TRAIN))
    prepare_test(settings, None, *(tmp_path / name for name in TEST))
    got = read(tmp_path, "test_")
    assert got["images"].shape == (597, 8, 8, 3)
    assert len(np.load(tmp_path / "images.npy")) == 1200


@pytest.mark.parametrize("name", ["cat\x1b[2J", "do\ng", "\u202etac"])
def test_a_class_whose_name_would_steer_a_terminal_is_named_without_doing_so(root, name):
    for part in ("train", "test"):
        (root / part / "cat").rename(root / part / name)
    with pytest.raises(InputError, match="has the class .* whose name holds invisible characters; rename it") as caught:
        train(root)
    assert str(caught.value).isprintable()


# More than 8 bits


def deep(root, part, name, index, values):
    path = root / part / name / f"{index}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.fixture
def scans(tmp_path):
    """12 bits in 16: train holds 0 to 4000, test 100 to 4095."""
    ramp = np.linspace(0, 1, 64).reshape(8, 8)
    for label, name in enumerate(("cat", "dog")):
        for index in range(2):
            deep(tmp_path / "scans", "train", name, index, (ramp * (4000 - 1000 * label)).astype(np.uint16))
        deep(tmp_path / "scans", "test", name, 0, (100 + ramp * 3995).astype(np.uint16))
    return tmp_path / "scans"


def test_the_range_is_that_of_all_training_images_and_the_test_images_get_the_same(scans, capsys):
    got = train(scans)
    assert got["summary"]["range"] == [0, 4000] and got["summary"]["deep"] == 4
    assert [got["images"][row].max() for row in (0, 2)] == [255, 191]  # one range for all, not one per image
    assert (
        "4 of 4 images have more than 8 bits: their values 0 to 4000, the lowest and highest" in capsys.readouterr().out
    )
    out = scans.parent / "out"
    prepare_test(entry(path=str(scans)), scans, *(out / name for name in TEST), train=out / "train.json")
    tested = read(out, "test_")
    assert tested["images"].min() == 6 and tested["images"].max() == 255  # 100 and 4000 of 4000
    assert tested["summary"]["outside"] == {"images": 2, "values": 4}
    assert "4 values in 2 images of the test part lie outside of 0 to 4000 and are cut" in capsys.readouterr().out


def test_a_range_of_the_config_comes_first_and_holds_for_floating_point_too(scans):
    got = train(scans, range=[0, 8000])
    assert got["summary"]["range"] == [0, 8000] and got["images"].max() == 128
    deep(scans, "train", "dog", 9, np.linspace(0, 8000, 64, dtype=np.float32).reshape(8, 8))
    assert train(scans, range=[0, 8000])["images"][-1].max() == 255
    with pytest.raises(
        InputError, match=r"9\.tif \(floating point pixels have no known range; give it by the key range"
    ):
        train(scans)


def test_signed_values_and_outliers(scans, capsys):
    hot = np.full((40, 40), 1000, np.int32)
    hot[0, 0] = 60_000
    for name in ("cat", "dog"):
        deep(scans, "train", name, 8, np.pad(hot[:8, :8], 0))
        deep(scans, "train", name, 7, np.linspace(-1000, 1000, 64).reshape(8, 8).astype(np.int32))
    assert train(scans)["summary"]["range"] == [-1000, 60_000]


def test_few_outliers_are_said(tmp_path, capsys):
    for name in ("cat", "dog"):
        values = np.random.default_rng(0).integers(0, 1000, (64, 64)).astype(np.uint16)
        values[0, 0] = 65_535
        deep(tmp_path / "hot", "train", name, 0, values)
        deep(tmp_path / "hot", "test", name, 0, values)
    got = train(tmp_path / "hot")
    assert got["summary"]["range"] == [0, 65_535]
    assert "Few outliers stretch that range: nearly all values are" in capsys.readouterr().out
    low, high = got["summary"]["range_without_outliers"]
    assert 0 <= low < 5 and 990 < high < 1000


def test_test_images_of_more_bits_than_any_training_image_are_refused(root):
    train(root)
    deep(root, "test", "cat", 7, np.zeros((8, 8), np.uint16))
    with pytest.raises(InputError, match=r"range: null, and the test image test/cat/7\.tif has more than 8 bits"):
        test(root)


def test_dark_images_are_said(root, capsys):
    for path in sorted((root / "train").rglob("*.png")):
        Image.fromarray(np.asarray(Image.open(path)) // 16).save(path)
    train(root)
    assert "No pixel of the train part is brighter than 15 of 255" in capsys.readouterr().out


# What is said


def test_contradictory_labels_are_said_first(root, capsys):
    shutil.copy(root / "train/cat/0.png", root / "train/dog/copy.png")
    Image.open(root / "train/cat/1.png").save(root / "train/dog/other.bmp")
    got = train(root)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == (
        "CONTRADICTORY LABELS: 2 pictures of the train part stand in several classes, such as train/cat/0.png (cat) and "
        "train/dog/copy.png (dog); at least one label of each is wrong."
    )
    assert told[1] == "train: 10 images in 2 classes: cat 4, dog 6."
    assert got["summary"]["contradictory"]["pictures"] == 2 and got["summary"]["contradictory"]["images"] == 4


def test_given_validation_rows_come_last_and_are_counted(root):
    for name in ("cat", "dog"):
        write_image(root / "val" / name / "0.png", 500 + len(name) + (name == "dog"))
    got = train(root, validation="given")
    assert got["summary"]["given_validation"] == 2 and got["files"][-2:] == ["val/cat/0.png", "val/dog/0.png"]
    assert len(got["files"]) == 10


def test_padding_keeps_the_whole_image_on_black():
    wide = np.full((10, 30, 3), 200, np.uint8)
    padded = fitted(wide, 30, "pad")
    assert padded.shape == (30, 30, 3)
    assert (padded[10:20] == 200).all() and padded[:10].max() == 0 and padded[20:].max() == 0
    assert (fitted(wide, (10, 30), "pad") == wide).all()
