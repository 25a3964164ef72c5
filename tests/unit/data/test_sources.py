import gc
import json
import os
import shutil
import socket
import time
import urllib.request
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_archives
from entries import entry
from PIL import Image

from ftbench.base.digests import md5_of_file
from ftbench.base.errors import InputError
from ftbench.data import sources
from ftbench.data.decode.open_image import Opened
from ftbench.data.download_dataset import download_dataset
from ftbench.data.sources import digits, imagefolder, torchvision
from ftbench.study import kinds


def collect(read):
    """(classes, names, labels, arrays) of what a source's `read` returned."""
    classes, items = read
    items = list(items)
    arrays = [np.asarray(got.pixels if isinstance(got := load(), Opened) else got) for _, _, load in items]
    return classes, [name for name, _, _ in items], [label for _, label, _ in items], arrays


def write_image(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(value).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return path


def make_folder(root: Path, per_class: dict[str, int], first: int = 0) -> Path:
    number = first
    for name, count in per_class.items():
        for index in range(count):
            write_image(root / name / f"{index:03d}.png", number)
            number += 1
    return root


# All kinds


def test_every_kind_has_the_same_functions():
    for kind in kinds.names("sources"):
        module = sources.load(kind)
        for function in ("archives", "about", "read", "group_keys", "remarks"):
            assert callable(getattr(module, function)), (kind, function)


def test_unknown_kind_lists_the_valid_ones():
    with pytest.raises(InputError, match="valid are digits, imagefolder, "):
        sources.load("imagefoldr")


def test_unknown_part_is_refused(tmp_path):
    with pytest.raises(InputError, match="valid are test, train"):
        digits.read(entry(source="digits"), None, "validation")


# digits


def test_digits_parts_are_the_data_set_without_overlap():
    from sklearn.datasets import load_digits

    classes, names, labels, arrays = collect(digits.read(entry(source="digits"), None, "train"))
    _, test_names, test_labels, test_arrays = collect(digits.read(entry(source="digits"), None, "test"))
    assert (len(names), len(test_names)) == (1200, 597)
    assert classes == [str(number) for number in range(10)]
    assert len(set(names + test_names)) == 1797
    assert labels + test_labels == load_digits().target.tolist()
    everything = np.stack(arrays + test_arrays)
    assert everything.shape == (1797, 8, 8, 3) and everything.dtype == np.uint8
    assert everything.max() == 255
    assert (np.round(everything[..., 0] * (16 / 255)) == load_digits().images).all()


def test_digits_are_those_of_scikit_learns_own_function_wherever_it_keeps_the_file(monkeypatch):
    own = digits._load()
    monkeypatch.setattr(
        digits.importlib.util, "find_spec", lambda _: SimpleNamespace(submodule_search_locations=["gone"])
    )
    theirs = digits._load()
    assert all(np.array_equal(one, other) for one, other in zip(own, theirs))
    assert own[0].shape == (1797, 8, 8) and own[1].shape == (1797,)


@pytest.mark.parametrize("changes", [{"groups": "groups.csv"}, {"test_fraction": 0.2}])
def test_settings_of_folders_are_refused_elsewhere(tmp_path, changes):
    with pytest.raises(InputError, match="works with source imagefolder"):
        digits.read(entry(source="digits", **changes), None, "train")
    with pytest.raises(InputError, match="works with source imagefolder"):
        torchvision.read(entry(source="torchvision", name="MNIST", **changes), tmp_path, "train")


def test_copy_left_behind_by_a_killed_job_is_removed_and_a_fresh_one_is_not(tmp_path):
    md5 = tiny_archives.build("CIFAR10", tmp_path)
    for name, age in ((".unpacked-1-old", 10**6), (".unpacked-2-new", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    torchvision.read(tv("CIFAR10", md5=md5), tmp_path, "train")
    gc.collect()  # a circle of references may hold what was read
    assert [path.name for path in tmp_path.glob(".unpacked-*")] == [".unpacked-2-new"]


# torchvision: coarse labels, and what was unpacked by hand


def test_the_superclasses_of_cifar100_can_be_the_labels(tmp_path):
    md5 = tiny_archives.build("CIFAR100", tmp_path)
    fine = collect(torchvision.read(tv("CIFAR100", md5=md5), tmp_path, "train"))
    assert (
        collect(torchvision.read(tv("CIFAR100", md5=md5, columns={"label": "fine"}), tmp_path, "train"))[2] == fine[2]
    )
    coarse = collect(torchvision.read(tv("CIFAR100", md5=md5, columns={"label": "coarse"}), tmp_path, "train"))
    assert coarse[0] == ["beast", "fruit"] and coarse[2] == [1 - label for label in fine[2]]
    assert coarse[1] == fine[1] and all((one == other).all() for one, other in zip(coarse[3], fine[3]))
    for name, columns in (
        ("CIFAR10", {"label": "coarse"}),
        ("CIFAR100", {"label": "course"}),
        ("CIFAR100", {"file": "x"}),
    ):
        with pytest.raises(InputError, match="CIFAR100 alone has labels to choose from"):
            torchvision.archives(tv(name, columns=columns))


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100", "DTD", "Flowers102", "Food101", "OxfordIIITPet", "STL10"])
def test_archives_that_were_unpacked_by_hand_are_read_where_the_download_would_lie(tmp_path, name):
    there, by_hand = tmp_path / "archives", tmp_path / "unpacked"
    there.mkdir()
    by_hand.mkdir()
    settings = tv(name, md5=tiny_archives.build(name, there))
    assert torchvision.unpacked(settings, there) is None and torchvision.unpacked(settings, by_hand) is None
    for archive in torchvision.archives(settings):
        if (there / archive["file"]).suffix in (".gz", ".tgz", ".zip"):
            shutil.unpack_archive(there / archive["file"], by_hand)
        else:
            shutil.copy(there / archive["file"], by_hand)
    for part in ("train", "test"):
        one, other = (collect(torchvision.read(settings, root, part)) for root in (there, by_hand))
        if not any((by_hand / archive["file"]).exists() for archive in torchvision.archives(settings)):
            assert one[:3] == other[:3] and all((a == b).all() for a, b in zip(one[3], other[3]))


def test_unpacked_files_are_compared_with_torchvisions_checksums(tmp_path):
    settings = tv("CIFAR10", md5=tiny_archives.build("CIFAR10", tmp_path))
    archive = tmp_path / "cifar-10-python.tar.gz"
    shutil.unpack_archive(archive, tmp_path)
    archive.unlink()
    assert torchvision.unpacked(settings, tmp_path) == tmp_path  # md5 says that it was repacked
    with pytest.raises(
        InputError, match=r"data_batch_1 has md5 .* instead of c99cafc152244af753f735de768cd75f; remove the unpacked"
    ):
        torchvision.unpacked(settings | {"md5": None}, tmp_path)
    done = tmp_path / "files.json"
    download_dataset(settings, tmp_path, done, report=lambda sentence: None)
    assert [file["url"] for file in json.loads(done.read_text())["files"]] == [None]


# torchvision: which archives


def tv(name, **changes):
    return entry(source="torchvision", name=name, **changes)


def test_every_set_has_urls_checksums_and_a_builder_here():
    assert sorted(tiny_archives.BUILDERS) == torchvision.NAMES
    for name in torchvision.NAMES:
        archives = torchvision.archives(tv(name))
        assert archives
        for archive in archives:
            assert archive["urls"] and all(url.endswith(f"/{archive['file']}") for url in archive["urls"])
            assert len(archive["md5"]) == 32 and int(archive["md5"], 16) >= 0
        assert torchvision.about(tv(name))["homepage"].startswith("http")


def test_mirrors_come_first_and_a_checksum_replaces_the_published_one():
    settings = tv("CIFAR10", urls=["https://mirror/folder/", "https://other/repacked.tar.gz"], md5="AB" * 16)
    (archive,) = torchvision.archives(settings)
    assert archive["urls"][:2] == ["https://mirror/folder/cifar-10-python.tar.gz", "https://other/repacked.tar.gz"]
    assert "toronto" in archive["urls"][2]
    assert archive["md5"] == "ab" * 16
    archives = torchvision.archives(tv("MNIST", md5={"train-images-idx3-ubyte.gz": "0" * 32}))
    assert [archive["md5"] == "0" * 32 for archive in archives] == [True, False, False, False]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"name": "CIFAR11"}, "valid are CIFAR10, CIFAR100"),
        ({"name": None}, "valid are CIFAR10, CIFAR100"),
        ({"name": "MNIST", "urls": ["https://mirror/train.gz"]}, "ending in /"),
        ({"name": "MNIST", "md5": "0" * 32}, "several files"),
        ({"name": "CIFAR10", "md5": {"cifar.tgz": "0" * 32}}, "its files are cifar-10-python.tar.gz"),
    ],
)
def test_settings_that_do_not_fit_a_set(changes, message):
    with pytest.raises(InputError, match=message):
        torchvision.archives(entry(source="torchvision", **changes))


