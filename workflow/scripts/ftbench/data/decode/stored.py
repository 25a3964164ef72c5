"""A raw image as a study stored its own: opened, scaled from the same range, fitted to the same size in the same way."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ftbench.base.errors import InputError
from ftbench.data.decode.fit import fitted
from ftbench.data.decode.grey_range import scaled
from ftbench.data.decode.metadata import upright
from ftbench.data.decode.open_image import open_pixels, values_of


def as_stored(image: str | Path | bytes | Image.Image | np.ndarray, about: Mapping) -> np.ndarray:
    """(H, W, 3) uint8 as a row of the study's images.npy, whose train.json is `about`.

    `image` is a file, its bytes, a PIL image, or an array (H, W) or (H, W, 3). Raises InputError on values of more than 8 bits if the
    study had none and so knows no range for them, and what `open_pixels` raises on a file that cannot be read.
    """
    if isinstance(image, str | Path | bytes):
        pixels = open_pixels(image, about["source"]["max_pixels"]).pixels
    elif isinstance(image, Image.Image):
        pixels, _ = values_of(upright(image)[0])
    else:
        pixels = image
    if pixels.dtype != np.uint8:
        if about["range"] is None:
            raise InputError(
                f"The image has {pixels.dtype} values, and the study's images had 8 bits: scale it to 0 to 255, as uint8."
            )
        pixels, _ = scaled(pixels, about["range"])
    return fitted(pixels, tuple(about["size"]), about["source"]["fit"])
