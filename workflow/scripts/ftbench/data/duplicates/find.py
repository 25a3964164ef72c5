"""Find duplicates among images: equal pixels, and near duplicates, which show the same picture in another form.

Candidates come from a description of the pixels, and from features if there are any; only the comparison in pixels decides
(`alignment`). Near duplicates are sought among images that differ; equal ones are joined by their bytes.
"""

import hashlib
from typing import NamedTuple

import numpy as np

from ftbench.data.duplicates import alignment, candidates, chance

AGREES = 0.72  # of the details: of 54 pairs of CIFAR-10 above it, 50 are one photograph (docs/audit.md)
SIMILAR = 0.70  # correlation of two descriptions, to become a candidate
# Comparing candidates in pixels takes most of the time, and their number grows with the square of that of the images. Above so many
# images a candidate must be more similar: of 10,000 images of CIFAR-10 that leaves a tenth of the candidates and 80 of 114 near duplicates.
MANY, SIMILAR_OF_MANY = 15_000, 0.80
SLIGHTLY_SHIFTED = (
    0.78  # of two descriptions of shifted middles, on a coarser grid that forgives the pixels between two shifts
)
SHIFTED_GRID = 6
NEAR_FEATURES = 0.90  # of two feature vectors
CANDIDATE_SPREADS = (
    4  # standard deviations above chance that a candidate must reach; the comparison in pixels asks for more
)


class Pairs(NamedTuple):
    """Pairs of rows `a` < `b`, each (P,), how well they agree, and whether their pixels are equal (agreement 1)."""

    a: np.ndarray
    b: np.ndarray
    agreement: np.ndarray
    exact: np.ndarray


def byte_digests(images: np.ndarray, rows: np.ndarray) -> list[bytes]:
    """One digest per row; equal exactly where all bytes are."""
    return [hashlib.blake2b(np.ascontiguousarray(images[row]).tobytes(), digest_size=16).digest() for row in rows]


def first_equal(digests: list[bytes]) -> np.ndarray:
    """(N,) int64: the first position with the same digest."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(digest, position) for position, digest in enumerate(digests)], np.int64)


def find_duplicates(
    small: np.ndarray, digests: list[bytes], labels: np.ndarray, mirrored: bool, features=(), thorough: bool = False
) -> Pairs:
    """Pairs among images given as (N, h, w, 3) uint8 of `alignment.reduced`, with the digest of each one's own bytes and labels (N,).

    `mirrored`: a mirror image of a picture is the same picture. `features`: arrays (N, D) that bring candidates too. `thorough` looks
    for shifted copies in pixels as well, which takes ten times as long. An image with k equal ones stands in k pairs with the first
    of them; only that one is compared with others. Sorted by a, then b.
    """
    first = first_equal(digests)
    distinct = np.flatnonzero(first == np.arange(len(first)))
    pairs = near_pairs(small[distinct], labels[distinct], mirrored, [one[distinct] for one in features], thorough)
    equal = np.flatnonzero(first != np.arange(len(first)))
    a = np.concatenate([first[equal], distinct[pairs.a]])
    b = np.concatenate([equal, distinct[pairs.b]])
    agreement = np.concatenate([np.ones(len(equal), np.float32), pairs.agreement])
    exact = np.concatenate([np.ones(len(equal), bool), pairs.exact])
    order = np.lexsort((b, a))
    return Pairs(a[order], b[order], agreement[order], exact[order])


def near_pairs(small: np.ndarray, labels: np.ndarray, mirrored: bool, features=(), thorough: bool = False) -> Pairs:
    """Near duplicates among images that differ."""
    if len(small) < 2:
        none = np.empty(0, np.int64)
        return Pairs(none, none, np.empty(0, np.float32), np.empty(0, bool))
    passed = candidates.band_passed(small)
    found = [_alike(passed, labels, mirrored)]
    if thorough:
        found.append(_shifted(passed, labels, mirrored))
    del passed
    for one in features:
        vectors = candidates.unit(np.asarray(one, np.float32))
        found.append(candidates.within(vectors, vectors, _radius(vectors, labels, NEAR_FEATURES)))
    pairs = np.unique(np.concatenate(found), axis=0)
    level = chance.levels(labels, lambda some: alignment.agreements(small, some, mirrored), AGREES)
    own = level[pairs].max(axis=1)
    photographs = np.where(own == AGREES, AGREES, 0)  # where images of a class look alike, another scale is no evidence
    agreement = alignment.agreements(small, pairs, mirrored, photographs)
    near = agreement >= own
    print(f"{len(pairs):,} pairs of images compared in pixels, {near.sum():,} of them near duplicates")
    return Pairs(pairs[near, 0], pairs[near, 1], agreement[near], np.zeros(near.sum(), bool))


def _radius(described: np.ndarray, labels: np.ndarray, floor: float) -> np.ndarray:
    """Per image, above which correlation another becomes a candidate: a lower level than that of a duplicate."""

    def score(some: np.ndarray) -> np.ndarray:
        return (described[some[:, 0]] * described[some[:, 1]]).sum(axis=1)

    return chance.levels(labels, score, floor, CANDIDATE_SPREADS)


def _alike(passed: np.ndarray, labels: np.ndarray, mirrored: bool) -> np.ndarray:
    """Pairs whose descriptions correlate, or one's with that of the other's mirror image."""
    described = candidates.gridded(passed, candidates.GRID)
    if len(labels) > MANY:
        print(
            f"{len(labels):,} images are more than {MANY:,}: only pairs with descriptions that correlate by {SIMILAR_OF_MANY} are "
            "compared in pixels; some near duplicates that were cropped or recoloured are missed"
        )
    radius = _radius(described, labels, SIMILAR if len(labels) <= MANY else SIMILAR_OF_MANY)
    found = [candidates.within(described, described, radius)]
    if mirrored:
        mirror = candidates.gridded(passed[:, :, ::-1], candidates.GRID)
        found.append(candidates.within(described, mirror, radius))
    return np.concatenate(found)


def _shifted(passed: np.ndarray, labels: np.ndarray, mirrored: bool) -> np.ndarray:
    """Pairs whose middles correlate when one is moved by three quarters of `alignment.SHIFT`, in any direction.

    A pair that fits at one shift fits in the other order at the opposite one, so half of the directions are enough; of a mirrored
    pair the opposite keeps its direction to the side.
    """
    height, width = passed.shape[1:3]
    top, left = (int(alignment.SHIFT * side) for side in (height, width))
    down, right = (max(1, round(0.75 * margin)) if margin else 0 for margin in (top, left))

    def middle(images: np.ndarray, y: int, x: int) -> np.ndarray:
        return candidates.gridded(images[:, top + y : height - top + y, left + x : width - left + x], SHIFTED_GRID)

    still = middle(passed, 0, 0)
    radius = _radius(still, labels, SLIGHTLY_SHIFTED)
    below = [(down, -right), (down, 0), (down, right)]
    places = [(passed, place) for place in [*below, (0, right)]]
    if mirrored:
        places += [(passed[:, :, ::-1], place) for place in [*below, (0, -right), (0, 0), (0, right)]]
    found = [candidates.within(still, middle(images, *place), radius) for images, place in places]
    return np.unique(np.concatenate(found), axis=0)


def clusters(count: int, pairs: Pairs) -> np.ndarray:
    """(count,) int64: the lowest row among all that are linked by pairs, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(pairs.a), np.int8), (pairs.a, pairs.b)), shape=(count, count))
    component = connected_components(edges, directed=False)[1]
    _, first = np.unique(component, return_index=True)
    return first[component]
