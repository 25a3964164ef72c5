"""Common corruptions of images: noise, blur, weather and digital artefacts at five severities, batch by batch on the device.

The kinds and constants are those that Hendrycks and Dietterich 2019 (arXiv:1903.12261) published for CIFAR-10-C, at 32 pixels;
lengths in pixels grow with the image's side, so that a corruption looks the same at every size. The code and the random numbers
are this project's own, so the images are not those of CIFAR-10-C; frost is drawn where the original lays photographs over the image.
All random numbers come from a CPU generator: they do not depend on the device.
"""

import io
import math
import zlib
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ftbench.pixels.clouds import plasma
from ftbench.pixels.filters import blur, disk_kernel, elastic, filter_with, shrunk, shuffled, trail, zoomed
from ftbench.pixels.ice_and_splashes import drops, ice, mud, water
from ftbench.study.corruption_kinds import FAMILIES

PUBLISHED_SIDE = 32  # pixels, for which the constants below are
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV weighs red, green and blue
ZOOM_STEP = 0.01
WATER, MUD = (175 / 255, 238 / 255, 238 / 255), (63 / 255, 42 / 255, 20 / 255)  # RGB
SEVERITIES = (1, 2, 3, 4, 5)
CONSTANTS = {
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),  # standard deviation
    "shot_noise": (500, 250, 100, 75, 50),  # photons of a white pixel
    "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),  # share of values
    "speckle_noise": (0.06, 0.1, 0.12, 0.16, 0.2),  # standard deviation, relative to the value
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),  # radius, blur of its rim
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),  # blur, reach of a swap, passes
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),  # radius, sigma
    "zoom_blur": (1.06, 1.11, 1.16, 1.21, 1.26),  # end of the zoom
    "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1),  # sigma
    # mean and deviation of the flakes, zoom, threshold, radius and sigma of their motion, share of the image
    "snow": ((0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
             (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8)),
    "frost": ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),  # share of the image, of the ice
    "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),  # density, smoothness
    "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),
    # liquid: mean and deviation, blur, level of a drop; strength of the water or blur of the mud
    "spatter": ((0.62, 0.1, 0.7, 0.7, 0.5, "water"), (0.65, 0.1, 0.8, 0.7, 0.5, "water"), (0.65, 0.3, 1, 0.69, 0.5, "water"),
                (0.65, 0.1, 0.7, 0.69, 0.6, "mud"), (0.65, 0.1, 0.5, 0.68, 0.6, "mud")),
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),  # share that is left
    # strength and sigma of the displacement, of the affine part; shares of the side
    "elastic_transform": ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),  # share of the side
    "jpeg_compression": (80, 65, 58, 50, 40),  # quality
    "saturate": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),  # factor, then addend: paler first, then richer
}  # fmt: skip


def generator_of(kind: str, severity: int, seed: int) -> torch.Generator:
    """The random numbers of one condition; other conditions and the order of kinds do not move them."""
    state = np.random.SeedSequence([seed, zlib.crc32(kind.encode()), severity]).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


