"""Test-time augmentation: mirrored images, their logits and features, and the vote of both views."""

import json

import numpy as np
import pytest
import small
import torch
from runs_to_predict import seed_run

from ftbench.data.images import Images
from ftbench.evaluate.metrics import scores
from ftbench.evaluate.probabilities import mean_probabilities
from ftbench.evaluate.run_scores import evaluate
from ftbench.model import backbones
from ftbench.model.features import extract_features
from ftbench.predict.mirrored import Flipped, extract_flipped_features
from ftbench.predict.test_set import predict_test


def tta_accuracy(logits, flipped, labels) -> float:
    return scores(logits, labels, mirrored=flipped)["tta_accuracy"]


def test_mean_probabilities_by_hand():
    logits = np.log([[0.6, 0.4], [0.1, 0.9]])
    flipped = np.log([[0.2, 0.8], [0.5, 0.5]])
    assert np.allclose(mean_probabilities(logits, flipped), [[0.4, 0.6], [0.3, 0.7]])
    assert tta_accuracy(logits, flipped, np.array([0, 1])) == 0.5  # the first image's mirror outvotes it


def test_equal_views_change_nothing_and_their_order_does_not_matter():
    rng = np.random.default_rng(0)
    logits, flipped = rng.normal(0, 3, (2, 50, 4))
    labels = rng.integers(0, 4, 50)
    assert tta_accuracy(logits, logits, labels) == (logits.argmax(1) == labels).mean()
    assert tta_accuracy(logits, flipped, labels) == tta_accuracy(flipped, logits, labels)
    # Adding a constant to a row's logits changes no probability.
    assert np.allclose(mean_probabilities(logits, flipped + 7), mean_probabilities(logits, flipped))


def test_flipped_images_are_the_images_with_columns_reversed(tmp_path):
    pixels, _ = small.images(6)
    np.save(tmp_path / "images.npy", pixels)
    store = Flipped(Images(tmp_path / "images.npy", torch.device("cpu")))
    assert len(store) == 6
    assert np.array_equal(store.batch(np.array([4, 1])).numpy(), pixels[[4, 1]][:, :, ::-1])


def test_logits_of_both_views_are_the_networks_own(test_part):
    folder, pixels, labels = test_part
    backbone, model, record, out = seed_run(folder, 0)
    _, broken, broken_record, broken_out = seed_run(folder, 1, "diverged")
    paths = [str(folder / "test_images.npy"), str(folder / "test_labels.npy"), str(folder / "classes.json")]
    flipped = [str(folder / "f0.npz"), str(folder / "f1.npz")]
    predict_test(small.run(), *paths, [record, broken_record], [model, broken], [out, broken_out], flipped)
    for path, view in ((out, pixels), (flipped[0], pixels[:, :, ::-1].copy())):
        expected, _ = backbones.predict(backbone, [torch.from_numpy(view)], torch.autocast("cpu", enabled=False))
        saved = np.load(path)
        assert np.allclose(saved["logits"], expected, atol=1e-4)
        assert np.array_equal(saved["labels"], labels)
    assert np.isnan(np.load(flipped[1])["logits"]).all() and np.load(flipped[1])["logits"].shape == (14, 3)


def test_features_of_mirrored_images_are_those_of_an_array_mirrored_beforehand(tmp_path):
    inputs = small.study(tmp_path) | small.weights(tmp_path)
    run = small.run("linear_probe")
    extract_flipped_features(run, inputs["images"], inputs["weights"], inputs["record"], str(tmp_path / "a.npy"))
    np.save(tmp_path / "mirror.npy", np.ascontiguousarray(np.load(inputs["images"])[:, :, ::-1]))
    extract_features(run, str(tmp_path / "mirror.npy"), inputs["weights"], inputs["record"], str(tmp_path / "b.npy"), str(tmp_path / "c.json"))  # fmt: skip
    assert np.array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))


@pytest.mark.parametrize("given", [True, False])
def test_evaluation_has_the_score_exactly_where_flipped_logits_are_given(tmp_path, given):
    labels = np.array([0, 1])
    np.savez(tmp_path / "l.npz", logits=np.log([[0.6, 0.4], [0.1, 0.9]]), labels=labels, ids=labels)
    np.savez(tmp_path / "f.npz", logits=np.log([[0.2, 0.8], [0.5, 0.5]]), labels=labels, ids=labels)
    (tmp_path / "run.json").write_text(json.dumps({"status": "finished"}))
    (tmp_path / "classes.json").write_text(json.dumps(["a", "b"]))
    paths = [tmp_path / name for name in ("l.npz", "l.npz", "run.json", "classes.json", "m.json")]
    evaluate(*paths, tmp_path / "f.npz" if given else None)
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["accuracy"] == 1.0  # never touched by the mirrored view
    assert metrics["tta_accuracy"] == (0.5 if given else None)
