"""A few training images of every class."""

import numpy as np

from ftbench.base.files import read_json
from ftbench.base.pixel_rows import PixelRows
from ftbench.report.layout.names import shortened
from ftbench.report.layout.pictures import thumbnail, tile
from ftbench.report.layout.style import blank, panels, save, style, title

CAPTION = 20  # characters of a class's name beside its images
ROWS_PER_COLUMN = 25  # a hundred classes stand in four columns
MOST = 100  # classes that are shown


def montage(
    images_path, labels_path, classes_path, split_path, dataset: str, out, per_class: int = 8, seed: int = 0
) -> None:
    """Draw `per_class` images of each class, at random (seeded) from the rows of `images.npy` (N, H, W, 3) uint8 that
    the study trains and validates on."""
    images, classes = PixelRows(images_path), read_json(classes_path)
    split = np.load(split_path)
    used = np.sort(np.concatenate([split["train"], split["validation"]]))
    labels = np.load(labels_path)[used]
    rng = np.random.default_rng(seed)
    counts = np.bincount(labels, minlength=len(classes))
    drawn, which = _drawn(counts)
    rows = []
    for number in drawn:
        members = np.flatnonzero(labels == number)
        chosen = rng.permutation(members)[:per_class]
        # Fewer images than places leave the rest of the row white.
        rows.append([thumbnail(images[used[one]]) for one in chosen] + [None] * (per_class - len(chosen)))
    blocks = -(-len(rows) // ROWS_PER_COLUMN)
    per_block = -(-len(rows) // blocks)
    short = shortened([classes[number] for number in drawn], CAPTION)
    longest = max(map(len, short))
    with style():
        label_width = min(0.075 * longest + 0.15, 1.8)
        side = 0.55 if len(drawn) <= ROWS_PER_COLUMN else 0.3
        figure, axes = panels(blocks, per_class * side + label_width, per_block * side, columns=blocks)
        for block, panel in enumerate(axes):
            own = rows[block * per_block : (block + 1) * per_block]
            canvas, (step, _) = tile(own + [[None] * per_class] * (per_block - len(own)))
            panel.imshow(canvas)
            blank(panel)
            shown = short[block * per_block : block * per_block + len(own)]
            panel.set_yticks(
                (np.arange(len(own)) + 0.46) * step, shown, fontsize=9 if len(drawn) <= ROWS_PER_COLUMN else 6.5
            )
            panel.tick_params(length=0)
        detail = f"{len(labels):,} images of {images.shape[1]} × {images.shape[2]} pixels for training and validation; random examples{which}."
        title(figure, _finding(counts, dataset), detail)
        save(figure, out)


def _finding(counts: np.ndarray, dataset: str) -> str:
    """How balanced the classes are, of their numbers of images."""
    low, high = counts.min(), counts.max()
    size = f"{low:,} to {high:,}" if low != high else f"{low:,}"
    balance = "are balanced" if low == high else "are unbalanced" if high > 1.5 * low else "are nearly balanced"
    return f"The {len(counts)} classes of {dataset} {balance}: {size} images each"


def _drawn(counts: np.ndarray) -> tuple[list[int], str]:
    """The classes that are shown, all if they are not too many, and what to say of those that are not."""
    if len(counts) <= MOST:
        return list(range(len(counts))), ""
    order = np.argsort(-counts, kind="stable")
    ends = [*order[: MOST // 2], *order[-(MOST // 2) :]]
    said = f" of the {MOST // 2} classes with the most images and the {MOST // 2} with the fewest"
    return [int(number) for number in ends], said
