"""Images that the rows of a table name: which columns, which files, which parts; and each mistake in one sentence."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from entries import entry
from PIL import Image
from pyarrow import parquet

from ftbench.base.errors import InputError
from ftbench.data.sources import table
from ftbench.study.listing import listing

CLASSES = ("cat", "dog", "owl")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve images, 0000.png to 000b.png, in tmp_path/photos."""
    (tmp_path / "photos").mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number:04x}.png")
    return tmp_path


def rows(ending: str = ".png") -> list[dict]:
    return [{"file": f"{number:04x}{ending}", "label": CLASSES[number % 3]} for number in range(12)]


def write(folder: Path, found: list[dict], name: str = "labels.csv") -> dict:
    """The entry of a table with these rows."""
    with (folder / name).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    return entry(source="table", path=str(folder / name), images=str(folder / "photos"), test_fraction=0.25)


def read(settings: dict, part: str = "train") -> tuple[list[str], list[tuple[str, str]]]:
    """(classes, [(name, class)])."""
    classes, items = table.read(settings, settings["path"], part)
    return classes, [(name, classes[label]) for name, label, _ in items]


def both(settings: dict) -> dict[str, str]:
    return dict(read(settings)[1] + read(settings, "test")[1])


def notes(settings: dict) -> str:
    return "\n".join(table.remarks(settings, settings["path"])["notes"])


def refused(settings: dict, part: str = "train") -> str:
    with pytest.raises(InputError) as caught:
        read(settings, part)
    text = str(caught.value)
    assert "\n" not in text and text.endswith("."), text
    return text


WANTED = {row["file"]: row["label"] for row in rows()}


# How files, labels and columns may be written


@pytest.mark.parametrize("ending", [".png", "", ".PNG"])
def test_a_file_may_be_written_without_its_ending(folder, ending):
    assert both(write(folder, rows(ending))) == WANTED


@pytest.mark.parametrize("form", ["photos/{}", "./photos/{}", "{root}/photos/{}", "C:\\data\\photos\\{}"])
def test_a_file_may_be_written_from_anywhere(folder, form):
    found = [row | {"file": form.format(row["file"], root=folder)} for row in rows()]
    assert both(write(folder, found)) == WANTED


def test_the_order_is_that_of_classes_and_names(folder):
    for order in (rows(), rows()[::-1]):
        classes, pairs = read(write(folder, order))
        assert classes == sorted(CLASSES)
        assert pairs == sorted(pairs, key=lambda pair: (pair[1], pair[0]))


def test_one_hot_columns_are_classes_and_said(folder):
    found = [{"image_id": row["file"][:-4], **{name: int(name == row["label"]) for name in CLASSES}} for row in rows()]
    settings = write(folder, found)
    assert both(settings) == WANTED
    assert "the 3 columns cat, dog, owl of labels.csv are taken for classes" in notes(settings)
    some = settings | {"columns": {"label": list(CLASSES)}}
    assert both(some) == WANTED
    found[2] |= {"cat": 1}
    write(folder, found)
    assert "line 4 of labels.csv has the classes cat, owl; an image has one" in refused(some)
    assert "say by columns: {label: ...}" in refused(settings)
    found[2] |= {"cat": 0, "owl": "x"}
    write(folder, found)
    assert "has 'x' in the column owl" in refused(some)


def test_usual_names_are_found_and_said_and_others_are_given(folder):
    found = [{"Image_ID": row["file"], "Breed": row["label"], "site": "A"} for row in rows()]
    settings = write(folder, found)
    assert both(settings) == WANTED
    assert "the file is taken from the column Image_ID" in notes(settings) and "from the column Breed" in notes(
        settings
    )
    odd = [{"bild": row["file"], "art": row["label"]} for row in rows()]
    settings = write(folder, odd)
    assert "has the columns bild, art; say by columns: {file: ...}" in refused(settings)
    assert both(settings | {"columns": {"file": "bild", "label": "art"}}) == WANTED
    assert "no column 'tier'; its columns are bild, art" in refused(settings | {"columns": {"file": "tier"}})


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "semicolons.csv", "t.jsonl", "list.json", "t.parquet"])
def test_every_form_of_a_table_gives_the_same(folder, name):
    settings, path = write(folder, [row | {"age": index} for index, row in enumerate(rows())]), folder / name
    text = (folder / "labels.csv").read_text(encoding="utf-8")
    records = [row | {"age": index} for index, row in enumerate(rows())]
    if name == "t.tsv":
        path.write_text(text.replace(",", "\t"), encoding="utf-8")
    elif name == "semicolons.csv":
        path.write_text(text.replace(",", ";"), encoding="utf-8-sig")
    elif name == "t.jsonl":
        path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    elif name == "list.json":
        path.write_text(json.dumps(records), encoding="utf-8")
    elif name == "t.parquet":
        parquet.write_table(pyarrow.Table.from_pylist(records), path)
    else:
        path.write_text(text, encoding="utf-8")
    settings |= {"path": str(path)}
    assert both(settings) == WANTED
    assert table.metadata(settings, path, ["0003.png", "000b.png"]) == {"age": ["3", "11"]}


