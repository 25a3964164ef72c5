"""What a run answered as a file: in every form it is read again as the same logits, to the last bit."""

import csv

import numpy as np
import pytest

from ftbench.base.errors import InputError
from ftbench.base.files import write_json, write_npz
from ftbench.export.finished import Finished
from ftbench.export.predictions_file import write_predictions
from ftbench.predict import trained
from ftbench.train.given.file import read_predictions

CLASSES = ["ant", "bee"]
PARTS = ["validation", "test"]


@pytest.fixture
def run(tmp_path) -> Finished:
    found = Finished(tmp_path / "results/s/runs/pets/net/finetune/seed0")
    found.folder.mkdir(parents=True)
    found.data.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, file, ids in (("val", "files", [2, 0]), ("test", "test_files", [0, 1])):
        with (found.data / f"{file}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("id", "file"), *((number, f"{part}/{number}.jpg") for number in range(3))])
        logits = rng.normal(0, 10, (2, 2)).astype(np.float32)
        write_npz(found.folder / f"{part}_logits.npz", logits=logits, labels=np.zeros(2, int), ids=np.array(ids))
    write_json(found.data / "classes.json", CLASSES)
    return found


@pytest.mark.parametrize("name", ["a.csv", "a.npz", "a.parquet"])
@pytest.mark.parametrize("values", ["logits", "probabilities"])
def test_what_is_written_is_read_again(run, tmp_path, name, values):
    assert write_predictions(run, tmp_path / name, PARTS, values) == 4
    found = read_predictions({"key": "", "path": tmp_path / name, "values": values, "class_order": None}, CLASSES)
    assert found.names == ["val/2.jpg", "val/0.jpg", "test/0.jpg", "test/1.jpg"]
    logits = np.concatenate([run.logits(part)[0] for part in ("val", "test")])
    if values == "logits":
        assert np.array_equal(found.logits, logits)
    assert np.allclose(found.logits[:, 1] - found.logits[:, 0], logits[:, 1] - logits[:, 0], rtol=1e-4)
    assert not list(tmp_path.glob(".written*"))  # no note in a folder of the user's
    with pytest.raises(InputError, match="exists already"):
        write_predictions(run, tmp_path / name, PARTS)


def test_what_cannot_be_written_is_said_in_a_sentence(run, tmp_path):
    with pytest.raises(InputError, match="a.txt ends in .txt; valid are .csv, .npz, .parquet"):
        write_predictions(run, tmp_path / "a.txt", PARTS)
    (run.data / "test_files.csv").write_text("id,file\n0,val/0.jpg\n1,val/1.jpg\n")
    with pytest.raises(InputError, match="images of one name in both parts; write two files, with --part"):
        write_predictions(run, tmp_path / "a.csv", PARTS)
    assert write_predictions(run, tmp_path / "a.csv", ["test"]) == 2
    write_npz(
        run.folder / "test_logits.npz", logits=np.full((1, 2), np.nan), labels=np.zeros(1, int), ids=np.zeros(1, int)
    )
    with pytest.raises(InputError, match="diverged and has no predictions"):
        write_predictions(run, tmp_path / "b.csv", ["test"])
    write_json(run.data / "classes.json", ["ant", "file"])
    with pytest.raises(InputError, match="two columns called file"):
        write_predictions(run, tmp_path / "c.csv", ["validation"])


def test_predictions_from_outside_have_no_network_to_export(run):
    write_json(run.folder / "run.json", {"kind": "predictions", "status": "finished"})
    write_json(run.data / "train.json", {})
    with pytest.raises(InputError, match="holds predictions from outside and has no network here"):
        trained.load(run.folder)
