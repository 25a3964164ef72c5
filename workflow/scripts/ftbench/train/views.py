"""What the frozen part of a network gives for fixed augmented views of the training images: read from files, batch by batch.

A strategy that never moves the lower part of a network repeats it in every epoch, trial and seed, and gets the same numbers whenever it
sees the same pixels. With the recipe's `cached_views` it runs once over that many views of each image (`ftbench.train.cache_views`);
trials and runs begin at what came out.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from ftbench.base.digests import digest_of_arrays
from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.data.images import Data, Stored
from ftbench.machine import devices
from ftbench.model.backbones import BATCH, Backbone
from ftbench.model.eval_mode import eval_mode
from ftbench.model.prefix import Halves, cut

ORDER_STREAM = 1  # of a run's seed: numpy takes [seed, 0, 0, 1] for no seed of an epoch or a step


class CachedRows(NamedTuple):
    """Rows of images.npy, sorted: those of which augmented views are cached (N,), and those of which the plain image is (M,)."""

    train: np.ndarray
    validation: np.ndarray

    @property
    def digest(self) -> str:
        return digest_of_arrays(self._asdict())


def cached_rows(train: np.ndarray, validation: np.ndarray, own_splits: bool) -> CachedRows:
    """The rows that the trials and runs of a data set read; with `own_splits` any image may be on either side."""
    if not own_splits:
        return CachedRows(train, validation)
    both = np.sort(np.concatenate([train, validation]))
    return CachedRows(both, both)


class CachedViews:
    """The rest of a network, and what it reads. `views.batch(i)` gives the rows i of what is cached: `count` in a row for each of
    `rows.train`, and `plain.batch(i)` one for each of `rows.validation`.
    """

    def __init__(self, halves: Halves, views, plain, rows: CachedRows, count: int, seed: int, channels_last: bool):
        self.network, self._answers = halves.suffix, halves.answers
        self._views, self._plain, self._rows, self.count = views, plain, rows, count
        # In which view an image starts differs from image to image and from seed to seed; then it takes them in turn.
        generator = np.random.default_rng([seed, 0, 0, ORDER_STREAM])
        self._first = generator.integers(count, size=len(rows.train))
        self._channels_last = channels_last

    def batch(self, ids: np.ndarray, epoch: int) -> torch.Tensor:
        """What crosses the cut, (B, ...) float32, for the rows `ids` (B,) of images.npy as `epoch` (0-based) sees them.

        An image is not seen twice in the same view before it was seen in all. The choice follows from the seed and the epoch alone.
        """
        places = np.searchsorted(self._rows.train, ids)
        return self._of(self._views.batch(places * self.count + (self._first[places] + epoch) % self.count))

    @torch.no_grad()
    def logits(self, ids: np.ndarray, run: dict, device: torch.device, look: Callable = lambda: None) -> np.ndarray:
        """Logits (N, C) float32 of the plain images `ids` (N,), in eval mode. `look` is called before each batch."""
        places, found = np.searchsorted(self._rows.validation, ids), []
        with eval_mode(self._answers), devices.autocast(device, run["precision"]):
            for first in range(0, len(places), BATCH):
                look()
                found.append(self._answers(self._of(self._plain.batch(places[first : first + BATCH]))).float().cpu())
        return torch.cat(found).numpy()

    def _of(self, stored: torch.Tensor) -> torch.Tensor:
        layout = torch.channels_last if self._channels_last and stored.ndim == 4 else torch.contiguous_format
        return stored.to(torch.float32, memory_format=layout)


def made_of(run: dict, augmentation: str, source: dict, images_sha256: str) -> dict:
    """What the numbers of cached views follow from, beside their count, their rows and the cut; `source` is the record of the weights."""
    settings = {key: run[key] for key in ("network", "precision", "kind")}
    return settings | {"augmentation": augmentation, "weights": source["sha256"], "images_sha256": images_sha256}


class _Blank(NamedTuple):
    shape: tuple[int, ...]
    device: torch.device

    def batch(self, places: np.ndarray) -> torch.Tensor:
        return torch.zeros(len(places), *self.shape, device=self.device)


def blank_views(halves: Halves, shape: tuple[int, ...], data: Data, channels_last: bool) -> CachedViews:
    """Zeros of a `shape` in the place of what crosses the cut for an image: no count of operations depends on the numbers."""
    blank = _Blank(tuple(shape), data.images.device)
    return CachedViews(halves, blank, blank, CachedRows(data.train, data.validation), 1, 0, channels_last)


def read_views(
    inputs: dict, source: dict | None, run: dict, recipe: dict, backbone: Backbone, data: Data
) -> CachedViews | None:
    """The cached views of a run whose recipe asks for them, else None; what moves in `backbone` is marked. `source` is the record of its weights.

    Raises InputError where the files are damaged, or were made of other images or weights, with other settings, or for another cut.
    """
    count = recipe.get("cached_views")
    if not count:
        return None
    record, path = read_json(inputs["views_cost"]), inputs["views"]
    halves = cut(backbone.network, run["network"]["model"])
    rows = cached_rows(data.train, data.validation, record["own_splits"])
    found = {"views": count, "place": halves.place, "rows": rows.digest}
    images_sha256 = str(np.load(inputs["split"])["images_sha256"])
    found |= made_of(run, recipe["augmentation"], source, images_sha256)
    for name, value in found.items():
        if record[name] != value:
            raise InputError(
                f"{path} belongs to another run: its {name} is {record[name]}, not {value}; delete it and start again."
            )
    device = data.images.device
    stored = {part: Stored(inputs[part], device) for part in ("views", "plain")}
    for part, one in stored.items():
        one.check(record["sha256"][part])
    size = sum(record["bytes"].values()) / 1e9
    print(f"the frozen part, up to {halves.place}, was run before: {count} views of each image are read, {size:.2f} GB")
    return CachedViews(halves, *stored.values(), rows, count, run["seed"], run["channels_last"])