# torchvision: reading


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("reading must not touch the network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("name", torchvision.NAMES)
def test_every_set_is_read_from_its_archives_without_a_network(name, tmp_path, offline):
    md5 = tiny_archives.build(name, tmp_path)
    before = sorted(tmp_path.iterdir())
    for part, expected in (("train", tiny_archives.TRAIN), ("test", tiny_archives.TEST)):
        classes, names, labels, arrays = collect(torchvision.read(tv(name, md5=md5), tmp_path, part))
        assert sorted(labels) == sorted(expected)
        if name not in ("Country211", "Food101", "GTSRB", "RenderedSST2"):  # these come sorted by class
            assert labels == expected
        assert len(set(names)) == len(names)
        assert all(type(label) is int for label in labels)
        assert len(classes) >= 2 and all(isinstance(text, str) for text in classes)
        assert all(array.dtype == np.uint8 and array.ndim in (2, 3) for array in arrays)
        assert all(array.std() > 0 for array in arrays)
    assert sorted(tmp_path.iterdir()) == before, "the unpacked copy must be gone"


def test_official_validation_images_are_train_images(tmp_path, offline):
    md5 = tiny_archives.build("DTD", tmp_path)
    _, names, _, _ = collect(torchvision.read(tv("DTD", md5=md5), tmp_path, "train"))
    _, test_names, _, _ = collect(torchvision.read(tv("DTD", md5=md5), tmp_path, "test"))
    assert len(names) == len(tiny_archives.TRAIN)
    assert not set(names) & set(test_names)


def test_frames_of_a_traffic_sign_are_one_group(tmp_path, offline):
    md5 = tiny_archives.build("GTSRB", tmp_path)
    classes, names, _, _ = collect(torchvision.read(tv("GTSRB", md5=md5), tmp_path, "train"))
    assert len(classes) == 43 and len(set(classes)) == 43
    keys = torchvision.group_keys(tv("GTSRB"), tmp_path, names)
    assert keys[0] == keys[1] != keys[2]
    assert torchvision.group_keys(tv("CIFAR10"), tmp_path, ["train/00000"]) == [None]


def test_missing_archive_is_named(tmp_path):
    with pytest.raises(InputError, match="cifar-10-python.tar.gz is missing.*from https://www.cs.toronto.edu"):
        torchvision.read(tv("CIFAR10"), tmp_path, "train")


@pytest.mark.parametrize("content", [b"not an archive", b""])
def test_broken_archive_is_named(tmp_path, content):
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be unpacked"):
        torchvision.read(tv("CIFAR10", md5=md5_of_file(path)), tmp_path, "train")


def test_truncated_archive_is_named(tmp_path):
    tiny_archives.build("CIFAR10", tmp_path)
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be unpacked"):
        torchvision.read(tv("CIFAR10", md5=md5_of_file(path)), tmp_path, "train")


def test_an_archive_that_was_replaced_since_its_download_is_not_opened(tmp_path):
    tiny_archives.build("CIFAR10", tmp_path)
    with pytest.raises(InputError, match=r"has md5 \w{32} instead of c58f30108f718f92721af3b95e74349a; delete it"):
        torchvision.read(tv("CIFAR10"), tmp_path, "train")


# imagefolder: which files


def folder(root, part, **changes):
    return collect(imagefolder.read(entry(path=str(root), **changes), root, part))


@pytest.fixture
def parts(tmp_path):
    make_folder(tmp_path / "train", {"dog": 3, "cat": 2})
    make_folder(tmp_path / "test", {"cat": 1, "dog": 2}, first=100)
    return tmp_path


def test_parts_are_the_folders_in_sorted_order(parts):
    classes, names, labels, _ = folder(parts, "train")
    assert classes == ["cat", "dog"]
    assert names == ["train/cat/000.png", "train/cat/001.png", *(f"train/dog/00{i}.png" for i in range(3))]
    assert labels == [0, 0, 1, 1, 1]
    assert folder(parts, "test")[1] == ["test/cat/000.png", "test/dog/000.png", "test/dog/001.png"]


def test_order_does_not_depend_on_the_file_system(parts, monkeypatch):
    expected = folder(parts, "train")[1]
    walk, iterdir = os.walk, Path.iterdir
    monkeypatch.setattr(
        os, "walk", lambda *a, **k: ((place, dirs, files[::-1]) for place, dirs, files in walk(*a, **k))
    )
    monkeypatch.setattr(Path, "iterdir", lambda self: reversed(list(iterdir(self))))
    assert folder(parts, "train")[1] == expected


def test_train_decodes_no_test_image(parts, monkeypatch):
    opened = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda path, *a, **k: opened.append(str(path)) or real(path, *a, **k))
    folder(parts, "train")
    assert len(opened) == 5 and not any("/test/" in path for path in opened)