def corrupt(images: torch.Tensor, kind: str, severity: int, generator: torch.Generator) -> torch.Tensor:
    """(B, H, W, 3) uint8 -> the same, corrupted by `kind` at `severity` 1 to 5."""
    constants = CONSTANTS[kind][severity - 1]
    pixels = images.permute(0, 3, 1, 2).float() / 255
    result = OPERATIONS[kind](pixels, constants, generator)
    return (result.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _scale(pixels: torch.Tensor) -> float:
    return min(pixels.shape[-2:]) / PUBLISHED_SIDE


def _normal(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(pixels.shape, generator=generator).to(pixels.device)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _gaussian_noise(pixels, deviation, generator):
    return pixels + deviation * _normal(pixels, generator)


def _shot_noise(pixels, photons, generator):
    return torch.poisson((pixels * photons).cpu(), generator=generator).to(pixels.device) / photons


def _impulse_noise(pixels, share, generator):
    hit, salt = torch.rand((2, *pixels.shape), generator=generator).to(pixels.device)
    return torch.where(hit < share, (salt < 0.5).float(), pixels)


def _speckle_noise(pixels, deviation, generator):
    return pixels + pixels * deviation * _normal(pixels, generator)


def _defocus_blur(pixels, constants, generator):
    return filter_with(pixels, disk_kernel(constants[0] * _scale(pixels), constants[1]))


def _glass_blur(pixels, constants, generator):
    sigma, reach, passes = constants[0] * _scale(pixels), max(1, round(constants[1] * _scale(pixels))), constants[2]
    return blur(shuffled(blur(pixels, sigma), reach, passes, generator), sigma)


def _motion_blur(pixels, constants, generator):
    degrees = _uniform(len(pixels), -45, 45, generator)
    return trail(pixels, *(value * _scale(pixels) for value in constants), degrees)


def _zoom_blur(pixels, end, generator):
    factors = np.arange(1, end, ZOOM_STEP)
    return (pixels + sum(zoomed(pixels, factor) for factor in factors)) / (len(factors) + 1)


def _gaussian_blur(pixels, sigma, generator):
    return blur(pixels, sigma * _scale(pixels))


def _snow(pixels, constants, generator):
    mean, deviation, zoom, threshold, radius, sigma, share = constants
    flakes = torch.randn((len(pixels), 1, *pixels.shape[-2:]), generator=generator) * deviation + mean
    degrees = _uniform(len(pixels), -135, -45, generator)
    flakes = zoomed(flakes.to(pixels.device), zoom)
    flakes = torch.where(flakes < threshold, 0, flakes).clamp(0, 1)
    flakes = trail(flakes, radius * _scale(pixels), sigma * _scale(pixels), degrees)
    grey = (pixels * torch.tensor(GREY, device=pixels.device).view(3, 1, 1)).sum(1, keepdim=True)
    pale = share * pixels + (1 - share) * torch.maximum(pixels, grey * 1.5 + 0.5)
    return pale + flakes + flakes.rot90(2, (2, 3))


def _frost(pixels, constants, generator):
    share, weight = constants
    return share * pixels + weight * ice(len(pixels), *pixels.shape[-2:], generator).to(pixels.device)


def _fog(pixels, constants, generator):
    density, decay = constants
    brightest = pixels.amax((1, 2, 3), keepdim=True)
    height, width = pixels.shape[-2:]
    cloud = plasma(len(pixels), max(height, width), decay, generator).to(pixels.device)
    return (pixels + density * cloud[:, None, :height, :width]) * brightest / (brightest + density)


def _brightness(pixels, addend, generator):
    value = pixels.amax(1, keepdim=True)  # V of HSV; hue and saturation stay where all channels grow by one factor
    raised = (value + addend).clamp(0, 1)
    return torch.where(value > 0, pixels * raised / value.clamp(min=1e-6), raised)


def _spatter(pixels, constants, generator):
    *numbers, strength, what = constants
    shape = [max(2, round(side / _scale(pixels))) for side in pixels.shape[-2:]]
    liquid = drops(len(pixels), shape, *numbers, generator)
    cover, colour = (strength * water(liquid), WATER) if what == "water" else (mud(liquid, strength), MUD)
    cover = F.interpolate(cover, pixels.shape[-2:], mode="bilinear", antialias=True).to(pixels.device)
    under = pixels if what == "water" else pixels * (1 - cover)  # water adds light, mud hides what lies under it
    return under + cover * torch.tensor(colour, device=pixels.device).view(3, 1, 1)


def _contrast(pixels, share, generator):
    means = pixels.mean((2, 3), keepdim=True)
    return (pixels - means) * share + means


def _elastic_transform(pixels, constants, generator):
    return elastic(pixels, *(value * min(pixels.shape[-2:]) for value in constants), generator)


def _pixelate(pixels, share, generator):
    size = [max(1, int(side * share)) for side in pixels.shape[-2:]]
    return F.interpolate(shrunk(pixels, *size), pixels.shape[-2:], mode="nearest-exact")


def _jpeg_compression(pixels, quality, generator):
    rows = (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    results = np.empty_like(rows)
    for number, row in enumerate(rows):
        stream = io.BytesIO()
        Image.fromarray(row).save(stream, "JPEG", quality=quality)
        results[number] = np.asarray(Image.open(stream))
    return torch.from_numpy(results).to(pixels.device).permute(0, 3, 1, 2).float() / 255


def _saturate(pixels, constants, generator):
    factor, addend = constants
    value = pixels.amax(1, keepdim=True)
    missing = value - pixels  # V S k per channel, k in [0, 1]: proportional to the saturation S of HSV
    saturation = missing.amax(1, keepdim=True) / value.clamp(min=1e-6)
    wanted = (saturation * factor + addend).clamp(0, 1)
    grey = value * (1 - wanted * torch.tensor([0.0, 1.0, 1.0], device=pixels.device).view(3, 1, 1))  # hue 0 is red
    return torch.where(saturation > 0, value - missing * wanted / saturation.clamp(min=1e-6), grey)


OPERATIONS: dict[str, Callable] = {kind: globals()[f"_{kind}"] for kinds in FAMILIES.values() for kind in kinds}
assert set(OPERATIONS) == set(CONSTANTS) and math.isclose(sum(GREY), 1)
