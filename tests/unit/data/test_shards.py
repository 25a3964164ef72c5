"""Parquet and tar shards: what is found in them, and each mistake in one sentence."""

import io
import json
import tarfile
from pathlib import Path

import four_forms
import numpy as np
import pyarrow
import pytest
from entries import entry
from PIL import Image
from pyarrow import parquet

from ftbench.base.errors import InputError
from ftbench.data.sources import load
from ftbench.study.listing import listing
from ftbench.study.rows.shards import shards_of


def read(settings: dict, part: str = "train", **changes) -> tuple[list[str], dict[str, str], list]:
    """(classes, {name: class}, loads)."""
    settings = entry(**settings | changes)
    classes, items = load(settings["source"]).read(settings, settings["path"], part)
    items = list(items)
    return classes, {name: classes[label] for name, label, _ in items}, [one for _, _, one in items]


def refused(settings: dict, **changes) -> str:
    with pytest.raises(InputError) as caught:
        for one in read(settings, **changes)[2]:
            one()
    text = str(caught.value)
    assert "\n" not in text and text.endswith("."), text
    return text


def notes(settings: dict, **changes) -> str:
    settings = entry(**settings | changes)
    return "\n".join(load(settings["source"]).remarks(settings, settings["path"])["notes"])


FOUND = four_forms.images({"train": 3, "test": 2})
TRAIN = {image["name"]: image["label"] for image in FOUND if image["part"] == "train"}


# Both kinds


@pytest.mark.parametrize("write", [four_forms.shards, four_forms.tars], ids=["parquet", "tar"])
def test_a_file_a_folder_and_a_pattern_are_read(tmp_path, write):
    settings = write(tmp_path / "set", FOUND, per_shard=3)
    for path in (tmp_path / "set", f"{tmp_path}/set/*-0*", f"{tmp_path}/*/*"):
        assert read(settings, path=str(path))[1] == TRAIN
    first = sorted((tmp_path / "set").glob("train-*"))[0]
    assert len(read(settings, path=str(first), test_fraction=0.4, parts={})[1]) < 3
    assert "does not exist; give a file, a folder or a pattern" in refused(settings, path=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    assert "holds no file that ends in" in refused(settings, path=str(tmp_path / "empty"))


@pytest.mark.parametrize("write", [four_forms.shards, four_forms.tars], ids=["parquet", "tar"])
def test_threads_read_the_same_image_as_one_does(tmp_path, write):
    from concurrent.futures import ThreadPoolExecutor

    _, names, loads = read(write(tmp_path, FOUND))
    wanted = {image["name"]: np.asarray(Image.open(io.BytesIO(image["data"]))) for image in FOUND}
    with ThreadPoolExecutor(4) as pool:
        for name, got in zip(names, pool.map(lambda one: one().pixels, loads)):
            assert (got == wanted[name]).all()


@pytest.mark.parametrize("write", [four_forms.shards, four_forms.tars], ids=["parquet", "tar"])
def test_corrupt_bytes_are_that_image_alone(tmp_path, write):
    found = [image | {"data": b"\x89PNG broken"} if image["name"] == "train/dog/001.png" else image for image in FOUND]
    _, names, loads = read(write(tmp_path, found))
    for name, one in zip(names, loads):
        if name == "train/dog/001.png":
            with pytest.raises(Exception, match="cannot identify"):
                one()
        else:
            assert one().pixels.ndim == 3


@pytest.mark.parametrize("write", [four_forms.shards, four_forms.tars], ids=["parquet", "tar"])
def test_a_shard_that_changes_or_appears_reruns_the_job_and_other_files_do_not(tmp_path, write):
    settings = entry(**write(tmp_path, FOUND))
    before = listing(settings, "shards")
    for name in (".hidden", "README.md"):
        (tmp_path / name).write_text("x")
    assert listing(settings, "shards") == before
    last = sorted(tmp_path.glob("train-*"))[-1]
    data = last.read_bytes()
    last.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert listing(settings, "shards") != before
    last.unlink()
    assert listing(settings, "shards") != before
    assert listing(settings | {"path": "hf:me/pets"}, "shards") is None


@pytest.mark.parametrize(
    "names, parts",
    [
        (["train-00000-of-00002.x", "train-00001-of-00002.x", "test-00000-of-00001.x"], ["train", "train", "test"]),
        (["data/train-00000-of-00001-0a1b2c3d4e5f.x", "data/validation-00000-of-00001-f0.x"], ["train", None]),
        (["default/train/0000.x", "default/test/0000.x"], ["train", "test"]),
        (["flowers-train-000001.x", "flowers-test-000001.x"], ["flowers-train", "flowers-test"]),
        (["part-00000.x"], [""]),
    ],
)
def test_the_part_of_a_shard_is_what_its_name_says_without_its_number(tmp_path, names, parts):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {shard.name: shard.part for shard in shards_of(tmp_path, (".x",))}
    for name, part in zip(names, parts):
        assert part is None or found[name] == part


# Parquet


def parquet_of(path: Path, rows: list[dict], features: dict | None = None) -> dict:
    path.mkdir(exist_ok=True)
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()} if features else {}
    parquet.write_table(pyarrow.Table.from_pylist(rows).replace_schema_metadata(metadata), path / "train.parquet")
    return {"source": "parquet", "path": str(path), "test_fraction": 0.5}


