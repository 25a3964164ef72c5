"""Whether two images show the same picture: their details, laid over one another at every small shift, mirrored, and rescaled.

Two photographs of skies agree in their coarse brightness; two copies of one photograph agree in their details too. So an image is
reduced to at most 32 px, its coarse part (a Gaussian of a sixteenth of the side) is taken away, and the middle three quarters of one
image are looked for in the other by normalized cross-correlation (Lewis 1995, "Fast normalized cross-correlation"), which is blind to
brightness and contrast. The best place counts. docs/audit.md has what this finds in CIFAR-10.
"""

from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.ndimage import affine_transform, gaussian_filter

SIDE = 32  # pixels that images are compared at, at most
SMOOTH = 1 / 16  # of the side: the width of the Gaussian whose part of the image is taken away
SHIFT = 1 / 8  # of the side: how far two copies may lie apart
FAINT = 1.5  # grey levels, root mean square: details below it are noise of the encoding
# Height and width of one image, as factors, that are tried on pairs that nearly agree: copies were often cropped or stretched.
SCALES = ((0.9, 0.9), (1.1, 1.1), (0.8, 0.8), (1.25, 1.25), (1, 0.9), (0.9, 1), (1, 1.1), (1.1, 1))
NEARLY = 0.4  # agreement at the same scale from which other scales are tried
VALUES = 2**25  # of pixels that are reduced at a time: 134 MB
BLOCK = 500  # pairs compared at a time: 100 MB


class Searched(NamedTuple):
    """What images are searched by, as they are and, if asked for, mirrored: spectra (N, 3, h, w // 2 + 1), energies (N, places, places)."""

    spectra: list[np.ndarray]
    energies: list[np.ndarray]

    def take(self, rows: np.ndarray) -> "Searched":
        return Searched(*([one[rows] for one in each] for each in self))


def reduced(images: np.ndarray, rows: np.ndarray, side: int = SIDE) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (len(rows), h, w, 3) uint8, h and w at most `side`: means over areas of nearly equal size."""
    height, width = images.shape[1:3]
    if height <= side and width <= side:
        return images[rows]
    tops, lefts = (np.linspace(0, full, min(side, full) + 1).astype(int) for full in (height, width))
    areas = (np.diff(tops)[:, None] * np.diff(lefts))[:, :, None]
    small = np.empty((len(rows), len(tops) - 1, len(lefts) - 1, 3), np.uint8)
    step = max(1, VALUES // (height * width * 3))
    for first in range(0, len(rows), step):
        block = images[rows[first : first + step]].astype(np.float32)
        sums = np.add.reduceat(np.add.reduceat(block, tops[:-1], axis=1), lefts[:-1], axis=2)
        small[first : first + step] = np.round(sums / areas)
    return small


def agreements(images: np.ndarray, pairs: np.ndarray, mirrored: bool, levels=None) -> np.ndarray:
    """Agreement (P,) in [0, 1] of each pair (P, 2) of rows of `images`, (N, h, w, 3) uint8 of `reduced`.

    `mirrored`: the second image of a pair may be a mirror image. With `levels` (P,), pairs that nearly agree but lie below their
    level are tried at `SCALES` too.
    """
    found = np.empty(len(pairs), np.float32)
    for first in range(0, len(pairs), BLOCK):
        own = slice(first, first + BLOCK)
        one, other = (images[pairs[own, side]].astype(np.float32) for side in (0, 1))
        there = searched(details(other), mirrored)
        found[own] = agreement(details(one), there)
        if levels is not None:
            near = np.flatnonzero((found[own] >= NEARLY) & (found[own] < levels[own]))
            there = there.take(near)
            for scale in SCALES if len(near) else ():
                again = agreement(details(rescaled(one[near], *scale)), there)
                found[first + near] = np.maximum(found[first + near], again)
    return np.clip(found, 0, 1)


def details(images: np.ndarray) -> np.ndarray:
    """(N, h, w, 3) float32 -> (N, 3, h, w): the images without their coarse part."""
    height, width = images.shape[1:3]
    coarse = gaussian_filter(images, (0, SMOOTH * height, SMOOTH * width, 0), mode="nearest")
    return np.ascontiguousarray((images - coarse).transpose(0, 3, 1, 2))


def rescaled(images: np.ndarray, down: float, right: float) -> np.ndarray:
    """(N, h, w, 3) float32, about its centre: pixel p shows what lay at the centre + factor · (p − centre)."""
    count, height, width, colours = images.shape
    # With one axis less to interpolate along, half the work.
    planes = images.transpose(0, 3, 1, 2).reshape(count * colours, height, width)
    moved = (0, (1 - down) * (height - 1) / 2, (1 - right) * (width - 1) / 2)
    planes = affine_transform(planes, (1, down, right), offset=moved, order=1, mode="nearest")
    return np.ascontiguousarray(planes.reshape(count, colours, height, width).transpose(0, 2, 3, 1))


def _margins(height: int, width: int) -> tuple[int, int]:
    return int(SHIFT * height), int(SHIFT * width)


def searched(other: np.ndarray, mirrored: bool) -> Searched:
    """What the images are searched by whose `details` are `other`, (N, 3, h, w)."""
    height, width = other.shape[2:]
    down, right = _margins(height, width)
    forms = (other, other[:, :, :, ::-1])[: 1 + mirrored]
    size = (height - 2 * down, width - 2 * right)
    return Searched([fft.rfft2(form) for form in forms], [_window_energy(form, size) for form in forms])


def agreement(one: np.ndarray, there: Searched) -> np.ndarray:
    """Best correlation (N,) of the middles of `one`, `details` (N, 3, h, w), with those that are `searched` at any small shift.

    An image whose details are fainter than `FAINT` agrees with none: 0.
    """
    height, width = one.shape[2:]
    down, right = _margins(height, width)
    middle = one[:, :, down : height - down, right : width - right]
    middle = middle - middle.mean(axis=(2, 3), keepdims=True)
    energy = (middle**2).sum(axis=(1, 2, 3))
    padded = np.zeros_like(one)
    padded[:, :, : middle.shape[2], : middle.shape[3]] = middle
    spectrum = fft.rfft2(padded).conj()
    floor = FAINT**2 * middle[0].size
    best = np.zeros(len(one), np.float32)
    for form, own in zip(there.spectra, there.energies):
        products = fft.irfft2((form * spectrum).sum(axis=1), (height, width))
        products = products[:, : 2 * down + 1, : 2 * right + 1]  # places at which the middle lies inside
        seen = (own >= floor) & (energy >= floor)[:, None, None]
        scores = np.where(seen, products / np.sqrt(np.maximum(own * energy[:, None, None], 1e-6)), 0)
        best = np.maximum(best, scores.max(axis=(1, 2)))
    return best


def _window_energy(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Sum of squares about the window's own mean per channel, of every window of `size` in (N, 3, h, w): (N, places, places)."""
    down, right = size

    def sums(values: np.ndarray) -> np.ndarray:
        total = np.pad(values.astype(np.float64).cumsum(2).cumsum(3), ((0, 0), (0, 0), (1, 0), (1, 0)))
        rows = total[:, :, down:] - total[:, :, :-down]
        return rows[..., right:] - rows[..., :-right]

    return (sums(images**2) - sums(images) ** 2 / (down * right)).sum(axis=1)