# Parts, groups, metadata


def in_parts(values=("train", "test")) -> list[dict]:
    return [row | {"split": values[number // 3 % len(values)]} for number, row in enumerate(rows())]


def test_a_part_column_is_obeyed_in_any_usual_spelling(folder):
    for values in (("train", "test"), ("Training", "Testing")):
        settings = write(folder, in_parts(values)) | {"test_fraction": None}
        assert len(read(settings)[1]) == len(read(settings, "test")[1]) == 6
        assert f"test is {values[1]}" in notes(settings)
    odd = write(folder, in_parts(("0", "1"))) | {"test_fraction": None}
    assert "has the values 0, 1, of which none is known as a part; say" in refused(odd)
    named = odd | {"parts": {"train": "0", "test": "1"}}
    assert {name for name, _ in read(named)[1]} == {row["file"] for row in in_parts(("0", "1")) if row["split"] == "0"}
    assert "parts.test: '2' is no value of the column split; valid are 0, 1" in refused(
        odd | {"parts": {"train": "0", "test": "2"}}
    )
    assert len(both(odd | {"parts": {}, "test_fraction": 0.5})) == 12  # the column says nothing of parts


def test_a_validation_part_is_used_as_the_config_says(folder):
    settings = write(folder, in_parts(("train", "val", "test", "train"))) | {"test_fraction": None}
    assert "validation: null, but labels.csv has the validation part val; set it to given" in refused(settings)
    given = settings | {"validation": "given"}
    assert (len(read(given)[1]), len(read(given, "validation")[1])) == (6, 3)
    assert len(read(settings | {"validation": "merge"})[1]) == 9
    ignored = settings | {"validation": "ignore"}
    assert len(read(ignored)[1]) == 6 and "the part val is not used" in notes(ignored)


def test_rows_of_no_part_are_said(folder):
    settings = write(folder, in_parts(("train", "test", "train", "unused"))) | {"test_fraction": None}
    assert len(both(settings)) == 9
    assert "unused is no part and is not used: 3 rows of labels.csv" in notes(settings)
    found = in_parts()
    found[5]["split"] = ""
    assert "line 7 of labels.csv says no part" in refused(write(folder, found) | {"test_fraction": None})


def test_a_group_stays_on_one_side_and_a_leak_is_refused(folder):
    found = [row | {"patient": f"p{number // 6}"} for number, row in enumerate(rows())]
    settings = write(folder, found)
    assert "columns: {group: patient} keeps them on one side" in notes(settings)
    settings |= {"columns": {"group": "patient"}, "test_fraction": 0.5}
    groups = [{table.group_keys(settings, settings["path"], [name])[0] for name, _ in read(settings, part)[1]}
              for part in ("train", "test")]  # fmt: skip
    assert len(groups[0]) == len(groups[1]) == 1 and groups[0] != groups[1]
    leak = write(folder, [row | {"patient": "p"} for row in in_parts()])
    leak |= {"columns": {"group": "patient"}, "test_fraction": None}
    assert "1 groups of labels.csv stand in two parts, such as p (0000.png and 0003.png)" in refused(leak)
    assert "LEAK: 1 groups" in notes(leak | {"group_leaks": "allow"})
    found[3]["patient"] = ""
    settings |= {"path": write(folder, found)["path"]}
    assert "is empty in 1 of 12 rows of train, such as line 5 of labels.csv" in refused(settings)
    assert len(both(settings | {"ungrouped": "allow"})) == 12


def test_further_columns_are_metadata(folder):
    found = [row | {"site": "AB"[number % 2], "age": number, "": number} for number, row in enumerate(rows())]
    settings = write(folder, found)
    assert table.metadata(settings, settings["path"], ["0001.png", "0000.png"]) == {
        "site": ["B", "A"],
        "age": ["1", "0"],
    }
    some = settings | {"columns": {"metadata": ["site"]}}
    assert list(table.metadata(some, settings["path"], [])) == ["site"]


def test_equal_files_stay_on_one_side(folder):
    first = (folder / "photos" / "0000.png").read_bytes()
    for number in (3, 6):
        (folder / "photos" / f"{number:04x}.png").write_bytes(first)
    for seed in range(5):
        train = dict(read(write(folder, rows()) | {"split_seed": seed})[1])
        assert len({"0000.png", "0003.png", "0006.png"} & set(train)) in (0, 3)


# What is wrong or left out


def test_a_row_whose_file_is_missing_counts_as_an_image_that_cannot_be_read(folder):
    found = [*rows(), {"file": "gone.png", "label": "cat"}, {"file": "../../secret.png", "label": "cat"}]
    settings = write(folder, found) | {"test_fraction": 0.1}
    loads = {name: load for name, _, load in list(table.read(settings, settings["path"], "train")[1])
             + list(table.read(settings, settings["path"], "test")[1])}  # fmt: skip
    with pytest.raises(ValueError, match="there is no such file"):
        loads["gone.png"]()
    with pytest.raises(ValueError, match="leads out of the folder of the images"):
        loads["../../secret.png"]()
    assert loads["0000.png"]().pixels.shape == (6, 6, 3)


def test_an_absolute_path_is_meant_and_a_relative_one_stays_inside(folder):
    (folder / "elsewhere").mkdir()
    (folder / "photos" / "0000.png").rename(folder / "elsewhere" / "0000.png")
    outside = str(folder / "elsewhere" / "0000.png")
    settings = write(folder, [row | {"file": outside} if row["file"] == "0000.png" else row for row in rows()])
    assert outside in both(settings)
    (folder / "notes.txt").write_text("text")
    settings = write(folder, [row | {"file": "../notes.txt"} if row["file"] == "0000.png" else row for row in rows()])
    faults = [
        load.record.fault for _, _, load in table.read(settings, settings["path"], "train")[1] if load.record.fault
    ]
    faults += [
        load.record.fault for _, _, load in table.read(settings, settings["path"], "test")[1] if load.record.fault
    ]
    assert faults == ["the path leads out of the folder of the images"]


def test_the_wrong_folder_or_column_is_one_sentence(folder):
    (folder / "other").mkdir()
    settings = write(folder, rows())
    assert "which holds no images; give the folder" in refused(settings | {"images": str(folder / "other")})
    assert "is not a folder" in refused(settings | {"images": str(folder / "nowhere")})
    text = refused(settings | {"columns": {"file": "label", "label": "file"}})
    assert "none of the 12 files that" in text and "such as cat, dog and 10 more" in text and "holds 0000.png" in text


def test_two_labels_of_one_file_are_refused_and_a_repeated_row_counts_once(folder):
    settings = write(folder, [*rows(), rows()[0]])
    assert len(both(settings)) == 12 and "1 rows of labels.csv repeat an image" in notes(settings)
    write(folder, [*rows(), {"file": "photos/0000.png", "label": "dog"}])
    assert "line 2 of labels.csv and line 14 give 0000.png the labels cat and dog; an image has one" in refused(
        settings
    )


@pytest.mark.parametrize("empty", ["", "nan", "NaN", "  "])
def test_a_row_without_a_label_is_refused_or_left_out_and_counted(folder, empty):
    found = rows()
    found[4]["label"] = empty
    settings = write(folder, found)
    assert "1 of 12 rows have no label, such as line 6 of labels.csv (0004.png)" in refused(settings)
    settings |= {"unlabelled": "skip"}
    assert len(both(settings)) == 11
    assert table.remarks(settings, settings["path"])["left_out"] == {"rows without a label": 1}


def test_a_class_of_one_image_and_one_that_a_part_lacks_are_sentences(folder):
    found = rows()
    found[4]["label"] = "bat"
    assert "Class bat has 1 image in total" in refused(write(folder, found))
    found = in_parts()
    found[3]["label"] = found[9]["label"] = "bat"
    assert "the train part of labels.csv has no image of the class bat" in refused(
        write(folder, found) | {"test_fraction": None}
    )


def test_a_column_of_numbers_is_no_label(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(60):
        Image.new("RGB", (2, 2)).save(tmp_path / "photos" / f"{number}.png")
    settings = write(tmp_path, [{"file": f"{number}.png", "label": number} for number in range(60)])
    assert "60 different labels for 60 images" in refused(settings)


def test_what_the_config_leaves_out_and_what_no_row_names_is_said(folder):
    settings = write(folder, rows()[:9]) | {"exclude": ["0000.png"]}
    assert len(both(settings)) == 8
    assert "3 images below" in notes(settings) and "stand in no row of labels.csv" in notes(settings)
    assert table.remarks(settings, settings["path"])["left_out"] == {
        "excluded": 1,
        "rows of files that include and exclude leave out": 1,
    }


@pytest.mark.parametrize("images", ["", "."])
def test_a_table_among_its_images_is_not_left_out_and_another_one_is(folder, images):
    settings = write(folder, [row | {"file": f"photos/{row['file']}"} for row in rows()]) | {
        "images": str(folder / images)
    }
    (folder / "other.csv").write_text("a\n")
    (folder / "photos" / "labels.csv").write_text("a\n")
    assert len(both(settings)) == 12
    assert table.remarks(settings, settings["path"])["left_out"] == {"no image (.csv)": 2}


def test_a_name_that_may_mean_two_images_is_refused(folder):
    for place in ("a", "b"):
        (folder / "photos" / place).mkdir()
        Image.new("RGB", (6, 6)).save(folder / "photos" / place / "same.png")
    text = refused(write(folder, [*rows(), {"file": "same.png", "label": "cat"}]))
    assert "line 14 of labels.csv: same.png may be a/same.png or b/same.png; write the folder in front" in text


@pytest.mark.parametrize(
    "content, message",
    [
        (b"file,label\n", "has no rows"),
        (b"", "has no rows"),
        (b"file,label\n0000.png,cat,7\n", "line 2 of .* has 3 cells, and the header has 2"),
        (b"file,label,label\n0000.png,cat,7\n", "two columns called label"),
        (b"file,label\n0000.png,\xff\xfe\n", "not in UTF-8"),
        (b"file,label\n,cat\n", "names no file"),
        (b"0000.png,cat\n0001.png,dog\n", "its first line is no header, so write one above it"),
    ],
)
def test_a_damaged_table_is_one_sentence(folder, content, message):
    settings = write(folder, rows())
    Path(settings["path"]).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(settings)


def test_what_is_no_table_is_one_sentence(folder):
    settings = write(folder, rows())
    for name, message in (
        ("t.xlsx", "a table ends in .csv"),
        ("t.csv", "cannot be read"),
        ("t.jsonl", "cannot be read"),
    ):
        assert message in refused(settings | {"path": str(folder / name)})
    (folder / "t.jsonl").write_text("{not json")
    assert "is not in JSON lines" in refused(settings | {"path": str(folder / "t.jsonl")})
    (folder / "t.jsonl").write_text("[1, 2]")
    assert "holds no object" in refused(settings | {"path": str(folder / "t.jsonl")})


# What reruns the job


def test_the_listing_changes_with_the_table_and_the_images_that_it_names_and_with_nothing_else(folder):
    settings = write(folder, rows()[:11])
    before = listing(settings, "rows")
    (folder / "photos" / "README.md").write_text("text")
    (folder / "photos" / "000b.png").write_bytes(b"\x89PNG of no row")
    assert listing(settings, "rows") == before
    (folder / "photos" / "0001.png").write_bytes(b"\x89PNG shorter")
    changed = listing(settings, "rows")
    assert changed != before
    (folder / "photos" / "0001.png").unlink()
    assert listing(settings, "rows") not in (before, changed)
    write(folder, rows())
    assert listing(settings, "rows") not in (before, changed)
    Path(settings["path"]).unlink()
    assert len(listing(settings, "rows")) == 16
