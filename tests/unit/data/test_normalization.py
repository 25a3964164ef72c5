import json

import numpy as np
import pytest

from ftbench.base.errors import InputError
from ftbench.data import normalization
from ftbench.data.normalization import compute_normalization


def measure(tmp_path, images, train=None, validation=()):
    train = np.arange(len(images)) if train is None else train
    np.save(tmp_path / "images.npy", images)
    np.savez(tmp_path / "split.npz", train=np.asarray(train, np.int64), validation=np.asarray(validation, np.int64))
    compute_normalization(tmp_path / "images.npy", tmp_path / "split.npz", tmp_path / "out.json")
    return json.loads((tmp_path / "out.json").read_text())


def pixels(count=20, size=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size + 1, 3), dtype=np.uint8)


@pytest.mark.parametrize("chunk", [1, 100, 10**6])
def test_equals_numpy_whatever_the_chunk(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(normalization, "CHUNK_PIXELS", chunk)
    images = pixels()
    images[::2] //= 3
    got = measure(tmp_path, images)
    scaled = images / 255
    np.testing.assert_allclose(got["mean"], scaled.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(got["std"], scaled.std(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(got["mean_of_image_stds"], scaled.std(axis=(1, 2)).mean(axis=0), rtol=1e-12)
    assert got["images"] == 20


def test_only_train_and_validation_rows_count(tmp_path):
    images = pixels()
    other = images.copy()
    other[10:] = 255
    rows = {"train": [0, 3, 5, 7, 9], "validation": [1, 2, 4]}
    first, second = measure(tmp_path, images, **rows), measure(tmp_path, other, **rows)
    assert first == second
    assert first["images"] == 8
    assert first["mean"] == measure(tmp_path, images[[0, 1, 2, 3, 4, 5, 7, 9]])["mean"]


def test_mean_of_image_stds_never_exceeds_std(tmp_path):
    images = pixels() // 2
    images[:10] += 100  # bright and dark images: this difference is in std only
    got = measure(tmp_path, images)
    assert all(one < all_ for one, all_ in zip(got["mean_of_image_stds"], got["std"]))
    assert "from scratch" in got["note"]


def test_images_that_are_one_colour_each_have_image_stds_of_zero(tmp_path):
    images = np.broadcast_to(np.array([0, 85, 255], np.uint8)[:, None, None, None], (3, 4, 4, 3)).copy()
    got = measure(tmp_path, images)
    assert got["mean_of_image_stds"] == [0, 0, 0]
    np.testing.assert_allclose(got["mean"], 340 / 3 / 255)


def test_order_of_images_does_not_matter(tmp_path):
    images = pixels()
    first, second = measure(tmp_path, images), measure(tmp_path, images[::-1])
    assert first["mean"] == second["mean"] and first["std"] == second["std"]


def test_constant_channel_is_refused(tmp_path):
    images = pixels()
    images[..., 1] = 7
    with pytest.raises(InputError, match="green channel is 7"):
        measure(tmp_path, images)
