"""Batched operations against torchvision's functions on single images."""

import pytest
import torch
import torchvision.transforms.v2.functional as reference
from torchvision.transforms import InterpolationMode

from ftbench.pixels import transforms

SIZE = (24, 24)
IMAGES = torch.randint(0, 256, (6, *SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
IMAGES[1] = IMAGES[1] // 4 + 60  # little contrast
IMAGES[2, :, :, 0] = 77  # a channel of one value
IMAGES[3] = torch.linspace(0, 255, 24).view(1, 24, 1).expand(24, 24, 3).to(torch.uint8)


def one_by_one(function, strengths):
    """function(image (3, H, W), strength) for each image, as (B, H, W, 3)."""
    changed = [function(image.permute(2, 0, 1), float(strength)) for image, strength in zip(IMAGES, strengths)]
    return torch.stack(changed).permute(0, 2, 3, 1)


def affine(angle=0.0, translate=(0.0, 0.0), shear=(0.0, 0.0)):
    def function(image, _=None):
        return reference.affine(image.float(), angle, list(translate), 1.0, list(shear),
                                interpolation=InterpolationMode.BILINEAR, fill=0)  # fmt: skip

    return function


def degrees(slope):
    return float(torch.rad2deg(torch.atan(torch.tensor(slope))))


AMOUNTS = torch.tensor([-0.9, -0.3, 0.0, 0.27, 0.6, 0.99])
COLOURS = {
    "brightness": (transforms.brightness, lambda image, s: reference.adjust_brightness(image, 1 + s)),
    "colour": (transforms.colour, lambda image, s: reference.adjust_saturation(image, 1 + s)),
    "contrast": (transforms.contrast, lambda image, s: reference.adjust_contrast(image, 1 + s)),
    "sharpness": (transforms.sharpness, lambda image, s: reference.adjust_sharpness(image, 1 + s)),
    "autocontrast": (transforms.autocontrast, lambda image, _: reference.autocontrast(image)),
    "equalize": (transforms.equalize, lambda image, _: reference.equalize(image)),
}


@pytest.mark.parametrize("name", COLOURS)
def test_colours_change_as_torchvisions_do(name):
    ours, theirs = COLOURS[name]
    difference = ours(IMAGES, AMOUNTS).int() - one_by_one(theirs, AMOUNTS).int()
    assert difference.abs().max() <= (0 if name == "equalize" else 2)  # rounding of the grey image, and of the result


@pytest.mark.parametrize(
    "name, strengths", [("posterize", [8, 7, 6, 4, 2, 1]), ("solarize", [0, 1, 100, 200, 254, 255])]
)
def test_bits_and_thresholds_are_torchvisions(name, strengths):
    cast = int if name == "posterize" else float
    theirs = one_by_one(lambda image, s: getattr(reference, name)(image, cast(s)), strengths)
    assert torch.equal(getattr(transforms, name)(IMAGES, torch.tensor(strengths).float()), theirs)


@pytest.mark.parametrize("name, strength, theirs", [
    ("rotate", 30.0, affine(angle=-30.0)), ("rotate", -100.0, affine(angle=100.0)),
    ("translate_x", 5.0, affine(translate=(-5.0, 0.0))), ("translate_y", -3.0, affine(translate=(0.0, 3.0))),
    ("shear_x", 0.4, affine(shear=(degrees(0.4), 0.0))), ("shear_y", -0.7, affine(shear=(0.0, degrees(-0.7)))),
])  # fmt: skip
def test_geometry_is_torchvisions_affine_map_about_the_centre(name, strength, theirs):
    ours = getattr(transforms, name)(IMAGES, torch.full((6,), strength))
    difference = (ours.float() - one_by_one(theirs, [0] * 6)).abs()
    assert (difference > 2).float().mean() < 0.1  # torchvision fills pixels that lie half outside in another way


def test_a_wide_image_turns_rigidly():
    wide = torch.zeros(1, 9, 21, 3, dtype=torch.uint8)
    wide[:, 4, 7:14] = 255  # a bar of seven pixels
    turned = transforms.rotate(wide, torch.tensor([90.0]))
    assert (turned[0, 1:8, 10] > 250).all() and (turned[0, :, 12:] == 0).all()


@pytest.mark.parametrize("name", ["rotate", "shear_x", "shear_y", "translate_x", "translate_y", "brightness", "colour",
                                  "contrast", "sharpness"])  # fmt: skip
def test_strength_zero_changes_nothing_and_each_image_has_its_own(name):
    operation = getattr(transforms, name)
    assert torch.equal(operation(IMAGES, torch.zeros(6)), IMAGES)
    strengths = torch.tensor([0.0, 0.9, 0.0, 0.5, 0.0, 0.7])
    together = operation(IMAGES, strengths)
    for number in range(6):
        assert torch.equal(
            together[number : number + 1], operation(IMAGES[number : number + 1], strengths[number : number + 1])
        )


def test_each_image_gets_what_it_drew():
    drawn = torch.tensor([0, 1, 2, 1, 0, 2])
    operations = [None, lambda x, s: x + s.view(-1, 1, 1, 1).to(torch.uint8), lambda x, s: torch.zeros_like(x)]
    strengths = [torch.zeros(6), torch.arange(6), torch.zeros(6)]
    before = IMAGES.clone()
    changed = transforms.apply(IMAGES, drawn, operations, strengths)
    assert torch.equal(changed[drawn == 0], IMAGES[drawn == 0]) and (changed[drawn == 2] == 0).all()
    assert torch.equal(changed[1], IMAGES[1] + 1) and torch.equal(changed[3], IMAGES[3] + 3)
    assert torch.equal(IMAGES, before)
