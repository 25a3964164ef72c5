"""Exact and near duplicates: invariances of the comparison, what is found and what is not, and what a split does about it."""

import numpy as np
import pytest

from ftbench.data.duplicates import alignment, candidates, find
from ftbench.data.duplicates.candidates import describe
from ftbench.data.duplicates.find import byte_digests, clusters, find_duplicates
from ftbench.data.duplicates.training_part import clusters_of


def pictures(count: int, size: int = 32, seed: int = 0) -> np.ndarray:
    """(count, size, size, 3) uint8 with structure at several scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((count, size, size, 3))
    for cells in (2, 4, 8):
        coarse = rng.normal(0, 35, (count, cells, cells, 3))
        total += coarse.repeat(size // cells, axis=1).repeat(size // cells, axis=2)
    return np.clip(128 + total + rng.normal(0, 10, total.shape), 0, 255).astype(np.uint8)


def found(images, mirrored=True, thorough=False, labels=None):
    """{(a, b): exact} of all pairs."""
    labels = np.arange(len(images)) % 2 if labels is None else labels
    small = alignment.reduced(images, np.arange(len(images)))
    pairs = find_duplicates(small, byte_digests(images, range(len(images))), labels, mirrored, thorough=thorough)
    assert (pairs.a < pairs.b).all() and ((pairs.agreement >= 0) & (pairs.agreement <= 1)).all()
    return {(a, b): exact for a, b, exact in zip(pairs.a.tolist(), pairs.b.tolist(), pairs.exact.tolist())}


def test_the_description_is_blind_to_brightness_and_contrast_and_of_length_one():
    images = pictures(20)
    described = describe(images)
    assert described.shape == (20, 192) and described.dtype == np.float32
    assert np.allclose(np.linalg.norm(described, axis=1), 1, atol=1e-5)
    changed = np.clip(60 + 0.5 * images.astype(float), 0, 255).astype(np.uint8)
    assert ((described * describe(changed)).sum(axis=1) > 0.99).all()


@pytest.mark.parametrize("shape", [(8, 8), (5, 7), (33, 20), (64, 64), (300, 40)])
def test_images_of_any_size_are_reduced_and_described(shape):
    images = np.random.default_rng(0).integers(0, 255, (3, *shape, 3)).astype(np.uint8)
    small = alignment.reduced(images, np.array([2, 0]))
    assert small.shape == (2, min(32, shape[0]), min(32, shape[1]), 3) and small.dtype == np.uint8
    assert describe(small).shape == (2, min(8, shape[0]) * min(8, shape[1]) * 3)
    if shape == (64, 64):
        assert (small[1] == images[0].astype(float).reshape(32, 2, 32, 2, 3).mean(axis=(1, 3)).round()).all()
    agreement = alignment.agreements(small, np.array([[0, 0], [0, 1]]), mirrored=True)
    assert agreement[0] == pytest.approx(1, abs=1e-4) and agreement[1] < 0.7


@pytest.mark.parametrize("down", range(-4, 5, 2))
@pytest.mark.parametrize("right", [-4, 0, 3])
def test_a_shift_of_up_to_an_eighth_of_the_side_changes_little(down, right):
    large = pictures(1, size=48)[0]
    images = np.stack([large[8:40, 8:40], large[8 + down : 40 + down, 8 + right : 40 + right][:, ::-1]])
    pair = np.array([[0, 1]])
    assert alignment.agreements(images, pair, mirrored=True)[0] > 0.95
    assert alignment.agreements(images, pair, mirrored=False)[0] < 0.7


def test_agreement_does_not_depend_on_the_block_and_hardly_on_the_order(monkeypatch):
    images = pictures(12)
    images[7] = np.roll(images[3], 2, axis=0)
    pairs = np.array([(a, b) for a in range(12) for b in range(a)])
    whole = alignment.agreements(images, pairs, True, np.full(len(pairs), 0.9))
    monkeypatch.setattr(alignment, "BLOCK", 5)
    assert np.allclose(alignment.agreements(images, pairs, True, np.full(len(pairs), 0.9)), whole, atol=1e-6)
    back = alignment.agreements(images, pairs[:, ::-1], True)
    assert np.abs(back - alignment.agreements(images, pairs, True)).max() < 0.3


def test_a_uniform_image_resembles_nothing_but_its_copy():
    images = pictures(12)
    images[3] = images[7] = 90
    images[9] = 91
    assert found(images) == {(3, 7): True}


def test_copies_are_found_as_what_they_are_and_others_are_not():
    images = pictures(100, seed=1)
    rng = np.random.default_rng(0)
    images[60] = images[5]  # the same bytes
    images[61] = np.clip(images[8] * 0.8 + 20 + rng.normal(0, 4, images[8].shape), 0, 255)  # darker, resaved
    images[62] = images[9][:, ::-1]  # mirrored
    images[63] = np.roll(images[10], 1, axis=1)  # moved by a pixel
    planted = {(5, 60): True, (8, 61): False, (9, 62): False, (10, 63): False}
    assert found(images) == planted
    del planted[9, 62]
    assert found(images, mirrored=False) == planted
    assert found(pictures(40, seed=1)) == {}


def test_of_very_many_images_copies_are_found_by_a_stricter_search_and_that_is_said(monkeypatch, capsys):
    monkeypatch.setattr(find, "MANY", 60)
    images = pictures(100, seed=1)
    images[60], images[62] = images[5], images[9][:, ::-1]
    images[61] = np.clip(images[8] * 0.8 + 20, 0, 255)
    assert found(images) == {(5, 60): True, (8, 61): False, (9, 62): False}
    assert "more than 60" in capsys.readouterr().out


def test_a_large_shift_is_found_by_the_thorough_search():
    large = pictures(30, size=48, seed=3)
    images = np.concatenate([large[:, 8:40, 8:40], large[4:5, 12:44, 5:37]])
    assert found(images, thorough=True) == {(4, 30): False}


def test_any_number_of_copies_forms_one_cluster():
    """Also more than ten, where the tenth neighbour is as close as the first."""
    images = pictures(60)
    rng = np.random.default_rng(1)
    for row in range(40, 60):
        images[row] = np.clip(images[4] + rng.normal(0, 3, images[4].shape), 0, 255)
    images[41] = images[40]
    small = alignment.reduced(images, np.arange(60))
    pairs = find_duplicates(small, byte_digests(images, range(60)), np.arange(60) % 2, True)
    assert clusters(60, pairs).tolist() == [*range(40), *[4] * 20]
    assert pairs.exact.sum() == 1


def test_images_of_a_class_that_all_look_alike_are_no_duplicates():
    """As scans of one digit: what makes a duplicate is that it stands out of its class."""
    rng = np.random.default_rng(0)
    base = pictures(1, seed=5)[0].astype(float)
    alike = np.clip(base + rng.normal(0, 14, (60, 8, 8, 3)).repeat(4, axis=1).repeat(4, axis=2), 0, 255).astype(
        np.uint8
    )
    pair = np.array([[0, 1]])
    assert alignment.agreements(alike, pair, mirrored=False)[0] > 0.72
    labels = np.zeros(60, int)
    assert found(alike, labels=labels) == {}
    alike[30] = np.clip(alike[7].astype(int) + 3, 0, 255)
    assert found(alike, labels=labels) == {(7, 30): False}


def test_features_bring_candidates_that_pixels_miss():
    large = pictures(30, size=48, seed=3)
    images = np.concatenate([large[:, 8:40, 8:40], large[4:5, 12:44, 5:37]])
    features = np.random.default_rng(0).normal(size=(31, 20)).astype(np.float32)
    features[30] = features[4] * 2
    features[12] = features[13]  # alike in features alone
    digests = byte_digests(images, range(31))
    pairs = find_duplicates(images, digests, np.arange(31) % 2, True, features=[features])
    assert (pairs.a.tolist(), pairs.b.tolist()) == ([4], [30])


def test_the_search_is_exact_whatever_the_block_and_keeps_the_nearest_of_too_many(monkeypatch, capsys):
    described = describe(pictures(70, seed=3))
    radius = np.full(70, 0.1)
    products = described @ described.T
    expected = np.argwhere(np.triu(products >= 0.1, 1))
    assert (candidates.within(described, described, radius) == expected).all()
    for name, value in (("BLOCK", 7), ("OTHERS", 11)):
        monkeypatch.setattr(candidates, name, value)
    assert (candidates.within(described, described, radius) == expected).all()
    few = candidates.within(described, described, radius, most=10)
    nearest = sorted(expected.tolist(), key=lambda pair: -products[tuple(pair)])[:10]
    assert (
        sorted(few.tolist()) == sorted(nearest) and "only the pairs of a correlation above" in capsys.readouterr().out
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handful_of_images_is_enough(count):
    assert found(pictures(count), thorough=True) == {}
    assert len(found(np.concatenate([pictures(count)] * 2))) == count


def test_the_clusters_of_a_training_part_count_positions_of_the_rows_that_are_used(tmp_path):
    images = pictures(30)
    images[20] = images[4]
    images[25] = images[9][:, ::-1]
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", np.arange(30) % 3)
    find = clusters_of(tmp_path / "images.npy", tmp_path / "labels.npy", mirrored=True)
    assert find(np.array([4, 9, 20, 25])).tolist() == [0, 1, 0, 1]
    assert find(np.array([9, 20, 25])).tolist() == [0, 1, 0]
