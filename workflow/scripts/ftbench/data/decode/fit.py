"""How an image of any shape gets to the size that a study stores: the one function for preparation and for prediction."""

import numpy as np
from PIL import Image

from ftbench.base.errors import InputError

FITS = ("crop", "squash", "pad")
OLDER = {"stretch": "squash"}  # an older spelling in configs


def fitted(image: Image.Image | np.ndarray, size: int | tuple[int, int] | None, fit: str) -> np.ndarray:
    """(H, W, 3) uint8 of one image, resized to `size`, a side or (height, width), unless that is None.

    "crop" scales until the image covers the size and cuts the centre, "squash" ignores the aspect ratio, "pad" scales until the image
    fits in and puts it on black. Bicubic, with Pillow's antialiasing. An image of that size already keeps its pixels.
    """
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8:
            raise ValueError(f"pixels are {image.dtype} instead of uint8")
        image = Image.fromarray(image)
    image = image.convert("RGB")
    if size is None:
        return np.asarray(image)
    height, width = (size, size) if isinstance(size, int) else size
    if image.size == (width, height):
        return np.asarray(image)
    fit = known(fit)
    if fit == "pad":
        scale = min(width / image.width, height / image.height)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        canvas = Image.new("RGB", (width, height))
        canvas.paste(image.resize(inner, Image.Resampling.BICUBIC), ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return np.asarray(canvas)
    box = None
    if fit == "crop":
        scale = max(width / image.width, height / image.height)
        left, top = (image.width - width / scale) / 2, (image.height - height / scale) / 2
        box = (left, top, image.width - left, image.height - top)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box=box))


def known(fit: str) -> str:
    """The name of a way to fit, an older spelling replaced. Raises InputError if there is none."""
    fit = OLDER.get(fit, fit)
    if fit not in FITS:
        raise InputError(f"fit: {fit!r} is unknown; valid are {', '.join(FITS)}.")
    return fit
