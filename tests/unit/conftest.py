import numpy as np
import pytest
import small

from ftbench.base.files import write_json


@pytest.fixture
def test_part(tmp_path):
    """(folder, pixels, labels) of a test part, as prepare_test leaves it."""
    pixels, labels = small.images(14, seed=4)
    np.save(tmp_path / "test_images.npy", pixels)
    np.save(tmp_path / "test_labels.npy", labels)
    write_json(tmp_path / "classes.json", small.CLASSES)
    return tmp_path, pixels, labels
