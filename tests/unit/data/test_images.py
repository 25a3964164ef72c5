import numpy as np
import pytest
import torch

from ftbench.data import images
from ftbench.data.images import Images

CPU = torch.device("cpu")


@pytest.fixture
def stored(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (37, 5, 7, 3), np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    return tmp_path / "images.npy", pixels


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("ids", [[0], [36], [5, 5, 5], "shuffled"])
def test_a_batch_is_the_rows_asked_for_in_their_order(stored, resident, ids):
    path, pixels = stored
    rows = np.random.default_rng(1).permutation(37) if ids == "shuffled" else np.array(ids, np.int64)
    batch = Images(path, CPU, resident).batch(rows)
    assert batch.dtype == torch.uint8 and batch.shape == (len(rows), 5, 7, 3)
    assert np.array_equal(batch.numpy(), pixels[rows])


@pytest.mark.parametrize("resident", [True, False])
def test_a_batch_is_a_copy_that_may_be_changed(stored, resident):
    path, pixels = stored
    store = Images(path, CPU, resident)
    store.batch(np.array([3]))[:] = 0
    assert np.array_equal(store.batch(np.array([3])).numpy(), pixels[[3]])
    assert len(store) == 37 and store.shape == pixels.shape


def test_a_set_is_resident_where_it_fits_in_half_of_the_free_memory(stored, monkeypatch):
    path, pixels = stored
    for free, resident in ((2 * pixels.nbytes, True), (2 * pixels.nbytes - 1, False)):
        monkeypatch.setattr(images, "free_bytes", lambda device, free=free: free)
        assert Images(path, CPU).resident is resident


def test_a_file_that_ends_early_is_an_error_not_a_picture_of_rubbish(stored):
    path, pixels = stored
    content = path.read_bytes()
    store = Images(path, CPU, resident=False)
    path.write_bytes(content[:-10])
    with pytest.raises(OSError, match="ends inside row 36"):
        store.batch(np.array([36]))
    assert np.array_equal(store.batch(np.array([35])).numpy(), pixels[[35]])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5, 5, 3), np.float32),
        np.zeros((4, 5, 5), np.uint8),
        np.zeros((4, 3, 5, 5), np.uint8),
        np.asfortranarray(np.zeros((4, 5, 5, 3), np.uint8)),
    ],
)
def test_any_other_form_is_refused(tmp_path, array):
    np.save(tmp_path / "images.npy", array)
    with pytest.raises(ValueError, match="not a contiguous"):
        Images(tmp_path / "images.npy", CPU)
