"""Files that changed after they were written, in a cache that studies share or on a disk: their reader refuses them."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import small
from entries import entry
from runs_to_predict import seed_run

from ftbench.base.digests import refuse_damaged, sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.data import images
from ftbench.data.images import Images
from ftbench.data.split import split_dataset
from ftbench.machine.devices import set_up
from ftbench.model.features import extract_features
from ftbench.predict.from_features import predict_from_features
from ftbench.predict.test_set import predict_test
from ftbench.train import run as training

FAULTS = ("one byte", "cut short", "empty")


@pytest.fixture
def inputs(tmp_path):
    return small.study(tmp_path / "data") | small.weights(tmp_path)


def damage(path: str, fault: str) -> None:
    content = bytearray(Path(path).read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    Path(path).write_bytes({"one byte": content, "cut short": content[:middle], "empty": b""}[fault])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["images", "weights"])
def test_training_refuses_a_damaged_file(tmp_path, inputs, name, fault):
    damage(inputs[name], fault)
    run = small.run("finetune", recipe={"epochs": 1})
    recipe = small.selected(tmp_path / "selected.json", run["recipe"])
    with pytest.raises(InputError, match=rf"^{inputs[name]} is damaged: .*; delete it and start again\.$"):
        training.train(run=run, code="c", inputs=inputs, recipe=recipe, **small.outputs(tmp_path / "run"))


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_labels_are_not_split(tmp_path, inputs, fault):
    damage(inputs["labels"], fault)
    np.save(tmp_path / "groups.npy", np.arange(60))
    with pytest.raises(InputError, match=rf"^{inputs['labels']} is damaged: .*; delete it and start again\.$"):
        split_dataset(inputs["labels"], tmp_path / "groups.npy", inputs["data"], entry(), tmp_path / "again.npz")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["features", "labels"])
def test_a_probe_refuses_a_damaged_file(tmp_path, inputs, name, fault):
    made = small.probe_job(tmp_path / "first", inputs)
    given = inputs | {"features": made["features"]}
    damage(given[name], fault)
    with pytest.raises(InputError, match=rf"^{given[name]} is damaged: .*; delete it and start again\.$"):
        small.probe_job(tmp_path / "second", inputs, made["features"], made["features_cost"])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["images", "weights"])
def test_features_are_not_extracted_from_a_damaged_file(tmp_path, inputs, name, fault):
    damage(inputs[name], fault)
    with pytest.raises(InputError, match=rf"^{inputs[name]} is damaged: .*; delete it and start again\.$"):
        small.probe_job(tmp_path / "probe", inputs)


def test_images_that_are_read_row_by_row_are_not_read_for_their_digest(inputs, monkeypatch):
    device = set_up(small.run())
    Images(inputs["images"], device).check(read_json(inputs["data"])["sha256"]["images"])
    monkeypatch.setattr("ftbench.data.images.free_bytes", lambda device: 0)
    damage(inputs["images"], "one byte")
    assert len(images.read_data(inputs, device).labels) == 60


def test_the_entry_in_the_cache_is_named_where_the_file_is_a_link_to_it(tmp_path):
    write_json(tmp_path / "entry", 1)
    link = tmp_path / "link"
    link.symlink_to("entry")
    refuse_damaged(link, sha256_of_file(tmp_path / "entry"))
    with pytest.raises(
        InputError, match=rf"delete it and its entry in the cache, {tmp_path}/entry, and start again\.$"
    ):
        refuse_damaged(link, "0" * 64)


@pytest.mark.parametrize("name", ["test_images.npy", "test_labels.npy"])
def test_predictions_refuse_a_damaged_test_part(test_part, name):
    folder, pixels, _ = test_part
    paths = [folder / part for part in ("test_images.npy", "test_labels.npy", "classes.json")]
    written = {"images": sha256(pixels).hexdigest(), "labels": sha256_of_file(paths[1])}
    write_json(folder / "test.json", {"sha256": written})
    _, model, record, out = seed_run(folder, 0)
    given = {"runs": [record], "models": [model], "out": [out], "data": folder / "test.json"}
    predict_test(small.run(), *paths, **given)
    Path(out).unlink()
    damage(folder / name, "one byte")
    with pytest.raises(InputError, match=rf"^{folder / name} is damaged: "):
        predict_test(small.run(), *paths, **given)
    assert not Path(out).exists()


def test_predictions_refuse_damaged_test_features(tmp_path, inputs):
    made = small.probe_job(tmp_path / "probe", inputs)
    out = str(tmp_path / "test_logits.npz")
    given = ("linear_probe", made["features"], [made["model"]], inputs["labels"], [out], made["features_cost"])
    damage(made["features"], "one byte")
    with pytest.raises(InputError, match=rf"^{made['features']} is damaged: "):
        predict_from_features(*given)


def test_features_of_damaged_test_images_are_not_extracted(tmp_path, inputs):
    files = (inputs["images"], inputs["weights"], inputs["record"], tmp_path / "f.npy", tmp_path / "cost.json")
    extract_features(small.run("linear_probe"), *files, data=inputs["data"])
    damage(inputs["images"], "one byte")
    with pytest.raises(InputError, match=rf"^{inputs['images']} is damaged: "):
        extract_features(small.run("linear_probe"), *files, data=inputs["data"])
