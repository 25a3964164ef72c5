"""What stands behind an answer: the nearest training images, and where the network looked."""

import base64
import io

import numpy as np
from PIL import Image

from ftbench.base.errors import InputError
from ftbench.export import doubt
from ftbench.export.models import Model

NEAREST = 5
AT_ONCE = 8  # images of one gradient: it keeps what every layer gave
SHOWN = 160  # pixels of a side of a picture
WARM = np.array([255, 96, 0])  # the colour of where it looked


class Evidence:
    """`evidence(pixels, probabilities, features)` gives a dict for each of the stored pixels (N, H, W, 3), of which the model gave the rest.

    `nearest` lists training images, the nearest first: class, distance, and a picture if the model has pictures. `looked_at` is a picture:
    the image as the network got it, with what raised its first class in colour, known at `places` (rows, columns). What cannot be said is None, with its reason.
    """

    def __init__(self, model: Model):
        self.model, self.grad_cam, self.why = model, None, None
        try:
            if model.network is None:
                raise InputError(f"{model.name} has no network that could be asked where it looked.")
            from ftbench.export.grad_cam import GradCam  # it brings torch, which an answer in ONNX does without

            self.grad_cam = GradCam(model.network())
        except InputError as error:
            self.why = str(error)

    def __call__(self, pixels: np.ndarray, probabilities: np.ndarray, features: np.ndarray) -> list[dict]:
        nearest = self._nearest(features)
        looked, places = [None] * len(pixels), None
        if self.grad_cam is not None:
            maps = self._maps(pixels, probabilities.argmax(1))
            places = list(maps.shape[1:])
            looked = [picture(overlaid(image, heat)) for image, heat in zip(pixels, maps)]
        return [
            {"nearest": near, "looked_at": seen, "places": places, "why_not_looked_at": self.why}
            for near, seen in zip(nearest, looked)
        ]  # fmt: skip

    def _maps(self, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        parts = range(0, len(pixels), AT_ONCE)
        return np.concatenate([self.grad_cam.maps(pixels[k : k + AT_ONCE], classes[k : k + AT_ONCE]) for k in parts])

    def _nearest(self, features: np.ndarray) -> list:
        bank, neighbours = self.model.reference, self.model.neighbours
        if bank is None or neighbours is None or not features.shape[1]:
            return [None] * len(features)
        cosines = doubt.unit(features.astype(np.float32)) @ np.asarray(bank, np.float32).T
        rows = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
        far = np.sqrt(np.maximum(2 - 2 * np.take_along_axis(cosines, rows, 1), 0))
        return [[self._told(row, d) for row, d in zip(*one)] for one in zip(rows, far)]

    def _told(self, row: int, distance: float) -> dict:
        known = self.model.neighbours
        image = None if known.images is None else picture(np.array(known.images[known.rows[row]]))
        return {"class": self.model.classes[known.labels[row]], "distance": float(distance), "image": image}


def overlaid(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the image with heat (h, w) in [0, 1] in colour."""
    height, width = image.shape[:2]
    smooth = Image.fromarray((255 * heat).astype(np.uint8)).resize((width, height), Image.Resampling.BILINEAR)
    share = 0.7 * np.asarray(smooth, np.float32)[..., None] / 255
    return (image * (1 - share) + WARM * share).astype(np.uint8)


def picture(image: np.ndarray) -> str:
    """A PNG as a data URI, at most SHOWN pixels; small images are enlarged by whole pixels."""
    made = Image.fromarray(image)
    times = SHOWN / max(made.size)
    size = tuple(max(1, round(side * times)) for side in made.size)
    made = made.resize(size, Image.Resampling.NEAREST if times > 1 else Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    made.save(stream, "PNG", compress_level=1)  # 1 ms; the default takes 5, six times for every answer
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
