"""Corruptions: what each does to an image, how much, and that it does it again."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ftbench.pixels.clouds import plasma
from ftbench.pixels.corrupt import CONSTANTS, OPERATIONS, SEVERITIES, corrupt, generator_of
from ftbench.pixels.filters import blur, disk_kernel, elastic, shrunk, shuffled, trail, zoomed
from ftbench.pixels.ice_and_splashes import drops, ice, mud, water
from ftbench.study import config
from ftbench.study.corruption_kinds import FAMILIES, FAMILY_OF

KINDS = sorted(CONSTANTS)
# Constants that do not grow with the severity: saturate turns from paler to richer, the elastic transform from an affine map to a
# displacement, glass blur from wide and one pass to narrow and two, spatter from water to mud; frost darkens what it brightened.
NOT_MONOTONE = {"saturate", "elastic_transform", "glass_blur", "frost", "spatter"}


def images(count=24, side=32) -> torch.Tensor:
    """Smooth structure at several scales, without a grid that a coarser one could fall upon."""
    noise = torch.randn((3, count, 3, side, side), generator=torch.Generator().manual_seed(5))
    scales = (0.7, 1.5, 4.0)
    total = sum(blur(layer, sigma) * sigma for layer, sigma in zip(noise, scales))
    return (128 + 55 * total).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def distance(kind, severity, clean) -> float:
    """Root mean square distance to the clean image, in grey levels."""
    bad = corrupt(clean, kind, severity, generator_of(kind, severity, 0))
    return float(((bad.float() - clean.float()) ** 2).mean().sqrt())


@pytest.mark.parametrize("kind", KINDS)
def test_every_severity_changes_the_image_and_a_higher_one_more(kind):
    distances = [distance(kind, severity, images()) for severity in SEVERITIES]
    assert min(distances) > 0.5
    if kind not in NOT_MONOTONE:
        # A longer trail with the same sigma is almost the same trail.
        assert all(later > 0.97 * earlier for earlier, later in zip(distances, distances[1:])), distances
        assert distances[0] < distances[2] < distances[4]
    assert max(distances) < 110  # what is left is still an image


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(32, 32), (8, 8), (4, 4), (20, 33), (33, 20)])
def test_shape_type_and_the_given_images_stay(kind, shape):
    clean = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, *shape, 3)).astype(np.uint8))
    before = clean.clone()
    for severity in (1, 5):
        bad = corrupt(clean, kind, severity, generator_of(kind, severity, 0))
        assert bad.shape == clean.shape and bad.dtype == torch.uint8 and bad.is_contiguous()
    assert torch.equal(clean, before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_whatever_ran_before(kind):
    clean = images(4)
    first = corrupt(clean, kind, 3, generator_of(kind, 3, 7))
    torch.manual_seed(1)
    torch.rand(5)
    assert torch.equal(corrupt(clean, kind, 3, generator_of(kind, 3, 7)), first)


@pytest.mark.parametrize("kind", ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise", "glass_blur", "motion_blur",
                                  "snow", "frost", "fog", "spatter", "elastic_transform"])  # fmt: skip
def test_random_kinds_follow_the_seed_and_differ_between_images(kind):
    one = images(1).expand(2, -1, -1, -1).contiguous()
    first = corrupt(one, kind, 5, generator_of(kind, 5, 0))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(corrupt(one, kind, 5, generator_of(kind, 5, 1)), first)


def test_every_kind_has_a_family_five_constants_and_an_operation():
    assert {kind for kinds in FAMILIES.values() for kind in kinds} == set(CONSTANTS) == set(OPERATIONS)
    assert all(len(values) == 5 for values in CONSTANTS.values()) and len(CONSTANTS) == 19
    assert FAMILY_OF["fog"] == "weather" and set(FAMILY_OF) == set(CONSTANTS)
    properties = config.schema()["properties"]["corruptions"]["properties"]
    assert properties["kinds"]["items"]["enum"] == properties["kinds"]["default"] == list(FAMILY_OF)


def grey(value, side=64):
    return torch.full((2, side, side, 3), value, dtype=torch.uint8)


def noise_of(kind, value):
    return corrupt(grey(value), kind, 5, generator_of(kind, 5, 0)).float() / 255


def test_noise_has_its_published_strength():
    level = 128 / 255
    assert float(noise_of("gaussian_noise", 128).std()) == pytest.approx(0.10, rel=0.05)
    assert float(noise_of("speckle_noise", 128).std()) == pytest.approx(0.2 * level, rel=0.05)
    assert float(noise_of("shot_noise", 128).std()) == pytest.approx((level / 50) ** 0.5, rel=0.05)
    impulses = noise_of("impulse_noise", 128)
    assert float((impulses == 0).float().mean()) == pytest.approx(0.035, abs=0.005)
    assert float((impulses == 1).float().mean()) == pytest.approx(0.035, abs=0.005)


@pytest.mark.parametrize("kind", [*FAMILIES["blur"], "contrast", "elastic_transform", "pixelate", "jpeg_compression"])
def test_what_only_moves_pixels_around_leaves_a_uniform_image_alone(kind):
    assert (corrupt(grey(90, 32), kind, 5, generator_of(kind, 5, 0)).float() - 90).abs().max() <= 1


def test_brightness_and_saturation_are_those_of_hsv():
    import colorsys

    clean = torch.tensor([[[[200, 100, 50], [0, 0, 0], [255, 30, 90], [77, 77, 77]]]], dtype=torch.uint8)
    for kind, index, change in (("brightness", 2, lambda v: v + 0.3), ("saturate", 1, lambda s: 2.5 * s + 0.2)):
        bad = corrupt(clean, kind, 5, generator_of(kind, 5, 0))[0, 0]
        for before, after in zip(clean[0, 0].tolist(), bad.tolist()):
            hsv = list(colorsys.rgb_to_hsv(*(value / 255 for value in before)))
            hsv[index] = min(1.0, change(hsv[index]))
            assert after == pytest.approx([255 * value for value in colorsys.hsv_to_rgb(*hsv)], abs=1)


def test_frost_hides_more_of_the_image_at_every_severity():
    clean = images().float()

    def seen(severity):  # correlation with the clean image: what is left to see of it, however bright the ice makes it
        bad = corrupt(clean.byte(), "frost", severity, generator_of("frost", severity, 0)).float()
        return float(torch.corrcoef(torch.stack([bad.flatten(), clean.flatten()]))[0, 1])

    left = [seen(severity) for severity in SEVERITIES]
    assert all(later < earlier for earlier, later in zip(left, left[1:])) and left[4] > 0.5, left


def test_ice_is_bluish_white_and_lies_unevenly():
    sheets = ice(20, 32, 48, torch.Generator().manual_seed(0))
    assert sheets.shape == (20, 3, 32, 48) and float(sheets.min()) >= 0 and float(sheets.max()) <= 1
    assert (sheets[:, 2] >= sheets[:, 0]).all()
    assert float(sheets.std((2, 3)).min()) > 0.05  # no even veil: that would be fog


def test_water_brightens_mud_darkens_and_both_leave_most_of_the_image_alone():
    clean = images()
    for severity, sign in ((1, 1), (2, 1), (3, 1), (4, -1), (5, -1)):
        change = corrupt(clean, "spatter", severity, generator_of("spatter", severity, 0)).float() - clean.float()
        hit = (change != 0).any(3)
        assert 0.005 < float(hit.float().mean()) < 0.5, severity
        # The brown of mud is lighter than the darkest pixels, which is why most, not all, get darker.
        assert float((change[hit].sum(1) * sign > 0).float().mean()) > 0.8, severity
    brown = corrupt(grey(255, 32), "spatter", 5, generator_of("spatter", 5, 0)).reshape(-1, 3)
    darkest = brown[brown.sum(1).argmin()].tolist()
    assert darkest == pytest.approx([63, 42, 20], abs=2)


def test_drops_grow_with_the_image_and_lie_where_the_liquid_is_deep():
    liquid = drops(30, (32, 32), 0.65, 0.1, 0.8, 0.7, torch.Generator().manual_seed(0))
    wet = liquid > 0
    assert float(liquid[wet].min()) >= 0.7 and 0.02 < float(wet.float().mean()) < 0.3
    assert (water(liquid)[~wet] == 0).all() and float(water(liquid).amax()) == pytest.approx(1)
    assert (water(torch.zeros(2, 1, 8, 8)) == 0).all() and (mud(torch.zeros(2, 1, 8, 8), 0.5) == 0).all()
    shares = []
    for side in (32, 128):
        bad = corrupt(grey(100, side), "spatter", 5, generator_of("spatter", 5, 0))
        shares.append(float((bad.float() - 100).abs().amax(3).gt(10).float().mean()))
    assert (
        shares[1] == pytest.approx(shares[0], abs=0.05) and shares[0] > 0.02
    )  # as many pixels of each drop as the image has more


def test_contrast_keeps_the_mean_and_shrinks_the_rest():
    clean = images(3)
    bad = corrupt(clean, "contrast", 2, generator_of("contrast", 2, 0)).float()
    assert torch.allclose(bad.mean((1, 2)), clean.float().mean((1, 2)), atol=0.5)
    assert torch.allclose(bad.std((1, 2)), 0.5 * clean.float().std((1, 2)), rtol=0.02)


def test_blurring_a_point_gives_the_kernel():
    point = torch.zeros(1, 1, 33, 33)
    point[0, 0, 16, 16] = 1
    spread = blur(point, 2.0)[0, 0]
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    variance = float((spread * (torch.arange(33) - 16.0) ** 2).sum())
    assert variance == pytest.approx(4, rel=0.02)
    kernel = disk_kernel(1.5, 0.1)
    assert float(kernel.sum()) == pytest.approx(1) and int((kernel > 0.05).sum()) == 9  # a 3×3 square lies within 1.5


def test_a_trail_points_where_its_angle_says():
    point = torch.zeros(2, 1, 21, 21)
    point[:, 0, 10, 10] = 1
    spread = trail(point, 6, 2.0, torch.tensor([0.0, 90.0]))
    assert torch.allclose(spread.sum((1, 2, 3)), torch.ones(2), atol=1e-5)
    assert float(spread[0, 0, 10].sum()) == pytest.approx(1) and float(spread[1, 0, :, 10].sum()) == pytest.approx(1)


def test_zooming_keeps_the_centre_and_magnifies():
    ramp = torch.linspace(-1, 1, 33).expand(1, 1, 33, 33)
    assert torch.allclose(zoomed(ramp, 2.0), ramp / 2, atol=1e-5)
    assert torch.equal(zoomed(ramp, 1), ramp)


def test_shrinking_is_the_mean_of_the_area():
    pixels = torch.rand(2, 3, 12, 20)
    assert torch.allclose(shrunk(pixels, 6, 5), F.avg_pool2d(pixels, (2, 4)), atol=1e-6)
    thirds = shrunk(torch.tensor([[[[0.0, 3.0, 6.0]]]]), 1, 2)  # 1.5 pixels each
    assert torch.allclose(thirds, torch.tensor([[[[1.0, 5.0]]]]))


def test_swaps_keep_every_pixel():
    pixels = torch.rand(3, 3, 12, 12)
    moved = shuffled(pixels, 1, 2, torch.Generator().manual_seed(0))
    assert not torch.equal(moved, pixels)
    assert torch.equal(moved.flatten(2).sort().values, pixels.flatten(2).sort().values)


def test_an_elastic_transform_of_no_strength_is_the_identity():
    pixels = torch.rand(2, 3, 16, 20)
    assert torch.allclose(elastic(pixels, 0.0, 0.0, 0.0, torch.Generator().manual_seed(0)), pixels, atol=1e-4)


def test_clouds_fill_the_unit_interval_and_are_smoother_with_a_larger_decay():
    def roughness(decay):
        maps = plasma(20, 32, decay, torch.Generator().manual_seed(0))
        assert maps.shape == (20, 32, 32)
        assert torch.equal(maps.amin((1, 2)), torch.zeros(20)) and torch.allclose(maps.amax((1, 2)), torch.ones(20))
        return float(maps.diff(dim=1).abs().mean())

    assert roughness(3) < roughness(2) < roughness(1.5)
    assert plasma(1, 20, 2, torch.Generator().manual_seed(0)).shape == (1, 32, 32)
