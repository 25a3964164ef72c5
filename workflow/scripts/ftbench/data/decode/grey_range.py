"""Which values of images with more than 8 bits are black and white: one range for a whole data set, never one per image.

A file of 16 bits often holds 12, a CT signed numbers, and scaling by what the type could hold would leave a few dark levels. So the
range is the config's `range`, or the lowest and highest value of the training images; the test images get the same.
"""

from collections.abc import Iterable

import numpy as np

TAIL = 0.1  # percent of an image's values at either end
FEW = 0.25  # of the range: if all but the tails lie in less, outliers stretch it


def scaled(values: np.ndarray, low_high: tuple[float, float]) -> tuple[np.ndarray, int]:
    """(H, W, 3) uint8 of (H, W) or (H, W, 3) values, `low` as 0 and `high` as 255, and how many values lie outside and are cut.

    Raises ValueError on values that are no finite numbers.
    """
    low, high = map(float, low_high)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("some of its values are no finite numbers")
    outside = int(((values < low) | (values > high)).sum())
    grey = np.round((np.clip(values, low, high) - low) * (255 / max(high - low, 1e-300))).astype(np.uint8)
    return (np.stack([grey] * 3, axis=2) if grey.ndim == 2 else grey), outside


def measured(images: Iterable[np.ndarray]) -> tuple[tuple[int, int] | None, tuple[float, float] | None]:
    """(lowest, highest) value of whole-number images of more than 8 bits, and the range without tails if it is far smaller.

    Arrays of uint8 are passed over; None if there is no other. Raises ValueError on floating point values.
    """
    lows, highs, tails = [], [], []
    for values in images:
        if values.dtype == np.uint8:
            continue
        if values.dtype.kind == "f":
            raise ValueError("floating point pixels have no known range; give it by range, or save them as 8 or 16 bit")
        lows.append(int(values.min()))
        highs.append(int(values.max()))
        tails.append(np.percentile(values, (TAIL, 100 - TAIL)))
    if not lows:
        return None, None
    low, high = min(lows), max(highs)
    inner = float(min(tail[0] for tail in tails)), float(max(tail[1] for tail in tails))
    return (low, high), (inner if inner[1] - inner[0] < FEW * (high - low) else None)
