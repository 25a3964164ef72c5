"""The data set's own channel mean and std, which a network trained from scratch is normalized with.

A pretrained backbone keeps the numbers it was trained with; see its entry in the config.
"""

import os

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.files import write_json
from ftbench.base.pixel_rows import PixelRows

CHUNK_PIXELS = 1_000_000  # pixels read at a time: 3 MB of uint8, about 40 MB while they are squared
CHANNELS = ("red", "green", "blue")
NOTE = (
    "mean and std are over all pixels of the train and validation images and are what networks from scratch get; "
    "mean_of_image_stds averages each image's own std, ignores how images differ from each other and is therefore "
    "smaller: the .2023 .1994 .2010 that tutorials use for CIFAR-10 is that number, shown here to be recognized."
)


def compute_normalization(images: str | os.PathLike, split: str | os.PathLike, out: str | os.PathLike) -> None:
    """Write `out` (JSON): mean, std, mean_of_image_stds (3 floats each, fractions of 255), images, note.

    images: .npy, (N, H, W, 3) uint8; split: .npz with the row numbers `train` and `validation`. mean and
    std come from integer sums, so neither order nor chunks change them. std is the population's (divided by n).

    Raises InputError where a channel has the same value in every pixel, because its std of 0 cannot divide.
    """
    pixels = PixelRows(images)
    with np.load(split) as parts:
        rows = np.sort(np.concatenate([parts["train"], parts["validation"]]))
    per_image = pixels.shape[1] * pixels.shape[2]
    step = max(1, CHUNK_PIXELS // per_image)
    squares_of = np.arange(256, dtype=np.uint16) ** 2  # 255² = 65,025 fits in 16 bits

    total, total_squares, stds = np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(3)
    for start in range(0, len(rows), step):
        chunk = pixels[rows[start : start + step]].reshape(-1, per_image, 3)
        sums = chunk.sum(axis=1, dtype=np.int64)
        squares = squares_of[chunk].sum(axis=1, dtype=np.int64)
        total += sums.sum(axis=0)
        total_squares += squares.sum(axis=0)
        stds += _std(sums, squares, per_image).sum(axis=0)
    mean = total / (len(rows) * per_image)
    # Python's integers: n * sum of squares of a large data set leaves 64 bits
    std = np.array([_exact_std(int(s), int(q), len(rows) * per_image) for s, q in zip(total, total_squares)])

    for channel, value, level in zip(CHANNELS, std, mean):
        if value == 0:
            raise InputError(
                f"{images}: every pixel of the {channel} channel is {level:g}, so it cannot be normalized; "
                f"use images that differ in this channel."
            )
    write_json(
        out,
        {
            "mean": (mean / 255).tolist(),
            "std": (std / 255).tolist(),
            "mean_of_image_stds": (stds / len(rows) / 255).tolist(),
            "images": len(rows),
            "note": NOTE,
        },
    )


def _std(sums: np.ndarray, squares: np.ndarray, count: int) -> np.ndarray:
    # float64, since count * squares of an image above 9 megapixels leaves 64 bits; the maximum is against rounding
    return np.sqrt(np.maximum(squares / count - (sums / count) ** 2, 0))


def _exact_std(sums: int, squares: int, count: int) -> float:
    return (count * squares - sums**2) ** 0.5 / count
