"""Predictions from outside: every form of a file means the same logits, timm's own columns need no edit, and what is wrong is one sentence."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json, write_npz
from ftbench.base.logits import load_logits
from ftbench.predict.given import take_test_predictions
from ftbench.train.given.file import FLOOR, read_predictions
from ftbench.train.given.images import rows_of_images
from ftbench.train.given.timm_columns import timm_order
from ftbench.train.given.validation import take_predictions

CLASSES = ["ant", "bee", "cat"]
NAMES = ["train/ant/1.jpg", "train/bee/1.jpg", "train/cat/2.jpg"]
LOGITS = np.random.default_rng(0).normal(0, 3, (3, 3)).astype(np.float32)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def settings(path, **more) -> dict:
    given = {"key": "strategies.api.files.pets", "path": str(path), "content": "c", "values": "probabilities"}
    return given | {"class_order": None, "root": None, "shared": True} | more


def write(path: Path, columns: dict) -> Path:
    """A CSV as pandas writes it, whatever is in a cell."""
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def by_class(values) -> dict:
    return {name: values[:, place] for place, name in enumerate(CLASSES)}


def separate(base: str, values) -> dict:
    return {f"{base}_{place}": values[:, place] for place in range(values.shape[1])}


def best(values, count: int) -> tuple[np.ndarray, np.ndarray]:
    index = np.argsort(-values, axis=1)[:, :count]
    return index, np.take_along_axis(values, index, axis=1)


def test_every_form_means_the_same_logits(tmp_path):
    frame = pd.DataFrame({"file": NAMES} | by_class(LOGITS))
    frame.assign(**{name: frame[name].astype(str) for name in CLASSES}).to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "b.parquet")
    write_npz(tmp_path / "c.npz", files=np.array(NAMES), logits=LOGITS)
    order = CLASSES[::-1]
    write_npz(tmp_path / "d.npz", files=np.array(NAMES), logits=LOGITS[:, ::-1], classes=np.array(order))
    write(tmp_path / "e.csv", {"filename": NAMES} | separate("logit", LOGITS))
    pd.DataFrame({"filename": NAMES, "logit": list(LOGITS)}).set_index("filename").to_parquet(tmp_path / "f.parquet")
    lines = [json.dumps({"file": name, "logit": row.tolist()}) for name, row in zip(NAMES, LOGITS)]
    (tmp_path / "g.jsonl").write_text("\n".join(lines))
    for path in sorted(tmp_path.glob("[a-g].*")):
        found = read_predictions(settings(path, values="logits"), CLASSES)
        assert np.array_equal(found.logits, LOGITS), path.name
        assert found.names == NAMES and found.top_k is None
    ids = write(tmp_path / "ids.csv", {"id": [2, 0, 1]} | by_class(LOGITS))
    assert read_predictions(settings(ids, values="logits"), CLASSES).ids.tolist() == [2, 0, 1]


def test_timms_own_file_stands_unedited(tmp_path):
    """As inference.py writes it: a list as numpy prints it, wrapped over lines, or a column per class."""
    with np.printoptions(threshold=10**9, linewidth=20):
        text = [str(row) for row in PROBABILITIES]
    assert "\n" in text[0]
    for columns in ({"prob": text}, separate("prob", PROBABILITIES)):
        found = read_predictions(settings(write(tmp_path / "timm.csv", {"filename": NAMES} | columns)), CLASSES)
        assert np.allclose(np.exp(found.logits), PROBABILITIES, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("form", ["list", "separate", "label"])
def test_the_best_classes_keep_their_order_and_share_the_rest(tmp_path, count, form):
    index, values = best(PROBABILITIES, count)
    labels = np.array(CLASSES, object)[index]
    columns = {
        "list": {"index": list(index), "prob": list(values)},
        "separate": separate("index", index) | separate("prob", values),
        "label": {"label": list(labels), "prob": list(values)},
    }[form]
    if count == 1:
        columns = {name.removesuffix("_0"): np.ravel(list(cells)) for name, cells in columns.items()}
    found = read_predictions(settings(write(tmp_path / "timm.csv", {"filename": NAMES} | columns)), CLASSES)
    got = np.exp(found.logits)
    assert np.allclose(np.take_along_axis(got, index, axis=1), values, rtol=1e-5)
    assert np.allclose(got.sum(axis=1), 1, atol=1e-5)
    assert (found.logits.argmax(axis=1) == index[:, 0]).all()
    assert found.top_k == (None if count == 3 else count) and ("approximate" in found.note) == (count < 3)


def test_the_first_class_stays_first_where_all_are_equal(tmp_path):
    path = write(tmp_path / "timm.csv", {"filename": NAMES, "index": [0, 1, 2], "prob": [1 / 3] * 3})
    assert read_predictions(settings(path), CLASSES).logits.argmax(axis=1).tolist() == [0, 1, 2]


def test_class_numbers_are_timms_unless_the_config_or_a_label_says_otherwise(tmp_path):
    classes = ["Bee", "ant", "c10", "c2"]  # as folders are sorted here
    assert timm_order(classes) == ["ant", "Bee", "c2", "c10"]
    path = write(tmp_path / "timm.csv", {"filename": NAMES, "index": [0, 1, 2], "prob": [0.9] * 3})
    found = read_predictions(settings(path), classes)
    assert [classes[place] for place in found.logits.argmax(axis=1)] == [
        "ant",
        "Bee",
        "c2",
    ] and "class_order" in found.note
    given = read_predictions(settings(path, class_order=classes), classes)
    assert given.logits.argmax(axis=1).tolist() == [0, 1, 2]
    path = write(tmp_path / "label.csv", {"filename": NAMES, "label": ["c10", "ant", "c2"], "prob": [0.9] * 3})
    assert [classes[place] for place in read_predictions(settings(path), classes).logits.argmax(axis=1)] == [
        "c10",
        "ant",
        "c2",
    ]


def test_a_probability_of_zero_counts_as_the_floor(tmp_path):
    path = write(tmp_path / "a.csv", {"file": NAMES} | by_class(np.eye(3)))
    logits = read_predictions(settings(path), CLASSES).logits
    assert np.array_equal(logits, np.where(np.eye(3, dtype=bool), 0, np.log(FLOOR)).astype(np.float32))


FILE = {"file": NAMES}
ONE = np.full((3, 3), 1 / 3)
FAULTS = {
    "no column for cat": FILE | {"ant": [0.5] * 3, "bee": [0.5] * 3},
    "needs one called file, filename or id": {"image": NAMES} | by_class(ONE),
    "line 3 of .* has nothing .or NaN. in the column bee": FILE | by_class(ONE) | {"bee": [1, np.nan, 1]},
    "has 'high' in the column ant; valid are numbers": FILE | by_class(ONE) | {"ant": ["high"] * 3},
    "probability -0.5 for train/ant/1.jpg; valid are 0 to 1. .*values: logits": FILE
    | by_class(ONE)
    | {"ant": [-0.5] * 3},
    "probability 7 for": FILE | by_class(ONE) | {"bee": [7] * 3},
    "sum is 1.16667, and it must be 1 within 0.001; if these are logits": FILE | by_class(ONE) | {"bee": [0.5] * 3},
    "2 values of prob per image, and the data set has 3 classes": FILE | separate("prob", ONE[:, :2]),
    "holds logits, and values is probabilities": FILE | separate("logit", ONE),
    "label 'dog', which is no class; valid: ant, bee, cat": FILE | {"label": ["dog"] * 3, "prob": [0.5] * 3},
    "index that is none of 0 to 2": FILE | {"index": [3] * 3, "prob": [0.5] * 3},
    "names a class twice": FILE | {"index": ["[0 0]"] * 3, "prob": ["[0.5 0.2]"] * 3},
    "logits of the best 1 of 3": FILE | {"index": [1] * 3, "logit": [0.5] * 3},
    "line 3 of .* has 1 values in the column prob": FILE | {"prob": ["[0.5 0.3 0.2]", "[1.0]", "[1.0]"]},
    "has no file; each names an image": {"file": ["a", "", "b"]} | by_class(ONE),
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_what_is_wrong_with_a_table_is_one_sentence(tmp_path, sentence):
    path = write(tmp_path / "a.csv", FAULTS[sentence])
    with pytest.raises(InputError, match=sentence) as caught:
        read_predictions(settings(path), CLASSES)
    assert str(caught.value).startswith("config: strategies.api.files.pets: ") and "\n" not in str(caught.value)


ARRAYS = {
    "needs logits or probabilities": {"files": np.array(NAMES)},
    r"valid are numbers \(N, 3\)": {"files": np.array(NAMES), "probabilities": ONE[:, :2]},
    r"valid are texts \(3,\)": {"files": np.array(NAMES[:2]), "probabilities": ONE},
    "has the classes ant, bee, dog": {
        "files": np.array(NAMES),
        "probabilities": ONE,
        "classes": np.array(["ant", "bee", "dog"]),
    },
    "no finite number": {"ids": np.arange(3), "logits": np.full((3, 3), np.nan)},
}


@pytest.mark.parametrize("sentence", ARRAYS)
def test_what_is_wrong_with_an_npz_is_one_sentence(tmp_path, sentence):
    np.savez(tmp_path / "a.npz", **ARRAYS[sentence])
    values = "logits" if "logits" in ARRAYS[sentence] else "probabilities"
    with pytest.raises(InputError, match=sentence):
        read_predictions(settings(tmp_path / "a.npz", values=values), CLASSES)


@pytest.mark.parametrize("name", ["a.npz", "a.parquet", "a.csv", "a.txt.zip"])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\x00nothing")
    with pytest.raises(InputError, match=r"strategies.api.files.pets: .*a\."):
        read_predictions(settings(tmp_path / name), CLASSES)


def test_a_class_order_of_other_classes_is_refused(tmp_path):
    with pytest.raises(InputError, match="class_order is ant, bee; the classes are ant, bee, cat"):
        read_predictions(settings(tmp_path / "a.csv", class_order=["ant", "bee"]), CLASSES)


@pytest.mark.parametrize("row", ["train/ant/1.jpg,0.5,0.5", "train/ant/1.jpg,0.5,0.5,0,0"])
def test_a_row_of_another_length_is_refused(tmp_path, row):
    (tmp_path / "a.csv").write_text(f"file,ant,bee,cat\n{row}\n")
    with pytest.raises(InputError, match="line 2 of .* cells, and the header has 4"):
        read_predictions(settings(tmp_path / "a.csv"), CLASSES)


@pytest.mark.parametrize("name, divided", [("a.csv", ";"), ("a.tsv", "\t"), ("a.txt", ",")])
def test_a_table_may_be_divided_as_spreadsheets_do(tmp_path, name, divided):
    lines = [("file", *CLASSES), *((name, *map(str, row)) for name, row in zip(NAMES, LOGITS))]
    (tmp_path / name).write_text("\n".join(map(f"{divided} ".join, lines)), encoding="utf-8-sig")
    assert np.array_equal(read_predictions(settings(tmp_path / name, values="logits"), CLASSES).logits, LOGITS)


def rows(tmp_path, files, wanted=(0, 1, 2), values=ONE, **more):
    found = read_predictions(
        settings(write(tmp_path / "a.csv", {"file": files} | by_class(values[: len(files)]))), CLASSES
    )
    wanted = np.array(wanted)
    return rows_of_images(found, NAMES, wanted, settings(tmp_path / "a.csv", **more), "validation").tolist()


def test_rows_are_found_however_they_write_their_image(tmp_path, capsys):
    (tmp_path / "pets").mkdir()
    shuffled = [NAMES[2], NAMES[0], NAMES[1]]
    for form in (
        str,
        lambda name: f"./{name}",
        lambda name: f"../pets/{name}",
        lambda name: str(tmp_path / "pets" / name),
        lambda name: f"/kaggle/input/pets/{name}",
        lambda name: name.replace("/", "\\"),
    ):
        assert rows(tmp_path, list(map(form, shuffled)), root=str(tmp_path / "pets")) == [1, 2, 0]
    assert rows(tmp_path, [name.removeprefix("train/") for name in NAMES], shared=False) == [0, 1, 2]
    assert rows(tmp_path, NAMES, wanted=[1]) == [1]
    assert "3 rows, of which 2 are of none of the 1 validation images" in capsys.readouterr().out


def test_a_test_image_of_one_file_is_never_taken_for_a_training_image_of_that_name(tmp_path):
    """train/bee/1.jpg has no row, and test/bee/1.jpg ends as it does."""
    files = ["train/ant/1.jpg", "test/bee/1.jpg", "train/cat/2.jpg"]
    with pytest.raises(InputError, match="no prediction for 1 of 3 validation images: train/bee/1.jpg"):
        rows(tmp_path, files)


def test_an_image_without_a_row_or_with_two_that_differ_is_refused(tmp_path):
    with pytest.raises(
        InputError, match="no prediction for 2 of 3 validation images: train/bee/1.jpg, train/cat/2.jpg"
    ):
        rows(tmp_path, NAMES[:1])
    assert rows(tmp_path, [NAMES[0], NAMES[0]], wanted=[0]) == [0]
    with pytest.raises(InputError, match="two rows for train/ant/1.jpg with different values.*give two files"):
        rows(tmp_path, [NAMES[0], NAMES[0]], wanted=[0], values=np.eye(3))
    with pytest.raises(InputError, match="1.jpg may be .*; write its folder too .timm: --fullname"):
        rows(tmp_path, ["1.jpg"])


def test_ids_need_a_file_for_each_part(tmp_path):
    path = write(tmp_path / "a.csv", {"id": [2, 0, 1]} | by_class(ONE))
    found = read_predictions(settings(path), CLASSES)
    with pytest.raises(InputError, match="by id, which count from 0 in both parts; give two files"):
        rows_of_images(found, NAMES, np.arange(3), settings(path), "test")
    assert rows_of_images(found, NAMES, np.arange(3), settings(path, shared=False), "test").tolist() == [1, 2, 0]


@pytest.fixture
def taken(tmp_path):
    """A data set of three images to validate on and two to test on, answered by one file."""
    tests = ["test/ant/9.jpg", "test/bee/9.jpg"]
    for part, names in (("files", NAMES), ("test_files", tests)):
        with (tmp_path / f"{part}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("id", "file"), *enumerate(names)])
    write_json(tmp_path / "classes.json", CLASSES)
    ids = np.arange(3)
    write_npz(tmp_path / "split.npz", train=ids[:1], validation=ids[1:], labels=ids, digest=np.str_("d"))
    np.save(tmp_path / "test_labels.npy", np.array([0, 1]))
    from ftbench.base.digests import sha256_of_file

    write_json(tmp_path / "test.json", {"sha256": {"labels": sha256_of_file(tmp_path / "test_labels.npy")}})
    values = np.concatenate([LOGITS, -LOGITS[:2]])
    path = write(
        tmp_path / "all.csv", {"file": [*NAMES, *tests]} | {n: values[:, p].astype(str) for p, n in enumerate(CLASSES)}
    )
    given = settings(path, values="logits")
    labels = {"dataset": "pets", "backbone": "cloud", "strategy": "api", "kind": "predictions"}
    run = labels | {"selection_metric": "accuracy", "training_minutes": 2.0, "predictions": given}
    outputs = {"selected": "selected.json", "history": "history.csv", "run_json": "run.json", "cost": "cost.json"}
    outputs = {name: str(tmp_path / file) for name, file in (outputs | {"val_logits": "val_logits.npz"}).items()}
    inputs = {
        name: str(tmp_path / file)
        for name, file in (("files", "files.csv"), ("split", "split.npz"), ("classes", "classes.json"))
    }
    take_predictions(run, "code", **inputs, **outputs)
    take_test_predictions(
        given,
        *(
            str(tmp_path / name)
            for name in ("test_files.csv", "test_labels.npy", "classes.json", "test.json", "test_logits.npz")
        ),
    )
    return tmp_path


def test_a_file_becomes_the_files_of_a_run(taken):
    logits, labels, ids = load_logits(taken / "val_logits.npz")
    assert np.array_equal(logits, LOGITS[1:]) and labels.tolist() == ids.tolist() == [1, 2]
    logits, labels, ids = load_logits(taken / "test_logits.npz")
    assert np.array_equal(logits, -LOGITS[:2]) and labels.tolist() == ids.tolist() == [0, 1]
    run, cost, selected = (read_json(taken / f"{name}.json") for name in ("run", "cost", "selected"))
    assert (run["status"], run["stochastic"], run["of_recipe"], run["tuned"]) == ("finished", False, False, None)
    assert run["validation_accuracy"] == (LOGITS[1:].argmax(axis=1) == [1, 2]).mean()
    assert run["total_params"] is run["device_name"] is cost["peak_memory_mb"] is None
    assert cost["train_seconds"] == 120 and selected["tuning_seconds"] == 0
    assert pd.read_csv(taken / "history.csv").columns.tolist()[0] == "validation_accuracy"
