import numpy as np
import pytest
import small
import torch

from ftbench.pixels import augment, policies, transforms
from ftbench.study import kinds
from ftbench.train import loop

NAMES = kinds.names("policies")
DONE = {"none": [], "trivial_augment": ["crop", "flip", "apply"], "randaugment": ["crop", "flip", "apply", "apply"],
        "crop_trivial_augment": ["crop", "apply"], "crop_randaugment": ["crop", "apply", "apply"]}  # fmt: skip


def operations(name):
    return DONE.get(name, name.split("_"))


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def counted(monkeypatch):
    """The names of the operations that a policy calls, in order; they do nothing else."""
    calls = []
    for name in ("crop", "flip", "rotate"):
        monkeypatch.setattr(augment, name, lambda images, _, name=name: calls.append(name) or images)
    monkeypatch.setattr(transforms, "apply", lambda images, *_: calls.append("apply") or images)
    return calls


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_does_what_its_name_says_in_that_order(counted, name):
    policies.load(name)(torch.zeros(2, 8, 8, 3, dtype=torch.uint8), generator())
    assert counted == operations(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_in_where_mirrors_are_forbidden_never_mirrors(counted, name):
    stand_in = kinds.declared(name, "policies")["without_flip"]
    policies.load(stand_in)(torch.zeros(2, 8, 8, 3, dtype=torch.uint8), generator())
    assert "flip" not in counted
    assert counted == [operation for operation in operations(name) if operation != "flip"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(8, 8), (12, 20)])
def test_shape_and_type_stay_and_the_seed_decides(name, size):
    images = torch.randint(0, 256, (30, *size, 3), dtype=torch.uint8, generator=generator(0))
    before = images.clone()
    first, second, other = (policies.load(name)(images, generator(seed)) for seed in (3, 3, 4))
    assert first.shape == images.shape and first.dtype == torch.uint8
    assert torch.equal(first, second) and torch.equal(images, before)
    assert torch.equal(first, other) == (name == "none")
    assert torch.equal(first, images) == (name == "none")


def test_validation_is_never_augmented(tmp_path, monkeypatch):
    """The policy sees the training rows of every epoch and not one row of the validation part."""
    seen = []
    pixels, _ = small.images(60)
    number = {row.tobytes(): i for i, row in enumerate(pixels)}
    monkeypatch.setattr(
        policies,
        "load",
        lambda name: lambda images, _: seen.extend(number[i.numpy().tobytes()] for i in images) or images,
    )
    data, backbone = small.loop_data(small.study(tmp_path)), small.backbone()
    loop.fit(backbone, data, small.run(), small.recipe(epochs=2), torch.device("cpu"), tmp_path / "resume", "x")
    assert not set(seen) & set(data.validation.tolist())
    assert len(seen) == 2 * (len(data.train) // 8) * 8
    first, second = np.array(seen).reshape(2, -1)
    assert len(set(first)) == len(first) and list(first) != list(second)  # no row twice in an epoch; a new order each
