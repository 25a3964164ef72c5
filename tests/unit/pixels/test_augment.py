import numpy as np
import pytest
import torch

from ftbench.pixels import augment

OPERATIONS = [augment.crop, augment.flip, augment.rotate]


def pictures(count=40, height=16, width=16, seed=0):
    """Random pixels without zeros, so that padding can be told from picture."""
    return torch.randint(1, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator(seed))


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("size", [(8, 8), (16, 24), (33, 20)])
def test_shape_and_type_stay_and_so_does_the_input(operation, size):
    images = pictures(6, *size)
    before = images.clone()
    result = operation(images, generator())
    assert result.shape == images.shape and result.dtype == torch.uint8 and result.is_contiguous()
    assert torch.equal(images, before)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_choices_follow_from_the_generator_alone(operation):
    images = pictures()
    first, second, other = (operation(images, generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    torch.manual_seed(99)
    assert torch.equal(operation(images, generator(3)), first)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_image_has_a_choice_of_its_own(operation):
    same = pictures(1).repeat(30, 1, 1, 1)
    assert len(torch.unique(operation(same, generator()), dim=0)) > 1


def test_a_flip_is_the_image_or_its_exact_mirror_about_half_the_time():
    images = pictures(400)
    result = augment.flip(images, generator())
    kept = (result == images).flatten(1).all(1)
    mirrored = (result == images.flip(2)).flatten(1).all(1)
    assert torch.equal(kept, ~mirrored)
    assert 160 < mirrored.sum() < 240  # 400 fair coins: 4 standard deviations


@pytest.mark.parametrize("height, width", [(16, 16), (8, 12), (4, 4), (32, 32)])
def test_a_crop_is_a_window_of_the_padded_image(height, width):
    images = pictures(60, height, width)
    result = augment.crop(images, generator())
    pad = max(1, height // 8)
    offsets = set()
    for picture, cropped in zip(images, result):
        padded = torch.zeros(height + 2 * pad, width + 2 * pad, 3, dtype=torch.uint8)
        padded[pad : pad + height, pad : pad + width] = picture
        found = [
            (top, left)
            for top in range(2 * pad + 1)
            for left in range(2 * pad + 1)
            if torch.equal(padded[top : top + height, left : left + width], cropped)
        ]
        assert len(found) == 1
        offsets.update(found)
    tops, lefts = zip(*offsets)
    assert set(tops) == set(lefts) == set(range(2 * pad + 1))  # every offset occurs, both borders included


def test_the_textbooks_crop_pads_32_pixels_by_4():
    white = torch.full((500, 32, 32, 3), 255, dtype=torch.uint8)
    black_rows = (augment.crop(white, generator()) == 0).all(-1).all(-1).sum(1)
    assert black_rows.max() == 4


def _angle(monkeypatch, degrees):
    """Let the next rotation be by this angle."""
    share = (degrees / augment.MAX_DEGREES + 1) / 2
    monkeypatch.setattr(
        torch, "rand", lambda count, generator: torch.full((count,), share, dtype=torch.float64).float()
    )


def test_a_rotation_by_nothing_is_the_identity(monkeypatch):
    images = pictures(5, 16, 24)
    _angle(monkeypatch, 0.0)
    assert torch.equal(augment.rotate(images, generator()), images)


@pytest.mark.parametrize("height, width", [(21, 21), (21, 31), (31, 21)])
@pytest.mark.parametrize("start", [(7, 0), (0, 7)], ids=["to the right", "below"])
def test_a_rotation_is_rigid_on_any_aspect_ratio(monkeypatch, height, width, start):
    """A bright dot keeps its distance from the centre and moves by the angle."""
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    image = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    image[0, int(centre[1]) + start[1], int(centre[0]) + start[0]] = 255
    _angle(monkeypatch, 15.0)
    weight = augment.rotate(image, generator())[0, :, :, 0].double().numpy()
    rows, columns = np.indices((height, width))
    dot = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum() - centre
    assert np.linalg.norm(dot) == pytest.approx(7, abs=0.3)
    turned = np.degrees(np.arctan2(*dot[::-1]) - np.arctan2(*start[::-1]))
    assert abs(turned) == pytest.approx(15, abs=2)


def test_a_right_angle_is_torchs_own(monkeypatch):
    """At 90 degrees no pixel is interpolated, so the result is exact: it pins the centre of the rotation."""
    monkeypatch.setattr(augment, "MAX_DEGREES", 90.0)
    images = pictures(3, 9, 9)
    _angle(monkeypatch, 90.0)
    result = augment.rotate(images, generator())
    assert any(torch.equal(result, images.rot90(turns, (1, 2))) for turns in (1, -1))


def test_angles_cover_both_directions_up_to_the_limit(monkeypatch):
    drawn = []
    original = torch.deg2rad
    monkeypatch.setattr(torch, "deg2rad", lambda degrees: drawn.append(degrees) or original(degrees))
    augment.rotate(pictures(2000, 4, 4), generator())
    assert -15 <= drawn[0].min() < -14.5 and 14.5 < drawn[0].max() <= 15
    assert abs(drawn[0].mean()) < 1
