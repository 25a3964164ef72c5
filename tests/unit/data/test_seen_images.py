"""Weights of a finished run against the test images of the study that starts from it."""

import json

import numpy as np
import pytest
from PIL import Image

from ftbench.base import verified
from ftbench.base.digests import digest_of_arrays
from ftbench.base.errors import InputError
from ftbench.data.seen_images import check_seal, seen_by


def write_data(study, rows: dict[str, str], train: list[int], validation: list[int], name="files.csv"):
    """files.csv and split.npz of the data set "photos" of one study; `rows` holds file names and what is in them."""
    data = study / "data/photos"
    data.mkdir(parents=True, exist_ok=True)
    lines = [f"{number},{file},{content}" for number, (file, content) in enumerate(rows.items())]
    (data / name).write_text("\n".join(["id,file,content", *lines]) + "\n")
    if name == "files.csv":
        np.savez(data / "split.npz", train=np.array(train), validation=np.array(validation))
    return data


def write_run(study, weights="none", pretrained=False):
    """run.json of a run on those data."""
    parts = np.load(study / "data/photos/split.npz")
    split = digest_of_arrays({part: parts[part] for part in ("train", "validation")})
    record = {
        "digests": {"split": split, "weights": "abc" if pretrained else None},
        "network": {"weights": weights},
    }
    run = study / "runs/photos/small/scratch/seed0/run.json"
    run.parent.mkdir(parents=True)
    run.write_text(json.dumps(record))
    return run


def check(tmp_path, run, tested: dict, own=("own", "x"), allow=False):
    study = tmp_path / "results/new"
    data = write_data(study, dict([own]), [0], [])
    write_data(study, tested, [], [], "test_files.csv")
    start = {"backbone": "small", "weights": "run:old/photos/small/scratch/0", "run": str(run)}
    start["seen_test_images"] = "allow" if allow else "refuse"
    out = data / "seal.json"
    check_seal([start], data / "test_files.csv", data / "files.csv", data / "split.npz", out)
    return json.loads(out.read_text())["small"]


@pytest.fixture
def old(tmp_path):
    """A study that trained on a and b, chose on c, and left d alone."""
    study = tmp_path / "results/old"
    write_data(study, {"a.png": "1", "b.png": "2", "c.png": "3", "d.png": "4"}, [0, 1], [2])
    return study


def test_test_images_that_the_weights_were_trained_or_chosen_on_are_refused(tmp_path, old):
    with pytest.raises(
        InputError, match=r"backbones\.small\.weights is run:old/.* 2 of the 3 test images \(x\.png, y\.png\)"
    ):
        check(tmp_path, write_run(old), {"x.png": "3", "y.png": "1", "z.png": "4"})
    assert not (tmp_path / "results/new/data/photos/seal.json").exists()


def test_a_run_with_a_split_of_its_own_saw_what_all_of_them_use(tmp_path, old):
    run = write_run(old)
    record, own = json.loads(run.read_text()), {"train": np.array([0, 2]), "validation": np.array([1])}
    run.write_text(json.dumps(record | {"digests": record["digests"] | {"split": digest_of_arrays(own)}}))
    with pytest.raises(InputError, match="has changed since that run"):
        seen_by(run, "run:old")
    (old / "data/photos/splits").mkdir()
    np.savez(old / "data/photos/splits/seed0.npz", **own)
    assert seen_by(run, "run:old") == {"1", "2", "3"}


def test_images_that_were_left_alone_may_be_tested(tmp_path, old, capsys):
    found = check(tmp_path, write_run(old), {"x.png": "4", "z.png": "9"})
    assert found == {"weights": "run:old/photos/small/scratch/0", "images": 0, "test_images": 2, "files": []}
    assert "saw none of the 2 test images" in capsys.readouterr().out


def test_allowed_is_counted_and_said(tmp_path, old, capsys):
    found = check(tmp_path, write_run(old), {"x.png": "3", "y.png": "8"}, allow=True)
    assert (found["images"], found["test_images"], found["files"]) == (1, 2, ["x.png"])
    assert capsys.readouterr().out.startswith("LEAK: ")


def test_what_the_study_s_own_training_part_holds_is_left_to_the_audit(tmp_path, old):
    assert check(tmp_path, write_run(old), {"x.png": "3", "y.png": "8"}, own=("copy.png", "3"))["images"] == 0


