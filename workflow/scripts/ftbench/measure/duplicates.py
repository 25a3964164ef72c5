"""Which images are the same picture: equal bytes, or nearly equal when seen small.

An image is described by the means of an 8×8 grid of its pixels per channel, less their mean and scaled to length one, so that the
inner product of two descriptions is their correlation: blind to brightness and contrast, tolerant of resaving and small shifts.
Smooth pictures correlate with many others by chance, so a near duplicate has to stand out too: it must be three times as close
as the tenth closest image. On CIFAR-10 the two conditions mark 236 of the 10,000 test images, and every one of them has the label
of its training image; by correlation alone it would be 312, with 91 %. Barz and Denzler 2020 (arXiv:1902.00423) found, with the
help of a network and of people, that 3.3 % of its test images have a duplicate. No network is needed here, and none is favoured.
"""

import hashlib

import numpy as np

from ftbench.base.pixel_rows import ChosenRows, PixelRows

Pixels = np.ndarray | PixelRows | ChosenRows  # (N, H, W, 3) uint8, in memory or on the disk

GRID = 8
SIMILAR = 0.95  # correlation of two descriptions
STANDS_OUT = 1 / 3  # of the tenth neighbour's distance
NEIGHBOUR = 10
DESCRIBED = 2**25  # values of pixels that are described at a time: 134 MB, 222 images at 224 px
BLOCK = 500  # descriptions that are compared with all others at a time: 100 MB for 50,000 images


def describe(images: Pixels) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (N, D) float32 of length one, D = 192 from 8 pixels up; a uniform image gives zeros."""
    count, height, width = images.shape[:3]
    rows, columns = (np.linspace(0, side, min(GRID, side) + 1).astype(int)[:-1] for side in (height, width))
    areas = np.diff(np.append(rows, height))[:, None] * np.diff(np.append(columns, width))
    described = np.empty((count, len(rows) * len(columns) * 3), np.float32)
    step = max(1, DESCRIBED // (height * width * 3))
    for first in range(0, count, step):
        block = images[first : first + step].astype(np.float32)
        means = np.add.reduceat(np.add.reduceat(block, rows, axis=1), columns, axis=2) / areas[:, :, None]
        flat = means.reshape(len(block), -1)
        flat -= flat.mean(axis=1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        described[first : first + step] = np.where(length > 1e-3, flat / np.maximum(length, 1e-3), 0)
    return described


def nearest(queries: np.ndarray, others: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row of the closest other, its similarity, and whether it is a near duplicate; each (N,).

    Closeness is the inner product of descriptions. With `others` None the queries are compared among themselves.
    """
    itself = others is None
    others = queries if itself else others
    rank = min(NEIGHBOUR, len(others) - itself)
    rows = np.zeros(len(queries), np.int64)
    similarity, tenth = np.full(len(queries), -1.0), np.full(len(queries), -1.0)
    for first in range(0, len(queries), BLOCK) if rank > 0 else ():
        products = queries[first : first + BLOCK] @ others.T
        own = np.arange(len(products))
        if itself:
            products[own, first + own] = -2
        rows[first : first + len(products)] = products.argmax(axis=1)
        similarity[first : first + len(products)] = products.max(axis=1)
        tenth[first : first + len(products)] = np.partition(products, -rank, axis=1)[:, -rank]
    near = (similarity >= SIMILAR) & (1 - similarity <= STANDS_OUT * (1 - tenth))
    return rows, similarity, near


def byte_digests(images: Pixels) -> list[bytes]:
    """One digest per image; equal exactly where all bytes are."""
    return [hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest() for image in images]


def find_duplicates(images: Pixels, others: Pixels | None = None) -> list[dict]:
    """Pairs {a, b, similarity, exact}: `a` a row of `images`, `b` of `others`, or of `images` again where that is None.

    Each image is paired with one other at most, the first with equal bytes or else the nearest; among themselves a pair stands
    once, a < b. Exact pairs have similarity 1. Sorted by `a`.
    """
    first_with: dict[bytes, int] = {}
    if others is not None:
        for row, digest in enumerate(byte_digests(others)):
            first_with.setdefault(digest, row)
    found = {}
    for row, digest in enumerate(byte_digests(images)):
        if digest in first_with:
            pair = (row, first_with[digest]) if others is not None else (first_with[digest], row)
            found[pair] = {"similarity": 1.0, "exact": True}
        elif others is None:
            first_with[digest] = row
    matched = {number for pair in found for number in (pair if others is None else pair[:1])}
    rows, similarity, near = nearest(describe(images), None if others is None else describe(others))
    for row in np.flatnonzero(near).tolist():
        if row not in matched:
            pair = (row, int(rows[row]))
            pair = tuple(sorted(pair)) if others is None else pair
            found.setdefault(pair, {"similarity": min(1.0, float(similarity[row])), "exact": False})
    return [{"a": a, "b": b, **found[a, b]} for a, b in sorted(found)]