def test_hidden_files_and_what_lies_beside_are_ignored_and_nesting_is_read(parts):
    (parts / "train" / ".DS_Store").write_text("x")
    (parts / "train" / "notes.txt").write_text("x")
    (parts / "train" / ".cache").mkdir()
    (parts / "train" / "cat" / ".thumbs").mkdir()
    (parts / "train" / "cat" / ".thumbs" / "a.png").write_text("x")
    write_image(parts / "train" / "cat" / "deep" / "er" / "x.jpg", 7)
    (parts / "train" / "cat" / "loop").symlink_to(parts / "train" / "cat")
    _, names, labels, _ = folder(parts, "train")
    assert "train/cat/deep/er/x.jpg" in names
    assert len(names) == 6 and labels.count(0) == 3


@pytest.mark.parametrize(
    "change, changes, message",
    [
        (lambda root: shutil.rmtree(root), {}, "is not a folder"),
        (lambda root: shutil.rmtree(root / "test"), {}, "has a folder train and no folder test"),
        (lambda root: shutil.rmtree(root / "test" / "cat"), {}, "train has the class cat, which .*test lacks"),
        (
            lambda root: write_image(root / "test" / "bird" / "a.png"),
            {},
            "test has the class bird, which .*train lacks",
        ),
        (lambda root: (root / "train" / "cow").mkdir(), {}, "class cow"),
        (lambda root: [p.unlink() for p in (root / "train" / "cat").iterdir()], {}, "cat holds no images"),
        (lambda root: None, {"test_fraction": 0.2}, "set it to null"),
    ],
)
def test_wrong_layouts_get_one_sentence(parts, change, changes, message):
    change(parts)
    with pytest.raises(InputError, match=message) as caught:
        folder(parts, "train", **changes)
    assert "\n" not in str(caught.value)


