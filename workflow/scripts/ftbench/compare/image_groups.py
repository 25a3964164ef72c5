"""Which test images count as one: those of a group that the user lists, equal ones, and the near-duplicates that the audit found.

Frames of one burst or photos of one patient are right or wrong together, so their number says little: with ten images a group, intervals
over single images covered the truth in 59 to 69 % of simulated studies, and those over groups in 95 % (docs/statistics.md).
"""

import os

import numpy as np
import pandas as pd

INSIDE_TEST = "inside test"  # the audit's word for a pair of test images


def read_test_groups(groups: str | os.PathLike, duplicates: str | os.PathLike) -> np.ndarray:
    """(N,) int64 group numbers of the test images: those of `groups` (.npy), joined by the pairs of `duplicates` (the audit's CSV)."""
    own = np.load(groups)
    pairs = pd.read_csv(duplicates, usecols=["pair", "row_a", "row_b"])
    pairs = pairs[pairs["pair"] == INSIDE_TEST]
    return join(own, *(pairs[side].to_numpy(np.int64) for side in ("row_a", "row_b")))  # an empty table has no numbers


def join(groups: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`groups` (N,) with those of the rows `a` and `b` (P,) each made one, transitively."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = np.unique(groups, return_inverse=True)[1]
    size = number.max() + 1
    edges = coo_array((np.ones(len(a), np.int8), (number[a], number[b])), shape=(size, size))
    return connected_components(edges, directed=False)[1].astype(np.int64)[number]