def test_the_seal_follows_a_chain_of_runs(tmp_path, old):
    write_run(old)
    middle = tmp_path / "results/middle"
    write_data(middle, {"m.png": "7"}, [0], [])
    run = write_run(middle, "run:old/photos/small/scratch/0", pretrained=True)
    assert seen_by(run, "run:middle/photos/small/scratch/0") == {"1", "2", "3", "7"}
    with pytest.raises(InputError, match="1 of the 1 test images"):
        check(tmp_path, run, {"x.png": "2"})


def test_a_damaged_list_of_images_anywhere_in_the_chain_is_refused(tmp_path, old):
    write_run(old)
    middle = tmp_path / "results/middle"
    write_data(middle, {"m.png": "7"}, [0], [])
    run, listed = write_run(middle, "run:old/photos/small/scratch/0", pretrained=True), old / "data/photos/files.csv"
    verified.note(listed, listed)
    assert check(tmp_path, run, {"x.png": "4"})["images"] == 0
    listed.write_text(listed.read_text().replace("a.png,1", "a.png,8"))
    with pytest.raises(InputError, match="files.csv is damaged: its sha256 is .*seen_test_images: allow"):
        check(tmp_path, run, {"x.png": "4"})


def test_a_run_from_random_weights_ends_the_chain(tmp_path, old):
    assert seen_by(write_run(old, "run:gone/photos/small/scratch/0"), "run:old") == {"1", "2", "3"}


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda study: (study / "data/photos/files.csv").unlink(), "files.csv is missing"),
        (lambda study: (study / "data/photos/split.npz").unlink(), "split.npz is missing"),
        (lambda study: (study / "data/photos/files.csv").write_text("id,file\n0,a.png\n"), "written by an earlier version"),
        (lambda study: np.savez(study / "data/photos/split.npz", train=[0], validation=[1]), "has changed since that run"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_refused_or_marked(tmp_path, old, break_it, said):
    run = write_run(old)
    break_it(old)
    with pytest.raises(InputError, match=said) as refused:
        check(tmp_path, run, {"x.png": "3"})
    assert "seen_test_images: allow" in str(refused.value)
    assert check(tmp_path, run, {"x.png": "3"}, allow=True)["images"] is None


def test_content_is_the_same_at_every_size_and_under_every_name(tmp_path):
    """What is compared is decoded pixels before they are resized; a changed pixel is another image."""
    from entries import entry

    from ftbench.data.prepare import prepare_train
    from ftbench.data.seen_images import contents

    random = np.random.default_rng(0)
    pixels = [random.integers(0, 256, (12, 10, 3), dtype=np.uint8) for _ in range(4)]

    def prepared(name, size, suffix, images):
        for number, image in enumerate(images):
            file = tmp_path / name / ("cat", "dog")[number % 2] / f"{name}{number}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
        (tmp_path / "out").mkdir(exist_ok=True)
        out = [tmp_path / "out" / file for file in ("i.npy", "l.npy", "g.npy", "c.json", "f.csv", "s.json")]
        settings = entry(path=str(tmp_path / name), image_size=size, test_fraction=0.25, split_seed=1)
        prepare_train(settings, tmp_path / name, *out)
        return set(contents(out[4]))

    first, again = prepared("one", 8, "png", pixels), prepared("two", 6, "bmp", pixels)
    assert first == again
    changed = [image.copy() for image in pixels]
    for image in changed:
        image[0, 0, 0] ^= 1
    assert not first & prepared("three", 8, "png", changed)


def test_where_all_images_are_tested_in_folds_each_of_them_counts(tmp_path, old):
    """They are all in the training part too, of other folds."""
    run = write_run(old)
    rows = {"p.png": "1", "q.png": "4"}
    data = write_data(tmp_path / "results/new", rows, [0, 1], [])
    np.savez(data / "split.npz", train=np.array([0, 1]), validation=np.zeros(0, int), fold=np.array([1, 2]))
    start = {
        "backbone": "small",
        "weights": "run:old/photos/small/scratch/0",
        "run": str(run),
        "seen_test_images": "refuse",
    }
    with pytest.raises(InputError, match=r"was trained on 1 of the 2 test images \(p.png\)"):
        check_seal([start], data / "files.csv", data / "files.csv", data / "split.npz", data / "seal.json")
