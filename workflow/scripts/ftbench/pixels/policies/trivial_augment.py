"""TrivialAugment (wide): after crop and mirror, one operation at one strength, both drawn anew for every image.

Müller and Hutter 2021 (arXiv:2103.10158), with their ranges in 31 steps; a translation is at most the image's own side.
Nothing is tuned, which suits a benchmark.
"""

import torch

from ftbench.pixels import augment as operation
from ftbench.pixels import transforms

DECLARES = {"without_flip": "crop_trivial_augment"}
STEPS = 30


def augment(images, generator):
    return trivial(operation.flip(operation.crop(images, generator), generator), generator)


def trivial(images, generator):
    """The one operation for each of `images` (B, H, W, 3) uint8."""
    count, side = len(images), min(images.shape[1:3])
    step = torch.randint(0, STEPS + 1, (count,), generator=generator) / STEPS
    sign = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    signed = step * sign
    ways = [
        (None, step),
        (transforms.shear_x, 0.99 * signed),
        (transforms.shear_y, 0.99 * signed),
        (transforms.translate_x, min(32, side) * signed),
        (transforms.translate_y, min(32, side) * signed),
        (transforms.rotate, 135 * signed),
        (transforms.brightness, 0.99 * signed),
        (transforms.colour, 0.99 * signed),
        (transforms.contrast, 0.99 * signed),
        (transforms.sharpness, 0.99 * signed),
        (transforms.posterize, 8 - (6 * step).round()),
        (transforms.solarize, 255 * (1 - step)),
        (transforms.autocontrast, step),
        (transforms.equalize, step),
    ]
    drawn = torch.randint(0, len(ways), (count,), generator=generator)
    return transforms.apply(images, drawn, *map(list, zip(*ways)))