def rows_of(**more) -> list[dict]:
    return [{"img": image["data"], "label": number % 2} | more for number, image in enumerate(FOUND[:8])]


def test_classes_keep_the_order_of_the_features_and_numbers_alone_are_names(tmp_path):
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["zebra", "ant"]}}
    assert read(parquet_of(tmp_path, rows_of(), features))[0] == ["zebra", "ant"]
    assert read(parquet_of(tmp_path, rows_of()))[0] == ["0", "1"]
    assert "the label is taken from the column label" in notes(parquet_of(tmp_path, rows_of()))


def test_minus_one_is_no_label_and_a_number_without_a_name_is_a_sentence(tmp_path):
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["zebra", "ant"]}}
    rows = [*rows_of(), rows_of()[0] | {"label": -1}]
    assert "1 of 9 rows have no label, such as row 9" in refused(parquet_of(tmp_path, rows, features))
    rows[-1]["label"] = 2
    assert "has 2 in the column label, whose features name 2 classes" in refused(parquet_of(tmp_path, rows, features))


def test_several_images_or_labels_are_named_and_one_is_chosen(tmp_path):
    label = {"_type": "ClassLabel", "names": ["a", "b"]}
    rows = [row | {"mask": row["img"], "fine": row["label"]} for row in rows_of()]
    settings = parquet_of(tmp_path, rows)
    assert "several columns of images, img, mask; its columns are img, label, mask, fine" in refused(settings)
    settings = parquet_of(tmp_path, rows, {"img": {"_type": "Image"}, "label": label, "fine": label})
    assert "has several labels, label, fine; name the one to learn" in refused(settings)
    assert read(settings, columns={"label": "fine"})[0] == ["a", "b"]
    assert "no column 'fein'" in refused(settings, columns={"label": "fein"})
    assert "columns.file: train.parquet has no column 'x'" in refused(settings, columns={"file": "x"})
    assert "the column label of train.parquet holds int64, no encoded images" in refused(
        settings, columns={"file": "label"}
    )


def test_a_table_of_paths_is_sent_to_the_source_that_reads_them(tmp_path):
    settings = parquet_of(tmp_path, [{"file": "a.jpg", "label": "x"}])
    assert "no column of encoded images; its columns are file, label" in refused(settings)


