"""Whether what was exported answers as the study did: every test image, from its original file, through the example's own code."""

import contextlib
import csv
import importlib.util
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from ftbench.base.errors import InputError
from ftbench.compare.statistics import NOTHING, difference, summarize
from ftbench.export.complete import Complete
from ftbench.export.doubt import probabilities
from ftbench.export.finished import Finished

TOLERANCE = 1e-4  # of probabilities in float32
BATCH = 64
SHOWN = 5
TIMES, TIMED_BATCH = 20, 32


@contextlib.contextmanager
def example_of(folder: Path) -> Iterator[ModuleType]:
    """The module example.py of an exported folder, with the image reader that lies beside it."""
    spec = importlib.util.spec_from_file_location("_exported_example", folder / "example.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == "image_reader"]:
            del sys.modules[name]


class TestImages:
    """The test images as they came: files where the source has files, else rows of the stored array."""

    def __init__(self, run: Finished):
        about = run.read("test.json", of_data=True)
        self.stored = np.load(run.data / "test_images.npy", mmap_mode="r")
        self.files: list[Path | None] = [None] * len(self.stored)
        self.why = f"source {about['source']['source']} keeps its images in archives: the stored images are used"
        root = _root(about["source"])
        if root is not None:
            with open(run.data / "test_files.csv", encoding="utf-8", newline="") as stream:
                names = [row["file"] for row in csv.DictReader(stream)]
            root = run.workplace / root
            self.files = [root / name if (root / name).is_file() else None for name in names]
            missing = self.files.count(None)
            self.why = f"{missing} files below {root} are missing: their stored images are used" if missing else None

    def pixels(self, model, threads: int = 2) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches of pixels (B, H, W, 3) uint8 as `model` reads them, and of the same images as the study stored them."""

        def read(row: int) -> np.ndarray:
            source = self.files[row]
            return model.read([np.array(self.stored[row]) if source is None else source])[0]

        with ThreadPoolExecutor(threads) as pool:
            for first in range(0, len(self.stored), BATCH):
                rows = range(first, min(first + BATCH, len(self.stored)))
                yield np.stack(list(pool.map(read, rows))), np.array(self.stored[rows.start : rows.stop])


def _root(source: dict) -> Path | None:
    """The folder that the names of a source's test files are relative to; None if its images are no files of their own."""
    match source["source"]:
        case "imagefolder":
            return Path(source["path"]).expanduser()
        case "table":
            return Path(source["images"] or Path(source["path"]).parent).expanduser()
    return None


def answers(model, images: TestImages) -> tuple[np.ndarray, np.ndarray, int]:
    """Probabilities (N, C) and features (N, D) of all test images, and how many have other pixels than the study stored."""
    found, others = [], 0
    for pixels, stored in images.pixels(model):
        others += int((pixels != stored).any(axis=(1, 2, 3)).sum())
        found.append(model.answer(pixels))
    return np.concatenate([p for p, _ in found]), np.concatenate([f for _, f in found]), others


def compared(found: np.ndarray, expected: np.ndarray) -> dict:
    """How two (N, C) of probabilities agree, and the first rows whose most probable class differs."""
    differ = np.flatnonzero(found.argmax(1) != expected.argmax(1))
    return {
        "images": len(found),
        "same_top1": 1 - len(differ) / len(found),
        "largest_difference": float(np.abs(found - expected).max()),
        "differ": differ[:SHOWN].tolist(),
    }


def reference(
    run: Finished, record: dict, complete: Complete, test: tuple, temperature: float
) -> tuple[np.ndarray, str]:
    """The probabilities that float32 must give, and where they come from.

    A study in bfloat16 rounded its own logits, so that no form in float32 can give them: the network itself in float32 is the
    measure then.
    """
    if record.get("precision", "float32") == "float32":
        return probabilities(test[0], temperature), "the study's saved test logits"
    stored, found = np.load(run.data / "test_images.npy", mmap_mode="r"), []
    with torch.no_grad():
        for first in range(0, len(stored), BATCH):
            found.append(complete(torch.from_numpy(np.array(stored[first : first + BATCH])))[0].numpy())
    return probabilities(np.concatenate(found), temperature), "the study's network in torch, in float32"


def refuse(result: dict, files: list) -> None:
    """Raise InputError unless float32 gives the same classes and nearly the same probabilities."""
    wrong = result["differ"]
    if wrong:
        shown = ", ".join(str(files[row] or f"test image {row}") for row in wrong)
        raise InputError(
            f"The exported model does not answer as the study did: {(1 - result['same_top1']) * result['images']:.0f} of {result['images']} test "
            f"images get another class ({shown}); see parity.json, which was kept."
        )
    if not result["largest_difference"] < TOLERANCE:
        raise InputError(
            f"The exported model does not answer as the study did: a probability differs by {result['largest_difference']:.2g}, and "
            f"{TOLERANCE:g} is allowed in float32; see parity.json, which was kept."
        )


def timed(model, stored: tuple[int, int]) -> dict:
    """Milliseconds per image, the median of TIMES, alone and in batches of TIMED_BATCH, on this machine's cores."""
    times = {}
    for batch in (1, TIMED_BATCH):
        images = np.random.default_rng(0).integers(0, 256, (batch, *stored, 3), dtype=np.uint8)
        model.answer(images)
        taken = []
        for _ in range(TIMES):
            start = time.perf_counter()
            model.answer(images)
            taken.append(time.perf_counter() - start)
        times[f"latency_ms_batch{batch}"] = 1000 * statistics.median(taken) / batch
    return times


def row(name: str, found: np.ndarray, float32: np.ndarray, labels: np.ndarray) -> dict:
    """Accuracy of a form on the test set, and its paired difference to float32 with a 95 % interval over images."""
    right, base = (p.argmax(1) == labels for p in (found, float32))
    one, other = (summarize(answers[None], stochastic=False) for answers in (right, base))  # two files, not two recipes
    gap = difference(one, other, ("exported", "base"), NOTHING)
    return {
        "dtype": name,
        "accuracy": float(right.mean()),
        **{key: float(gap[key]) for key in ("difference", "ci_low", "ci_high")},
        **{key: value for key, value in compared(found, float32).items() if key != "differ"},
    }
