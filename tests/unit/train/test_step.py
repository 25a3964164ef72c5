"""One training step by itself: what it returns, what it changes, and on what it depends."""

import numpy as np
import pytest
import small
import torch

from ftbench.train import recipes
from ftbench.train.step import NORM_STEPS, Step

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small.loop_data(small.study(tmp_path_factory.mktemp("step")))


def step_of(data, kind="scratch", **recipe) -> Step:
    step = Step(small.backbone(kind=kind), data, small.run(kind), small.recipe(**recipe), CPU)
    step.seed(0)
    step.open_epoch(0)
    return step


def weights(step):
    return {name: tensor.clone() for name, tensor in step.backbone.network.state_dict().items()}


def same(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_step_moves_the_network_and_leaves_no_gradient(data):
    step = step_of(data)
    before = weights(step)
    loss, norm = step.take(data.train[:8], 0, 0)
    assert loss.shape == () and loss > 0 and norm > 0
    assert not same(before, weights(step))
    assert all(parameter.grad is None for parameter in step.backbone.network.parameters())


def test_a_rate_of_zero_moves_no_parameter(data):
    step = step_of(data, learning_rate=0.0)
    before = {name: parameter.detach().clone() for name, parameter in step.backbone.network.named_parameters()}
    step.take(data.train[:8], 0, 0)
    assert same(before, dict(step.backbone.network.named_parameters()))


def test_a_step_whose_scaled_gradients_overflow_moves_nothing_and_halves_their_scale(data, monkeypatch):
    """Nor does the pull towards the start, which is no gradient."""
    step = step_of(data, kind="l2_sp", learning_rate=0.1, pull=1.0)
    step.take(data.train[:8], 0, 0)
    step.scaler, add = torch.amp.GradScaler("cpu", init_scale=64.0), step._add_gradients

    def overflow(*given):
        loss = add(*given)
        step.moving[0].grad.view(-1)[0] = float("inf")
        return loss

    monkeypatch.setattr(step, "_add_gradients", overflow)
    before = {name: parameter.detach().clone() for name, parameter in step.backbone.network.named_parameters()}
    _, norm = step.take(data.train[:8], 0, 1)
    assert not norm.isfinite() and step.scaler.get_scale() == 32
    assert same(before, dict(step.backbone.network.named_parameters()))


def test_equal_steps_are_equal_and_another_number_mixes_otherwise(data):
    first, second, other = (step_of(data, mixup=0.4, augmentation="none") for _ in range(3))
    losses = [float(first.take(data.train[:8], 0, 1)[0]), float(second.take(data.train[:8], 0, 1)[0])]
    assert losses[0] == losses[1] and same(weights(first), weights(second))
    assert float(other.take(data.train[:8], 0, 2)[0]) != losses[0]


def test_a_step_taken_from_a_saved_state_is_the_same(data):
    whole, saved = step_of(data, ema_decay=0.9), step_of(data, ema_decay=0.9)
    for step in (whole, saved):
        step.take(data.train[:8], 0, 0)
    state = saved.state_dict()
    whole.take(data.train[8:16], 0, 1)
    fresh = step_of(data, ema_decay=0.9)
    fresh.seed(7)
    fresh.load_state_dict(state)
    fresh.take(data.train[8:16], 0, 1)
    assert same(weights(whole), weights(fresh))
    with whole.averaged(), fresh.averaged():
        assert same(weights(whole), weights(fresh))


def test_the_norm_is_measured_once_in_so_many_steps_and_always_if_it_is_clipped(data):
    plain, clipped = step_of(data), step_of(data, clip_norm=0.5)
    numbers = (0, 1, NORM_STEPS - 1, NORM_STEPS)
    assert [plain.take(data.train[:8], 0, n)[1] is not None for n in numbers] == [True, False, False, True]
    assert all(clipped.take(data.train[:8], 0, n)[1] is not None for n in numbers)


def test_accumulated_parts_add_up_to_the_whole_batch(data):
    """Up to rounding, without batch norms that train: those see the part alone."""
    losses = []
    for parts in (1, 3):
        step = step_of(data, accumulate=parts, augmentation="none", class_weights="balanced")
        step.backbone.network.eval()
        losses.append(float(step.take(data.train[:8], 0, 0)[0]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_budget_of_examples_shortens_the_last_epoch_and_the_rate_follows_all_steps(data):
    step = step_of(data, examples=8 * 7)
    assert (step.batch_size, step.per_epoch, step.total, step.epochs) == (8, 5, 7, 2)
    assert [step.in_epoch(epoch) for epoch in range(2)] == [5, 2]
    assert step.rate(1, 1) == recipes.learning_rate(step.recipe, 6, 7)


def test_the_strategy_says_what_moves_in_which_epoch(data):
    step = step_of(data, kind="gradual_unfreeze", epochs=9)
    counts = []
    for epoch in range(step.epochs):
        step.open_epoch(epoch)
        counts.append(sum(parameter.requires_grad for parameter in step.backbone.network.parameters()))
    assert counts == sorted(counts) and counts[0] == 2  # the head's weight and bias
    assert counts.index(counts[-1]) == step.opened_after() > 0
    growing = step_of(data, image_sizes=[4, 8])
    assert growing.image_size(growing.opened_after(), 0) == 8 > growing.image_size(growing.opened_after() - 1, 0)
    plain = step_of(data)
    assert plain.opened_after() == 0 and plain.moving_names(0) is None


def test_groups_have_rates_of_their_own(data):
    step = step_of(data, kind="layerwise_decay", layer_decay=0.5)
    rates = step.group_rates(0.08)
    assert rates[0] == 0.08 and rates == sorted(set(rates), reverse=True)
    assert np.allclose(rates, [0.08 * 0.5**depth for depth in range(len(rates))])
