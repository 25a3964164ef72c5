"""Groups of test images from the user's list and the audit's pairs, also where there is no pair."""

import numpy as np
import pandas as pd
import pytest

from ftbench.compare.image_groups import INSIDE_TEST, read_test_groups


@pytest.mark.parametrize(
    "pairs, groups",
    [
        ([], [0, 0, 1, 2]),
        ([(INSIDE_TEST, 1, 3)], [0, 0, 1, 0]),
        ([("test and training", 1, 3)], [0, 0, 1, 2]),
    ],
)
def test_groups_are_joined_by_the_pairs_inside_the_test_part(tmp_path, pairs, groups):
    np.save(tmp_path / "groups.npy", np.array([5, 5, 7, 9]))
    pd.DataFrame(pairs, columns=["pair", "row_a", "row_b"]).to_csv(tmp_path / "pairs.csv", index=False)
    found = read_test_groups(tmp_path / "groups.npy", tmp_path / "pairs.csv")
    assert found.dtype == np.int64 and np.unique(found, return_inverse=True)[1].tolist() == groups
