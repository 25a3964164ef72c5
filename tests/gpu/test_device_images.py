"""Images on the device, and what is done to them there: the same pixels as on the CPU."""

import numpy as np
import on_device
import pytest
import torch

from ftbench.data.images import Images
from ftbench.machine.upload import upload
from ftbench.model import backbones
from ftbench.pixels import policies
from ftbench.study import kinds

EXACT = ("none", "crop", "crop_flip")  # whole pixels move; the others compute, and round to the nearest of 256 values


@pytest.fixture
def path(tmp_path):
    return on_device.study(tmp_path, 24, 20)["images"]


@pytest.mark.parametrize("resident", [True, False])
def test_a_batch_is_the_rows_of_the_file_as_bytes_on_the_device(device, path, resident):
    store, ids = Images(path, device, resident), np.array([5, 0, 5, 23])
    batch = store.batch(ids)
    assert batch.dtype == torch.uint8 and batch.device.type == device.type
    assert np.array_equal(batch.cpu().numpy(), np.load(path)[ids])


def test_a_small_set_is_kept_on_the_device(device, path):
    assert Images(path, device).resident


@pytest.mark.parametrize("large", [True, False])
def test_an_upload_is_right_behind_a_busy_device_and_after_its_source_is_gone(device, large):
    busy = torch.randn(1024, 1024, device=device)
    for _ in range(2 if device.type == "cpu" else 200):
        busy = torch.nn.functional.normalize(busy @ busy)
    copies = [upload(torch.full((4096,), number), device, large) for number in range(20)]
    assert [int(copy.sum()) for copy in copies] == [4096 * number for number in range(20)]


@pytest.mark.parametrize("policy", kinds.names("policies"))
def test_a_policy_makes_of_an_image_what_it_makes_on_the_cpu(device, policy):
    pixels = torch.from_numpy(on_device.images(32, 20)[0])
    augment = policies.load(policy)
    here = augment(pixels.to(device), torch.Generator().manual_seed(3))
    there = augment(pixels, torch.Generator().manual_seed(3))
    assert here.dtype == torch.uint8 and here.device.type == device.type
    apart = (here.cpu().int() - there.int()).abs()
    assert apart.max() == 0 if policy in EXACT else (apart > 1).float().mean() < 0.01


@pytest.mark.parametrize("size", [12, 20, 33])
def test_the_networks_input_is_that_of_the_cpu(device, size):
    pixels = torch.from_numpy(on_device.images(4, 20)[0])
    entry = on_device.NETWORK | {"image_size": size}
    backbone = backbones.build(entry, on_device.CLASSES, 0, None, on_device.STATISTICS)
    here, there = backbone.to_input(pixels.to(device)), backbone.to_input(pixels)
    assert here.shape == (4, 3, size, size) and torch.allclose(here.cpu(), there, atol=1e-3)
