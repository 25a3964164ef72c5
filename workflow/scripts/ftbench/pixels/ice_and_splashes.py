"""What lies over an image: sheets of ice, splashes of water and mud. Drawn at random, so that no photographs are needed.

Splashes are drawn at the side for which their constants were published and then resized, so that drops grow with the image.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from ftbench.pixels.clouds import plasma
from ftbench.pixels.filters import blur

ICE = (0.82, 0.92, 1.0)  # RGB of the brightest crystal
CRYSTALS = (1.6, 2.0)  # smoothness of the clouds whose lines of middle height are crystals
PATCHES = 2.5  # smoothness of the cloud in which they lie
SHARPNESS, HAZE = 3, 0.25  # of a crystal; brightness of a patch between crystals
FARTHEST = 20.0  # pixels from a drop's rim, beyond which its brightness does not change
RELIEF = torch.tensor([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])  # light falls from the upper left
MUD_IS_SOLID = 0.8  # share of mud below which a blurred pixel is clean


def ice(count: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """(count, 3, H, W) sheets of ice in [0, 1] on the CPU: thin bright crystals that branch through cloudy patches."""
    side = max(height, width)
    crystals = [1 - (2 * plasma(count, side, decay, generator) - 1).abs() for decay in CRYSTALS]  # 1 at middle height
    sheet = plasma(count, side, PATCHES, generator) * (HAZE + (1 - HAZE) * torch.stack(crystals).amax(0) ** SHARPNESS)
    sheet = sheet / sheet.amax((1, 2), keepdim=True).clamp(min=1e-6)
    return sheet[:, None, :height, :width] * torch.tensor(ICE).view(3, 1, 1)


def drops(
    count: int, shape: tuple[int, int], mean: float, deviation: float, sigma: float, level: float, generator: torch.Generator
) -> torch.Tensor:  # fmt: skip
    """(count, 1, *shape) liquid on the CPU: Gaussian noise, blurred by `sigma`, and 0 wherever it lies below `level`."""
    noise = torch.randn((count, 1, *shape), generator=generator) * deviation + mean
    liquid = blur(noise, sigma)
    return torch.where(liquid < level, 0.0, liquid)


def water(liquid: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W) liquid -> brightness of the water in [0, 1]: drops in relief, lit from one side.

    Follows Hendrycks and Dietterich's steps, with one difference: drops begin at their rims instead of at the edges that Canny's
    detector finds, which are the same lines up to a pixel, since the liquid falls to 0 there.
    """
    heights = torch.stack([torch.from_numpy(_relief(one > 0)) for one in liquid[:, 0].numpy()])[:, None]
    lit = F.conv2d(F.pad(heights, (1, 1, 1, 1), mode="reflect"), RELIEF[None, None]).clamp(0, 255)
    wet = liquid * _mean_of_nine(lit)
    return wet / wet.amax((1, 2, 3), keepdim=True).clamp(min=1e-6)


def mud(liquid: torch.Tensor, sigma: float) -> torch.Tensor:
    """(B, 1, H, W) liquid -> cover of the mud in [0, 1]: drops with soft rims."""
    cover = blur((liquid > 0).float(), sigma)
    return torch.where(cover < MUD_IS_SOLID, 0.0, cover)


def _relief(wet: np.ndarray) -> np.ndarray:
    """(H, W) bool -> float32 heights in 0 ... 255: distance from the nearest rim of a drop, with an even histogram."""
    rims = wet & ~ndimage.binary_erosion(wet, border_value=1)
    if not rims.any():  # no drop, or nothing else
        return np.zeros(wet.shape, np.float32)
    distance = ndimage.distance_transform_edt(~rims).clip(max=FARTHEST)
    distance = np.floor(ndimage.uniform_filter(distance, 3, mode="mirror")).astype(np.int64)
    below = np.cumsum(np.bincount(distance.ravel()))  # images with at most this distance
    first = below[distance.min()]
    even = (below - first) / max(1, below[-1] - first)
    return (255 * even[distance]).astype(np.float32)


def _mean_of_nine(maps: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(F.pad(maps, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
