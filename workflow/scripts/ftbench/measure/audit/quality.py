"""Images that are blank, dark, over-exposed or blurred, and images whose form is unlike the others'.

A few lines, since cleanvision reads image files by itself, with libraries of its own, and would judge other pixels than those that
the networks see.
"""

import numpy as np
from scipy.ndimage import laplace

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
BLANK = 3.0  # grey levels, standard deviation
DARK = 40.0  # the brightest hundredth of a dark image's pixels is darker, of 255
LIGHT = 225.0  # the darkest twentieth of an over-exposed image's pixels is lighter
BLURRED = 5.0  # standard deviations below the median of the data set's sharpness
FENCES = 3.0  # interquartile ranges beyond the quartiles: Tukey's outer fences
SAME = np.log(1.5)  # sizes and shapes that differ by a factor of 1.5 from the quartiles are never odd
VALUES = 2**24  # of pixels that are measured at a time: 67 MB


def measure(images: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    """{name: (N,) float32} of rows of (., H, W, 3) uint8: brightness, contrast (grey levels), darkest, lightest, sharpness.

    sharpness is the log of the variance of the Laplacian over that of the image: it does not grow with contrast.
    """
    found = {name: np.empty(len(rows), np.float32) for name in ("brightness", "contrast", "dark", "light", "sharpness")}
    step = max(1, VALUES // int(np.prod(images.shape[1:])))
    for first in range(0, len(rows), step):
        grey = images[rows[first : first + step]].astype(np.float32) @ GREY
        own = slice(first, first + len(grey))
        flat = grey.reshape(len(grey), -1)
        found["brightness"][own], found["contrast"][own] = flat.mean(axis=1), flat.std(axis=1)
        found["dark"][own], found["light"][own] = np.percentile(flat, 5, axis=1), np.percentile(flat, 99, axis=1)
        edges = laplace(grey, axes=(1, 2)).reshape(len(grey), -1).var(axis=1)
        found["sharpness"][own] = np.log(np.maximum(edges, 1e-3) / np.maximum(flat.var(axis=1), 1.0))
    return found


def odd(measured: dict[str, np.ndarray], usual: dict[str, np.ndarray]) -> list[tuple[int, str]]:
    """(position, what is odd) of images; `usual` is what was measured of the training images, beside which an image is blurred."""
    low, middle = np.quantile(usual["sharpness"], (0.16, 0.5)) if len(usual["sharpness"]) else (0.0, 0.0)
    blank = measured["contrast"] < BLANK
    reasons = {
        "blank": blank,
        "dark": (measured["light"] < DARK) & ~blank,
        "over-exposed": (measured["dark"] > LIGHT) & ~blank,
        "blurred": (measured["sharpness"] < middle - BLURRED * max(middle - low, 0.05)) & ~blank,
    }
    return _named(reasons)


def odd_sizes(sizes: np.ndarray, usual: np.ndarray) -> list[tuple[int, str]]:
    """(position, what is odd) of images by the width and height (N, 2) of their files, beside those of the training images, `usual` (M, 2).

    The size is the square root of width × height, the shape is width / height, both on a log scale.
    """
    if not len(usual):
        return []
    side, shape = _side_and_shape(sizes)
    sides, shapes = _side_and_shape(usual)
    low, high = _fences(sides)
    narrow, wide = _fences(shapes)
    return _named({"small": side < low, "large": side > high, "tall": shape < narrow, "wide": shape > wide})


def _side_and_shape(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    width, height = np.log(sizes.astype(float)).T
    return (width + height) / 2, width - height


def _fences(values: np.ndarray) -> tuple[float, float]:
    first, third = np.quantile(values, (0.25, 0.75))
    beyond = max(FENCES * (third - first), SAME)
    return first - beyond, third + beyond


def _named(reasons: dict[str, np.ndarray]) -> list[tuple[int, str]]:
    return sorted((int(at), reason) for reason, mask in reasons.items() for at in np.flatnonzero(mask))
