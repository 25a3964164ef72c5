"""Pairs of images that may show the same picture, to be compared in pixels: those whose descriptions lie within a radius.

The search is exact: blocks of a matrix product. So memory does not grow with the square of the number of images, time does.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

GRID = 8
BLOCK = 1024  # descriptions compared at a time with `OTHERS` others: 64 MB of products
OTHERS = 16384
MOST = 2_000_000  # candidates of one search; comparing so many takes a quarter of an hour on a core


def describe(images: np.ndarray) -> np.ndarray:
    """(N, h, w, 3) uint8 -> (N, D) float32 of length one, D at most 192: an 8×8 grid of `band_passed`; a uniform image gives zeros."""
    return gridded(band_passed(images), GRID)


def band_passed(images: np.ndarray) -> np.ndarray:
    """(N, h, w, 3) uint8 -> float16, without details below a 64th of the side and without what is coarser than an eighth."""
    height, width = images.shape[1:3]
    passed = np.empty(images.shape, np.float16)
    for first in range(0, len(images), BLOCK):
        block = images[first : first + BLOCK].astype(np.float32)
        fine, coarse = (gaussian_filter(block, (0, height / part, width / part, 0), mode="nearest") for part in (64, 8))
        passed[first : first + BLOCK] = fine - coarse
    return passed


def gridded(passed: np.ndarray, grid: int) -> np.ndarray:
    """(N, h, w, 3) -> (N, D) float32 of length one: the means over `grid` × `grid` areas, or over pixels if there are fewer."""
    height, width = passed.shape[1:3]
    tops, lefts = (np.linspace(0, side, min(grid, side) + 1).astype(int) for side in (height, width))
    areas = (np.diff(tops)[:, None] * np.diff(lefts))[:, :, None]
    described = np.empty((len(passed), areas.size * 3), np.float32)
    for first in range(0, len(passed), BLOCK):
        block = passed[first : first + BLOCK].astype(np.float32)
        sums = np.add.reduceat(np.add.reduceat(block, tops[:-1], axis=1), lefts[:-1], axis=2)
        described[first : first + BLOCK] = (sums / areas).reshape(len(block), -1)
    return unit(described, least=1.0)


def unit(vectors: np.ndarray, least: float = 1e-6) -> np.ndarray:
    """(N, D) float32, each less its mean and of length one, so that inner products are correlations; shorter than `least`: zeros."""
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length >= least, vectors / np.maximum(length, least), 0).astype(np.float32)


def within(queries: np.ndarray, others: np.ndarray, radius: np.ndarray, most: int = MOST) -> np.ndarray:
    """Pairs (P, 2) int64, a < b, of a row a of `queries` and b of `others`, or the other way, whose inner product is at least the radius of both.

    Both are (N, D) descriptions of the same images, such as images and mirror images; `radius` (N,). If there are more pairs than `most`,
    the nearest are kept and that is said.
    """
    kept, products, floor = [], [], -np.inf
    for first in range(0, len(queries), BLOCK):
        for start in range(0, len(others), OTHERS):
            if others is queries and start + OTHERS <= first:
                continue  # its pairs were met in the other order
            block = queries[first : first + BLOCK] @ others[start : start + OTHERS].T
            a, b = np.nonzero(block >= np.maximum(radius[first : first + BLOCK], floor)[:, None])
            value = block[a, b]
            a, b = a + first, b + start
            good = (a != b) & (value >= radius[b])
            kept.append(np.stack([np.minimum(a, b), np.maximum(a, b)], axis=1)[good])
            products.append(value[good])
        if sum(map(len, kept)) > 4 * most:  # pairs may stand twice
            kept, products, floor = _nearest(kept, products, most, floor)
    pairs, _, floor = _nearest(kept, products, most, floor)
    if floor > -np.inf:
        print(f"Of very many similar images only the pairs of a correlation above {floor:.3f} are compared.")
    return pairs[0]


def _nearest(kept: list, products: list, most: int, floor: float) -> tuple[list, list, float]:
    """Each pair once, in order, with its product; only the nearest if there are more than `most`, and then the least product of them."""
    pairs = np.concatenate([np.empty((0, 2), np.int64), *kept])
    values = np.concatenate([np.empty(0, np.float32), *products])
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    values = values[first]
    if len(pairs) > most:
        nearest = np.sort(np.argpartition(-values, most)[:most])
        pairs, values = pairs[nearest], values[nearest]
        floor = float(values.min())
    return [pairs], [values], floor
