"""Grids of small images, joined into one array: a hundred axes would be slow to lay out and heavy to read."""

import numpy as np
from PIL import Image

LARGEST = 96  # pixels of a thumbnail's longer side: more would only make the SVG heavy
GAP = 0.08  # of the thumbnail's size, between neighbours


def thumbnail(image: np.ndarray) -> np.ndarray:
    """An (H, W, 3) uint8 image, made smaller where its longer side exceeds `LARGEST` pixels."""
    height, width = image.shape[:2]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return np.asarray(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.BOX))


def tile(rows: list[list[np.ndarray | None]]) -> tuple[np.ndarray, tuple[float, float]]:
    """One RGB canvas from rows of equally large thumbnails (None leaves a place white), and the pitch (y, x) in pixels."""
    height, width = next(image.shape[:2] for row in rows for image in row if image is not None)
    gap = max(1, round(GAP * max(height, width)))
    columns = max(len(row) for row in rows)
    canvas = np.full((len(rows) * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            if image is not None:
                top, left = r * (height + gap), c * (width + gap)
                canvas[top : top + height, left : left + width] = image
    return canvas, (height + gap, width + gap)
