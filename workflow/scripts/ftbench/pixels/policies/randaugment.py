"""RandAugment: after crop and mirror, two operations in a row, drawn for every image, at one fixed strength.

Cubuk et al. 2020 (arXiv:1909.13719): N = 2 operations at magnitude M = 9 of 30, with the ranges of AutoAugment.
"""

import torch

from ftbench.pixels import augment as operation
from ftbench.pixels import transforms

DECLARES = {"without_flip": "crop_randaugment"}
OPERATIONS, MAGNITUDE = 2, 9 / 30


def augment(images, generator):
    return rand(operation.flip(operation.crop(images, generator), generator), generator)


def rand(images, generator):
    """The operations for each of `images` (B, H, W, 3) uint8."""
    count, side = len(images), min(images.shape[1:3])
    for _ in range(OPERATIONS):
        signed = MAGNITUDE * (torch.randint(0, 2, (count,), generator=generator) * 2 - 1)
        full = torch.ones(count)
        ways = [
            (None, full),
            (transforms.shear_x, 0.3 * signed),
            (transforms.shear_y, 0.3 * signed),
            (transforms.translate_x, 150 / 331 * side * signed),
            (transforms.translate_y, 150 / 331 * side * signed),
            (transforms.rotate, 30 * signed),
            (transforms.brightness, 0.9 * signed),
            (transforms.colour, 0.9 * signed),
            (transforms.contrast, 0.9 * signed),
            (transforms.sharpness, 0.9 * signed),
            (transforms.posterize, full * (8 - round(4 * MAGNITUDE))),
            (transforms.solarize, full * (255 * (1 - MAGNITUDE))),
            (transforms.autocontrast, full),
            (transforms.equalize, full),
        ]
        drawn = torch.randint(0, len(ways), (count,), generator=generator)
        images = transforms.apply(images, drawn, *map(list, zip(*ways)))
    return images
