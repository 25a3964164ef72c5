"""A few training images of every class."""

import numpy as np

from ftbench.base.files import read_json
from ftbench.report.layout.pictures import thumbnail, tile
from ftbench.report.layout.style import blank, panels, save, style, title

ROWS_PER_COLUMN = 25  # a hundred classes stand in four columns


def montage(
    images_path, labels_path, classes_path, split_path, dataset: str, out, per_class: int = 8, seed: int = 0
) -> None:
    """Draw `per_class` images of each class, at random (seeded) from the rows of `images.npy` (N, H, W, 3) uint8 that
    the study trains and validates on."""
    images, classes = np.load(images_path, mmap_mode="r"), read_json(classes_path)
    split = np.load(split_path)
    used = np.sort(np.concatenate([split["train"], split["validation"]]))
    labels = np.load(labels_path)[used]
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(len(classes)):
        members = np.flatnonzero(labels == number)
        chosen = rng.permutation(members)[:per_class]
        # Fewer images than places leave the rest of the row white.
        rows.append([thumbnail(images[used[one]]) for one in chosen] + [None] * (per_class - len(chosen)))
    blocks = -(-len(rows) // ROWS_PER_COLUMN)
    per_block = -(-len(rows) // blocks)
    counts = np.bincount(labels, minlength=len(classes))
    longest = max(len(name) for name in classes)
    with style():
        label_width = min(0.075 * min(longest, 18) + 0.15, 1.5)
        side = 0.55 if len(classes) <= ROWS_PER_COLUMN else 0.3
        figure, axes = panels(blocks, per_class * side + label_width, per_block * side, columns=blocks)
        for block, panel in enumerate(axes):
            own = rows[block * per_block : (block + 1) * per_block]
            canvas, (step, _) = tile(own + [[None] * per_class] * (per_block - len(own)))
            panel.imshow(canvas)
            blank(panel)
            names = classes[block * per_block : block * per_block + len(own)]
            shown = [name if len(name) <= 18 else name[:17] + "…" for name in names]
            panel.set_yticks((np.arange(len(own)) + 0.46) * step, shown, fontsize=9 if len(classes) <= 25 else 6.5)
            panel.tick_params(length=0)
        low, high = counts.min(), counts.max()
        size = f"{low:,} to {high:,}" if low != high else f"{low:,}"
        balance = "are balanced" if low == high else "are unbalanced" if high > 1.5 * low else "are nearly balanced"
        finding = f"The {len(classes)} classes of {dataset} {balance}: {size} images each"
        detail = f"{len(labels):,} images of {images.shape[1]} × {images.shape[2]} pixels for training and validation; random examples."
        title(figure, finding, detail)
        save(figure, out)