def test_empty_root_and_missing_test_fraction(tmp_path):
    with pytest.raises(InputError, match="holds no class folders"):
        folder(tmp_path, "train", test_fraction=0.2)
    make_folder(tmp_path, {"cat": 3, "dog": 3})
    with pytest.raises(InputError, match="test_fraction: null"):
        folder(tmp_path, "train")


# imagefolder: the test part that is drawn


@pytest.mark.parametrize("seed", range(3))
def test_drawn_parts_are_disjoint_complete_and_stratified(tmp_path, seed):
    make_folder(tmp_path, {"cat": 10, "dog": 20})
    changes = {"test_fraction": 0.3, "split_seed": seed}
    _, train, _, _ = folder(tmp_path, "train", **changes)
    _, test, test_labels, _ = folder(tmp_path, "test", **changes)
    assert not set(train) & set(test)
    assert len(train) + len(test) == 30
    assert Counter(test_labels) == {0: 3, 1: 6}
    assert folder(tmp_path, "test", **changes)[1] == test


def test_drawn_parts_keep_equal_files_and_listed_groups_together(tmp_path):
    root = make_folder(tmp_path / "images", {"cat": 12, "dog": 12})
    for index in range(4):
        shutil.copy(root / "cat" / f"{index:03d}.png", root / "cat" / f"copy{index}.png")
    table = tmp_path / "groups.csv"
    # 000 to 003 are one patient by the table, so their copies are too
    table.write_text("file,group\n" + "".join(f"cat/00{i}.png,a\n" for i in range(4)))
    for seed in range(8):
        changes = {"test_fraction": 0.5, "split_seed": seed, "groups": str(table), "ungrouped": "allow"}
        test = set(folder(root, "test", **changes)[1])
        together = [f"cat/00{i}.png" in test for i in range(4)] + [f"cat/copy{i}.png" in test for i in range(4)]
        assert len(set(together)) == 1


