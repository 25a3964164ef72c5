"""A trained network outside of its study gives the probabilities that the study measured."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import small
from PIL import Image
from scipy.special import softmax

from ftbench.base.digests import refuse_damaged
from ftbench.base.errors import InputError
from ftbench.base.files import write_json
from ftbench.data.decode.fit import fitted
from ftbench.predict.trained import load
from ftbench.study.paths import weights_tag
from ftbench.train import run as training


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """The data and weights of a study `s`, where the workflow puts them."""
    root = tmp_path_factory.mktemp("root")
    given = small.study(root / "results/s/data/colours") | small.weights(root)
    resources = root / "resources/weights/ftbench"
    resources.mkdir(parents=True)
    for name in ("weights", "record"):
        path = Path(given[name])
        shutil.copy(path, resources / f"resnet8.{weights_tag(small.NETWORK['weights'])}{path.suffix}")
    return given | {"root": root}


def run_folder(inputs, strategy):
    folder = inputs["root"] / "results/s/runs/colours/resnet8" / strategy / "seed0"
    folder.mkdir(parents=True)
    return folder


def assert_as_validated(inputs, folder):
    model, saved = load(folder, inputs["root"] / "resources"), np.load(folder / "val_logits.npz")
    images = np.load(inputs["images"])[np.load(inputs["split"])["validation"]]
    assert model.classes == small.CLASSES and not model.backbone.network.training
    assert np.allclose(model.predict(images), softmax(saved["logits"], axis=1), atol=1e-5)
    larger = model.predict(np.full((3, 40, 30, 3), 128, np.uint8))  # resized to the network's own size
    assert larger.shape == (3, 3) and np.allclose(larger.sum(axis=1), 1)
    assert model.predict([]).shape == (0, 3)
    assert_raw_photos_enter_as_the_study_stored_them(model, folder)


def assert_raw_photos_enter_as_the_study_stored_them(model, folder):
    """A photo that is not square, from a file, from memory and turned by its EXIF, gives what its stored row gives."""
    photo = np.random.default_rng(5).integers(0, 256, (30, 48, 3), dtype=np.uint8)
    for fit in ("crop", "squash", "pad"):
        model.about["source"]["fit"] = fit
        expected = model.predict(fitted(photo, small.SIZE, fit)[None])
        image = Image.fromarray(photo)
        image.save(folder / "photo.png")
        again = model.predict([photo, image, folder / "photo.png", str(folder / "photo.png")])
        assert np.allclose(again, expected.repeat(4, 0), atol=1e-6)
        exif = image.getexif()
        exif[0x0112] = 6
        image.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
        assert np.allclose(model.predict([folder / "turned.png"]), expected, atol=1e-6)
    model.about["source"]["fit"] = "crop"
    grey = (photo[..., 0].astype(np.uint16) << 4) + 3
    with pytest.raises(InputError, match="has uint16 values, and the study's images had 8 bits"):
        model.predict([grey])
    model.about["range"] = [3, 4083]
    expected = model.predict([photo[..., :1].repeat(3, 2)])
    assert np.allclose(model.predict([grey]), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["scratch", "finetune", "lora"])
def test_a_network_predicts_what_its_run_did(inputs, kind):
    folder = run_folder(inputs, kind)
    given = {key: value for key, value in inputs.items() if key != "root"}
    if kind == "scratch":
        given |= {
            "weights": None,
            "record": None,
            "normalization": str(Path(given["images"]).with_name("normalization.json")),
        }
    run = small.run(kind, recipe={"epochs": 1} | ({"rank": 2} if kind == "lora" else {}))
    recipe = small.selected(folder / "selected.json", run["recipe"])
    training.train(run=run, code="c", inputs=given, recipe=recipe, **small.outputs(folder))
    assert_as_validated(inputs, folder)


def test_a_probe_takes_the_rest_from_the_pretrained_weights(inputs):
    folder = run_folder(inputs, "linear_probe")
    small.probe_job(folder, inputs)
    assert_as_validated(inputs, folder)
    with pytest.raises(
        InputError, match=r"nowhere/weights/ftbench/resnet8\..*\.json is missing; give the folder of a finished"
    ):
        load(folder, "nowhere")


def test_a_folder_that_is_none_of_a_run_and_a_model_that_is_gone_are_one_sentence(inputs):
    with pytest.raises(InputError, match=r"/nope is no folder of a run; give results/<study>/runs"):
        load("/nope")
    with pytest.raises(InputError, match="model.safetensors is missing, though the record"):
        refuse_damaged("nowhere/model.safetensors", "0" * 64)


def test_a_run_without_a_network_is_refused_in_a_sentence(inputs):
    folder = run_folder(inputs, "knn")
    with pytest.raises(InputError, match=r"knn/seed0/run\.json is missing; give the folder of a finished run"):
        load(folder)
    for record, words in (
        ({"status": "diverged"}, "diverged and has no network"),
        ({"status": "finished", "kind": "knn"}, "of kind knn"),
    ):
        write_json(folder / "run.json", record)
        with pytest.raises(InputError, match=words):
            load(folder)
