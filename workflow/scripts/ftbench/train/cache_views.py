"""The job that runs the frozen part of a network once, over fixed augmented views of the training images and the plain validation images."""

import hashlib
import math
import shutil
import time
from pathlib import Path

import numpy as np
import torch

from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, make_folder, read_json, write_json
from ftbench.base.pixel_rows import write_array_header
from ftbench.data.images import Images
from ftbench.machine import devices
from ftbench.model import backbones
from ftbench.model.backbones import Backbone
from ftbench.model.prefix import Halves, cut
from ftbench.pixels import policies
from ftbench.study.checks.view_sizes import gigabytes, refuse_large
from ftbench.train.start import apply_strategy
from ftbench.train.views import cached_rows, made_of

TYPE = np.dtype(np.float16)  # of what is cached: ten bits of every number, which bfloat16 has seven of
BATCH = 256
SEED = 20_261  # of the views, the same for all studies: what a study varies are the seeds of its runs
TOLERANCE = 1e-3  # between the logits of the halves and of the whole, of the largest: the order of sums may differ


def cache_views(
    run: dict,
    images: str,
    split: str,
    weights: str,
    record: str,
    views: str,
    plain: str,
    cost: str,
    limit_gb: float,
) -> None:
    """Write what crosses the cut: `views`, (N · V, ...) float16, the V views of each training image one after another, and `plain`,
    (M, ...), of the validation images as they are; of which images, `ftbench.train.views.cached_rows` says.

    `run` has the machine's settings, kind, augmentation, views (V) and own_splits. `cost` gets view_seconds, what was measured beside, and
    what a reader compares: views, place (of the cut), rows, what they were made of, bytes and sha256 of each file.
    Raises InputError where the network cannot be cut, where both files together exceed `limit_gb` GB (10⁹ bytes) or what is free on the
    disk, and where a number does not fit float16.
    """
    start = time.perf_counter()
    device = devices.set_up(run)
    source = read_json(record)
    backbone = backbones.build(run["network"], 2, 0, Path(weights), source)
    apply_strategy(backbone, run, {}, device)
    halves = cut(backbone.network, run["network"]["model"])
    parts, store = np.load(split), Images(images, device)
    store.check(str(parts["images_sha256"]))
    rows = cached_rows(parts["train"], parts["validation"], run["own_splits"])
    writer = _Writer(backbone, halves, store, run, device, views)
    values = check_halves(writer, rows.validation[:2])
    passes = len(rows.train) * run["views"] + len(rows.validation)
    size = gigabytes(passes, values)
    refuse_large(f"{len(rows.train):,} images by {run['network']['model']}", run["views"], size, limit_gb)
    _refuse_full_disk(views, size)
    generators = [_generator(number) for number in range(run["views"])]
    digests = {
        "views": writer.write(views, rows.train, generators),
        "plain": writer.write(plain, rows.validation, [None]),
    }
    seconds = time.perf_counter() - start
    print(f"{passes:,} images passed, up to {halves.place}: {size:.2f} GB in {seconds:.1f} s")
    found = {
        "place": halves.place,
        "rows": rows.digest,
        "bytes": {"views": Path(views).stat().st_size, "plain": Path(plain).stat().st_size},
        "sha256": digests,
    }
    found |= made_of(run, run["augmentation"], source, str(parts["images_sha256"]))
    write_json(cost, found | _measured(run, device, passes, seconds))


def _measured(run: dict, device: torch.device, passes: int, seconds: float) -> dict:
    return {
        "view_seconds": seconds,
        "images": passes,
        "images_per_second": passes / seconds,
        "peak_memory_mb": devices.peak_memory_mb(device),
        "device": device.type,
        "device_name": devices.device_name(device),
        **{key: run[key] for key in ("threads", "views", "own_splits")},
    }


def _generator(view: int) -> torch.Generator:
    """What draws the augmentation of all images in one view."""
    state = np.random.SeedSequence([SEED, view]).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


def check_halves(writer: "_Writer", ids: np.ndarray) -> int:
    """How many numbers cross the cut for each image. Raises InputError if the two halves do not give what the whole network gives."""
    backbone, halves = writer.backbone, writer.halves
    with torch.no_grad():
        for name in backbone.head_parameters():  # a new head gives zeros, whatever comes before it
            backbone.network.get_parameter(name).normal_()
        inputs = backbone.to_input(writer.store.batch(ids))
        middle = halves.prefix(inputs)
        parts, whole = halves.answers(middle), backbone.network(inputs)
    if not torch.allclose(parts, whole, rtol=TOLERANCE, atol=TOLERANCE * float(whole.abs().max())):
        raise InputError(
            f"config: cached_views cannot be used with {writer.run['network']['model']}, since its two halves, cut at {halves.place}, give "
            "other answers than the whole; set it to null, or leave this cell out by exclude."
        )
    return math.prod(middle.shape[1:])


def _refuse_full_disk(path: str, size: float) -> None:
    make_folder(Path(path).parent)
    free = shutil.disk_usage(Path(path).parent).free / 1e9
    if size > free:
        raise InputError(
            f"config: cached_views needs {size:.1f} GB in {Path(path).parent}, and {free:.1f} GB are free; free some space, or cache fewer views."
        )


class _Writer:
    """Runs images through the prefix, and writes what comes out."""

    def __init__(self, backbone: Backbone, halves: Halves, store: Images, run: dict, device: torch.device, path: str):
        self.backbone, self.halves, self.store, self.run, self.device = backbone, halves, store, run, device
        self.augment = policies.load(run["augmentation"])
        backbone.network.eval()

    def write(self, path: str, ids: np.ndarray, generators: list[torch.Generator | None]) -> str:
        """Write one view of the images `ids` for every generator, the plain image where it is None; returns the sha256 of all values."""
        total, begun = hashlib.sha256(), time.perf_counter()
        with atomic_write(path) as temporary, open(temporary, "wb") as stream:
            for first in range(0, len(ids), BATCH):
                images = self.store.batch(ids[first : first + BATCH])
                block = np.stack([self.outputs(images, generator) for generator in generators], axis=1)
                if first == 0:
                    write_array_header(stream, TYPE, (len(ids) * len(generators), *block.shape[2:]))
                values = np.ascontiguousarray(block).reshape(-1).view(np.uint8)
                total.update(values)
                stream.write(values)
                done = min(first + BATCH, len(ids))
                if done == len(ids) or first // BATCH % 20 == 0:
                    rate = done * len(generators) / (time.perf_counter() - begun)
                    print(f"{Path(path).name}: {done}/{len(ids)} images, {rate:.0f} views/s")
        return total.hexdigest()

    @torch.no_grad()
    def outputs(self, images: torch.Tensor, generator: torch.Generator | None) -> np.ndarray:
        """What crosses the cut, (B, ...), for stored images (B, H, W, 3) in one view."""
        seen = images if generator is None else self.augment(images, generator)
        with devices.autocast(self.device, self.run["precision"]):
            middle = self.halves.prefix(self.backbone.to_input(seen))
        values = middle.float().contiguous().cpu().numpy()
        largest = float(np.abs(values).max())
        if not largest <= np.finfo(TYPE).max:
            raise InputError(
                f"config: cached_views cannot be used with {self.run['network']['model']}, since {self.halves.place} gives {largest:.4g}, which "
                f"{TYPE} cannot hold; set it to null, or leave this cell out by exclude."
            )
        return values.astype(TYPE)