def test_drawing_decodes_nothing(tmp_path, monkeypatch):
    make_folder(tmp_path, {"cat": 5, "dog": 5})
    monkeypatch.setattr(Image, "open", lambda *a, **k: pytest.fail("decoded"))
    imagefolder.read(entry(path=str(tmp_path), test_fraction=0.2), tmp_path, "train")


# imagefolder: groups


def keys(parts, text, names=("train/cat/000.png", "train/dog/000.png")):
    table = parts.parent / "groups.csv"
    table.write_text(text)
    return imagefolder.group_keys(entry(groups=str(table), ungrouped="allow"), parts, list(names))


def test_listed_files_with_or_without_the_part(parts):
    assert keys(parts, "file,group\ntrain/cat/000.png,a\n./dog/000.png,b\n") == ["a", "b"]
    assert keys(parts, "\ufefffile,group,note\ntest/cat/000.png,a,x\n") == [None, None]


@pytest.mark.parametrize(
    "text, message",
    [
        ("name,group\ncat/000.png,a\n", "columns file, group"),
        ("", "no header"),
        ("file,group\ncat/999.png,a\n", "lists cat/999.png, which is not below"),
        ("file,group\ncat/000.png,\n", "line 2 of"),
        ("file,group\ncat/000.png\n", "line 2 of"),
        ("file,group\ncat/000.png,a\ncat/000.png,b\n", "a file has one group"),
    ],
)
def test_wrong_tables_get_one_sentence(parts, text, message):
    with pytest.raises(InputError, match=message):
        keys(parts, text)


def test_missing_table(parts):
    with pytest.raises(InputError, match="does not exist"):
        imagefolder.group_keys(entry(groups=str(parts / "none.csv")), parts, [])


# imagefolder: decoding


def decoded(path, low_high=(0, 65535)) -> np.ndarray:
    return np.asarray(imagefolder.open_rgb(path, low_high))


def test_modes_become_rgb(tmp_path):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    rgb = np.stack([grey, grey, grey], axis=2)

    def saved(image, name, **options):
        image.save(tmp_path / name, **options)
        return decoded(tmp_path / name)

    assert (saved(Image.fromarray(grey), "grey.png") == rgb).all()
    assert (saved(Image.fromarray(grey.astype(np.uint16) * 257), "deep.png") == rgb).all()
    assert (saved(Image.fromarray(grey.astype(np.int32) * 257), "deep.tif") == rgb).all()
    assert (saved(Image.fromarray(rgb).quantize(256), "palette.png") == rgb).all()
    assert saved(Image.fromarray(grey > 99), "bits.png").max() == 255
    assert saved(Image.fromarray(rgb).convert("CMYK"), "print.jpg").shape == (8, 8, 3)
    assert saved(Image.fromarray(rgb), "x.webp", lossless=True).shape == (8, 8, 3)
    with pytest.raises(ValueError, match="floating point"):
        Image.fromarray(grey.astype(np.float32)).save(tmp_path / "float.tif")
        imagefolder.open_rgb(tmp_path / "float.tif")
    assert (decoded(tmp_path / "float.tif", (0, 255)) == rgb).all()


