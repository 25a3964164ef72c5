"""The loss of a step: against torch's own mean, whatever is mixed, weighted or divided."""

import numpy as np
import pytest
import small
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight

from ftbench.train import objective
from ftbench.train.objective import Batch


def batch(share=0.0, count=9):
    generator = torch.Generator().manual_seed(0)
    labels, others = torch.randint(0, 4, (2, count), generator=generator)
    return Batch(torch.rand(count, 3, 8, 8, generator=generator), labels, others if share else labels, share)


LOGITS = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 3.0])


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_unmixed_it_is_torchs_mean(weights, smoothing):
    given = batch()
    ours = objective.loss_sum(LOGITS, given, weights, smoothing) / objective.total_weight(given, weights)
    assert torch.allclose(ours, F.cross_entropy(LOGITS, given.labels, weights, label_smoothing=smoothing))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_mixed_it_is_the_cross_entropy_with_the_mixed_targets(smoothing):
    given = batch(0.3)
    targets = 0.7 * F.one_hot(given.labels, 4) + 0.3 * F.one_hot(given.others, 4).float()
    ours = objective.loss_sum(LOGITS, given, None, smoothing) / objective.total_weight(given, None)
    assert torch.allclose(ours, F.cross_entropy(LOGITS, targets, label_smoothing=smoothing))


@pytest.mark.parametrize("count", [1, 2, 4, 9, 50])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_the_parts_of_a_batch_add_up_to_it(weights, count):
    given = batch(0.3)
    parts = given.parts(count)
    assert len(parts) == min(count, 9) and sum(len(part.labels) for part in parts) == 9
    assert torch.equal(torch.cat([part.inputs for part in parts]), given.inputs)
    total = sum(
        objective.loss_sum(logits, part, weights, 0.1) for logits, part in zip(LOGITS.tensor_split(len(parts)), parts)
    )
    assert torch.allclose(total, objective.loss_sum(LOGITS, given, weights, 0.1), rtol=1e-5)


def test_balanced_weights_are_scikit_learns_and_an_absent_class_weighs_nothing():
    labels = np.array([0] * 5 + [1] * 3 + [2] * 2)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert np.allclose(objective.class_weights(labels, 3), expected)
    four = objective.class_weights(labels, 4)
    assert four[3] == 0 and np.allclose(four[:3], expected * 3 / 4)


def test_without_mixing_the_batch_is_what_was_given():
    inputs, labels = batch()[:2]
    given = objective.mix(inputs, labels, small.recipe(), np.random.default_rng(0))
    assert given.inputs is inputs and given.labels is labels and given.share == 0


def test_mixup_blends_every_image_with_another_by_one_share():
    inputs, labels = batch()[:2]
    given = objective.mix(inputs, labels, small.recipe(mixup=0.4), np.random.default_rng(0))
    rng = np.random.default_rng(0)
    rng.integers(1)
    assert given.share == rng.beta(0.4, 0.4)
    order = torch.from_numpy(rng.permutation(9))
    assert torch.equal(given.others, labels[order])
    assert torch.allclose(given.inputs, (1 - given.share) * inputs + given.share * inputs[order], atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_puts_one_box_of_another_image_in_and_its_share_is_the_boxs_area(seed):
    inputs = torch.arange(9.0).view(9, 1, 1, 1).expand(9, 3, 8, 10).contiguous()
    labels = torch.arange(9)
    given = objective.mix(inputs, labels, small.recipe(cutmix=1.0), np.random.default_rng(seed))
    foreign = given.inputs == given.others.float().view(9, 1, 1, 1)
    own = given.inputs == labels.float().view(9, 1, 1, 1)
    assert (foreign | own).all()
    moved = given.others != labels
    assert torch.allclose(foreign[moved].float().mean((1, 2, 3)), torch.tensor(given.share))
    rows, columns = foreign[moved][0, 0].any(1).sum(), foreign[moved][0, 0].any(0).sum()
    assert rows * columns == foreign[moved][0, 0].sum()  # one rectangle
    assert torch.equal(inputs, torch.arange(9.0).view(9, 1, 1, 1).expand(9, 3, 8, 10))  # the input is left alone


def test_with_both_each_batch_draws_one():
    inputs, labels = batch()[:2]
    recipe = small.recipe(mixup=0.4, cutmix=1.0)
    drawn = {bool(torch.isin(objective.mix(inputs, labels, recipe, np.random.default_rng(seed)).inputs, inputs).all())
             for seed in range(20)}  # fmt: skip
    assert drawn == {True, False}  # CutMix makes no value that was not there
