"""Exact and near duplicates: invariances of the description, what is found and what is not."""

import numpy as np
import pytest

from ftbench.measure import duplicates
from ftbench.measure.duplicates import describe, find_duplicates


def pictures(count: int, size: int = 32, seed: int = 0) -> np.ndarray:
    """(count, size, size, 3) uint8 with structure at several scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((count, size, size, 3))
    for cells in (2, 4, 8):
        coarse = rng.normal(0, 35, (count, cells, cells, 3))
        total += coarse.repeat(size // cells, axis=1).repeat(size // cells, axis=2)
    return np.clip(128 + total + rng.normal(0, 10, total.shape), 0, 255).astype(np.uint8)


def test_the_description_is_blind_to_brightness_and_contrast_and_of_length_one():
    images = pictures(20)
    described = describe(images)
    assert described.shape == (20, 192) and described.dtype == np.float32
    assert np.allclose(np.linalg.norm(described, axis=1), 1, atol=1e-5)
    changed = np.clip(60 + 0.5 * images.astype(float), 0, 255).astype(np.uint8)
    assert ((described * describe(changed)).sum(axis=1) > 0.999).all()


@pytest.mark.parametrize("shape", [(8, 8), (5, 7), (33, 20), (64, 64)])
def test_any_size_is_described_by_means_of_its_parts(shape):
    image = np.random.default_rng(0).integers(0, 255, (1, *shape, 3)).astype(np.uint8)
    rows, columns = (np.array_split(np.arange(side), 1) for side in shape)
    assert len(rows) == len(columns) == 1
    described = describe(image)
    assert described.shape == (1, min(8, shape[0]) * min(8, shape[1]) * 3)
    if shape == (64, 64):
        by_hand = image[0].astype(float).reshape(8, 8, 8, 8, 3).mean(axis=(1, 3)).ravel()
        by_hand -= by_hand.mean()
        assert np.allclose(described[0], by_hand / np.linalg.norm(by_hand), atol=1e-5)


def test_a_uniform_image_resembles_nothing_but_its_copy():
    images = pictures(12)
    images[3] = images[7] = 90
    images[9] = 91
    assert find_duplicates(images) == [{"a": 3, "b": 7, "similarity": 1.0, "exact": True}]


def test_copies_are_found_as_what_they_are_and_others_are_not():
    images, others = pictures(40, seed=1), pictures(60, seed=2)
    images[5] = others[17]  # the same bytes
    rng = np.random.default_rng(0)
    images[8] = np.clip(others[30] * 0.8 + 20 + rng.normal(0, 6, images[8].shape), 0, 255)  # darker, resaved
    images[9] = np.roll(others[31], 1, axis=1)  # moved by a pixel
    found = {(pair["a"], pair["b"]): pair["exact"] for pair in find_duplicates(images, others)}
    assert found == {(5, 17): True, (8, 30): False, (9, 31): False}
    assert find_duplicates(pictures(40, seed=1), pictures(60, seed=2)) == []


def test_among_themselves_every_pair_stands_once():
    images = pictures(30)
    images[20] = images[4]
    images[25] = images[4]
    images[11] = np.clip(images[2].astype(int) + 3, 0, 255)
    found = find_duplicates(images)
    assert [(pair["a"], pair["b"], pair["exact"]) for pair in found] == [(2, 11, False), (4, 20, True), (4, 25, True)]
    assert all(0.95 <= pair["similarity"] <= 1 for pair in found)


def test_a_smooth_picture_among_many_like_it_is_no_duplicate():
    """Skies correlate highly with one another; what makes a duplicate is that it stands out."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(80, 200, 32)[None, :, None, None]
    skies = np.clip(ramp + rng.normal(0, 12, (40, 8, 8, 3)).repeat(4, axis=1).repeat(4, axis=2), 0, 255).astype(
        np.uint8
    )
    _, similarity, near = duplicates.nearest(describe(skies), None)
    assert similarity.min() > 0.9 and not near.any()


def test_the_block_size_does_not_matter(monkeypatch):
    images, others = pictures(23, seed=3), pictures(31, seed=4)
    images[2], others[9] = others[1], others[5]
    whole = find_duplicates(images, others), find_duplicates(others)
    monkeypatch.setattr(duplicates, "BLOCK", 4)
    assert (find_duplicates(images, others), find_duplicates(others)) == whole


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handful_of_images_is_enough(count):
    assert find_duplicates(pictures(count)) == []
    assert find_duplicates(pictures(count), pictures(count, seed=9)) == []
    assert len(find_duplicates(pictures(count), pictures(count))) == count