def test_transparency_becomes_white(tmp_path):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert decoded(tmp_path / "a.png")[:2].max() == 0 and decoded(tmp_path / "a.png")[2:].min() == 255
    Image.fromarray(rgba[..., 0]).save(tmp_path / "b.png", transparency=0)
    assert decoded(tmp_path / "b.png").min() == 255


def test_orientation_is_applied(tmp_path):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, :2] = 255
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise
    image.save(tmp_path / "a.png", exif=exif)
    turned = decoded(tmp_path / "a.png")
    assert turned.shape == (8, 4, 3)
    assert turned[:2].min() == 255 and turned[2:].max() == 0


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (decoded(tmp_path / "a.gif") == (255, 0, 0)).all()


# imagefolder: the user's tables


def test_groups_leak_into_no_drawn_part_whichever_way_the_table_writes_paths(tmp_path):
    root = make_folder(tmp_path / "photos", {"cat": 24, "dog": 24})
    for start in (f"{root}/", "photos/", "../photos/", "./", "", f"{tmp_path}/x/../photos/"):
        table = tmp_path / "groups.csv"
        names = [f"{name}/{i:03d}.png" for name in ("cat", "dog") for i in range(24)]
        table.write_text("file,group\n" + "".join(f"{start}{name},{name[:3]}{int(name[4:7]) // 4}\n" for name in names))
        changes = {"test_fraction": 0.25, "groups": str(table)}
        sides = {}
        for part in ("train", "test"):
            for name in folder(root, part, **changes)[1]:
                sides.setdefault(name[:3] + str(int(name[4:7]) // 4), set()).add(part)
        assert len(sides) == 12 and all(len(side) == 1 for side in sides.values()), start


def test_an_image_that_no_row_names_is_refused_or_said(parts):
    table = parts.parent / "groups.csv"
    table.write_text("file,group\ntrain/cat/000.png,a\n")
    with pytest.raises(
        InputError, match=r"names no group for 4 of 5 images of train, such as train/cat/001\.png; .* ungrouped: allow"
    ):
        folder(parts, "train", groups=str(table))
    settings = entry(groups=str(table), ungrouped="allow")
    imagefolder.read(settings, parts, "train")
    notes = imagefolder.remarks(settings, parts)["notes"]
    assert [note for note in notes if "names no group for 4 of 5 images of train" in note]
    assert [note for note in notes if "names no group for 3 of 3 images of test" in note]


def test_a_group_in_both_of_the_folder_s_own_parts_is_a_leak(parts):
    table = parts.parent / "groups.csv"
    names = [f"train/cat/00{i}.png" for i in range(2)] + [f"train/dog/00{i}.png" for i in range(3)]
    names += ["test/cat/000.png", "test/dog/000.png", "test/dog/001.png"]
    table.write_text("file,group\n" + "".join(f"{name},{name[-5]}\n" for name in names))
    with pytest.raises(
        InputError,
        match=r"2 groups of .* stand in train and in test, such as 0 \(train/cat/000\.png and test/cat/000\.png\)",
    ):
        folder(parts, "train", groups=str(table))
    with pytest.raises(InputError, match="group_leaks: allow"):
        folder(parts, "test", groups=str(table))
    allowed = entry(groups=str(table), group_leaks="allow")
    assert imagefolder.group_keys(allowed, parts, ["train/cat/001.png"]) == ["1"]
    assert any(note.startswith("LEAK: 2 groups") for note in imagefolder.remarks(allowed, parts)["notes"])


def test_a_given_validation_part_is_a_part_of_its_own(parts):
    make_folder(parts / "val", {"cat": 1, "dog": 1}, first=200)
    changes = {"validation": "given"}
    assert folder(parts, "validation", **changes)[1] == ["val/cat/000.png", "val/dog/000.png"]
    assert len(folder(parts, "train", **changes)[1]) == 5
    assert len(folder(parts, "train", validation="merge")[1]) == 7
    with pytest.raises(InputError, match="valid are test, train"):
        folder(parts, "validation", validation="merge")
