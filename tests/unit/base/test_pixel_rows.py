"""Rows of an array on the disk: the same as of the array in memory, and never the whole."""

import numpy as np
import pytest

from ftbench.base import pixel_rows
from ftbench.base.errors import InputError
from ftbench.base.pixel_rows import ChosenRows, PixelRows

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 5, 7, 3), np.uint8)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "images.npy", PIXELS)
    return tmp_path / "images.npy"


@pytest.mark.parametrize("key", [
    *(0, 36, -1, np.int64(5)),
    *(slice(None), slice(3, 9), slice(30, 99), slice(9, 3), slice(None, None, 5)),
    *(np.array([5, 5, 0]), np.array([], np.int64), np.random.default_rng(1).permutation(37)),
])  # fmt: skip
def test_rows_are_those_of_the_array(path, key, monkeypatch):
    monkeypatch.setattr(pixel_rows, "LARGEST_READ", 300)  # two rows and a part
    rows = PixelRows(path)
    assert rows.shape == PIXELS.shape and len(rows) == 37 and rows.nbytes == PIXELS.nbytes
    found = rows[key]
    assert np.array_equal(found, PIXELS[key]) and found.dtype == np.uint8


def test_iteration_and_chosen_rows(path, monkeypatch):
    monkeypatch.setattr(pixel_rows, "BLOCK", 4)
    assert np.array_equal(np.stack(list(PixelRows(path))), PIXELS)
    numbers = np.array([30, 2, 2, 17, 5, 36])
    chosen = ChosenRows(PixelRows(path), numbers)
    assert chosen.shape == (6, 5, 7, 3) and np.array_equal(np.stack(list(chosen)), PIXELS[numbers])
    assert np.array_equal(chosen[1:4], PIXELS[numbers[1:4]])


@pytest.mark.parametrize("length", [0, 5, 60, PIXELS.nbytes])
def test_a_file_that_is_cut_short_is_named(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=f"{path} is damaged: it is cut short"):
        PixelRows(path)


def test_rows_outside_are_errors(path):
    with pytest.raises(IndexError):
        PixelRows(path)[37]
    with pytest.raises(OSError, match="ends inside row 37"):
        PixelRows(path)[np.array([37])]