def test_empty_and_damaged_parquet_is_a_sentence(tmp_path):
    settings = parquet_of(tmp_path, rows_of())
    whole = (tmp_path / "train.parquet").read_bytes()
    empty = pyarrow.Table.from_pylist(rows_of()).slice(0, 0)
    parquet.write_table(empty, tmp_path / "train.parquet")
    assert "1 shards and no row in them" in refused(settings)
    (tmp_path / "train2.parquet").write_bytes(whole)
    assert "train.parquet is empty" in notes(settings, parts={})
    (tmp_path / "train2.parquet").unlink()
    for damaged in (b"", whole[: len(whole) // 2], b"PAR1" + whole[4:-8] + b"\xff" * 8):
        (tmp_path / "train.parquet").write_bytes(damaged)
        assert "train.parquet cannot be read as parquet" in refused(settings)


def test_a_row_without_bytes_is_an_image_that_cannot_be_read(tmp_path):
    rows = [{"image": {"bytes": None if number == 3 else image["data"], "path": f"{number}.png"}, "label": number % 2}
            for number, image in enumerate(FOUND[:8])]  # fmt: skip
    settings = parquet_of(tmp_path, rows)
    both = {}
    for part in ("train", "test"):
        _, names, loads = read(settings, part)
        both |= dict(zip(names, loads))
    with pytest.raises(ValueError, match="holds no bytes of it"):
        both["3.png"]()
    assert both["2.png"]().pixels.ndim == 3


def test_shards_of_other_columns_are_refused(tmp_path):
    settings = parquet_of(tmp_path, rows_of())
    parquet.write_table(pyarrow.Table.from_pylist(rows_of(site="A")), tmp_path / "train-2.parquet")
    assert "train.parquet has the columns img, label, other ones than the shards before it" in refused(settings)


def test_names_that_are_not_unique_give_way_to_shard_and_row(tmp_path):
    rows = [
        {"image": {"bytes": image["data"], "path": "same.png"}, "label": number % 2}
        for number, image in enumerate(FOUND[:8])
    ]
    names = set(read(parquet_of(tmp_path, rows))[1]) | set(read(parquet_of(tmp_path, rows), "test")[1])
    assert names == {f"train/{row:06d}" for row in range(8)}


# Tar


def tar_of(path: Path, members: dict[str, bytes], name: str = "train.tar") -> dict:
    path.mkdir(exist_ok=True)
    with tarfile.open(path / name, "w") as archive:
        for member, data in members.items():
            four_forms.add(archive, member, data)
    return {"source": "tar", "path": str(path), "test_fraction": 0.5}


def samples(ending: str = "cls", count: int = 8) -> dict[str, bytes]:
    found = {}
    for number, image in enumerate(FOUND[:count]):
        label = {"cls": str(number % 2), "json": json.dumps({"label": "ab"[number % 2], "site": number, "box": [1, 2]})}
        found |= {f"{number:03d}.png": image["data"], f"{number:03d}.{ending}": label[ending].encode()}
    return found


def test_numbers_and_json_are_labels_and_the_rest_of_the_json_is_metadata(tmp_path):
    assert read(tar_of(tmp_path, samples()))[0] == ["0", "1"]
    settings = entry(**tar_of(tmp_path, samples("json")))
    assert read(settings)[0] == ["a", "b"]
    kept = load("tar").metadata(settings, settings["path"], ["003.png"])
    assert kept == {"site": ["3"], "box": ["[1, 2]"]}


def test_a_member_that_leads_out_is_refused_and_nothing_is_written(tmp_path):
    for name in ("../../out.png", "/etc/out.png", "a/../../out.png", "a\\..\\out.png"):
        settings = tar_of(tmp_path / "set", samples() | {name: FOUND[0]["data"]})
        assert "a name that leads out of the archive; nothing of it is read" in refused(settings)
    assert [path.name for path in tmp_path.rglob("*")] == ["set", "train.tar"]


def test_links_and_devices_are_passed_over_and_counted(tmp_path):
    settings = entry(**tar_of(tmp_path, samples()))
    with tarfile.open(tmp_path / "train.tar", "a") as archive:
        for kind, name in ((tarfile.SYMTYPE, "900.png"), (tarfile.LNKTYPE, "901.png"), (tarfile.FIFOTYPE, "902.png")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    left_out = load("tar").remarks(settings, settings["path"])["left_out"]
    assert left_out == {"links, devices and sparse files in archives": 3}
    assert len(read(settings)[1]) == 4


def test_what_is_wrong_with_samples_is_a_sentence(tmp_path):
    for extra, message in (
        ({"000.jpg": b"x"}, "000 of train.tar has the images png, jpg; name the ending to read"),
        ({"900.png": FOUND[0]["data"]}, "1 of 9 rows have no label, such as sample 9"),
        (
            {"900.png": FOUND[0]["data"], "900.cls": b"x" * 5000},
            "900.cls of train.tar has 5,000 bytes; a label has at most 4,096",
        ),
        ({"900.png": FOUND[0]["data"], "900.json": b"{"}, "what 900 of train.tar says cannot be read"),
        ({"900.png": FOUND[0]["data"], "900.cls": b"\xff"}, "what 900 of train.tar says cannot be read"),
    ):
        assert message in refused(tar_of(tmp_path, samples() | extra)), extra
    images = {name: data for name, data in samples().items() if name.endswith("png")}
    assert "have no label; each image needs a .cls or .json" in refused(tar_of(tmp_path, images))
    labels = {name: data for name, data in samples().items() if name.endswith("cls")}
    assert "holds no sample with an image" in refused(tar_of(tmp_path, labels))


def test_a_second_image_may_be_chosen_by_its_ending(tmp_path):
    found = samples() | {f"{number:03d}.seg.png": FOUND[-1 - number]["data"] for number in range(8)}
    assert all(name.endswith("0.png") or ".seg" not in name for name in read(tar_of(tmp_path, found))[1])
    chosen = read(tar_of(tmp_path, found), columns={"file": "seg.png"})[1]
    assert chosen and all(name.endswith(".seg.png") for name in chosen)


def test_empty_and_damaged_archives_are_sentences(tmp_path):
    settings = tar_of(tmp_path, samples())
    whole = (tmp_path / "train.tar").read_bytes()
    tar_of(tmp_path, {}, "train-2.tar")
    assert "train-2.tar holds no samples" in notes(settings)
    (tmp_path / "train-2.tar").unlink()
    for damaged in (b"", whole[:1000], b"no archive" * 100):
        (tmp_path / "train.tar").write_bytes(damaged)
        text = refused(settings)
        assert "cannot be read as tar" in text or "holds no sample" in text


def test_a_key_in_two_shards_is_told_apart_by_the_shard(tmp_path):
    settings = tar_of(tmp_path, samples(count=4), "train-1.tar")
    tar_of(tmp_path, samples(count=4), "train-2.tar")
    names = set(read(settings)[1]) | set(read(settings, "test")[1])
    assert len(names) == 8 and "train-1/000.png" in names and "train-2/000.png" in names
