import math

import pytest
import small
import torch
from small import meta_network
from torch import nn

from ftbench.train import recipes


@pytest.mark.parametrize("name", ["resnet8", "vit_b_16_96", "convnext_tiny_96"])
def test_biases_and_norms_never_decay_and_every_matrix_and_kernel_does(name):
    _, network, _ = meta_network(name)
    optimizer = recipes.make_optimizer(network, small.recipe(weight_decay=0.3))
    decay_of = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    norms = {id(p) for m in network.modules() if isinstance(m, nn.BatchNorm2d | nn.LayerNorm) for p in m.parameters()}
    weights = {id(m.weight) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert norms and weights
    for parameter_name, parameter in network.named_parameters():
        if id(parameter) in norms or parameter_name.split(".")[-1].endswith("bias"):
            assert decay_of[id(parameter)] == 0, parameter_name
        elif id(parameter) in weights:
            assert decay_of[id(parameter)] == 0.3, parameter_name
    assert len(decay_of) == len(list(network.parameters()))  # each in exactly one group


def test_only_what_moves_is_optimized_and_no_group_is_empty():
    network = small.backbone(kind="norm_bias").network
    groups = recipes.parameter_groups(network, 0.1)
    listed = [id(p) for group in groups for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in network.parameters() if p.requires_grad)
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.ndim > 1)
    assert [group["weight_decay"] for group in recipes.parameter_groups(network, 0.1)] == [0.1]


@pytest.mark.parametrize(
    "changes, kind, expected",
    [
        ({"optimizer": "adamw"}, torch.optim.AdamW, {"lr": 0.01, "betas": (0.9, 0.999)}),
        ({"optimizer": "sgd"}, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
        ({"optimizer": "sgd", "nesterov": False}, torch.optim.SGD, {"momentum": 0.9, "nesterov": False}),
        ({"optimizer": "sgd", "momentum": 0.0}, torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
    ],
)
def test_the_optimizer_is_the_recipes(changes, kind, expected):
    optimizer = recipes.make_optimizer(small.backbone().network, small.recipe(**changes))
    assert type(optimizer) is kind
    for group in optimizer.param_groups:
        assert {key: group[key] for key in expected} == expected


def test_every_batch_norm_gets_the_recipes_momentum():
    network = small.backbone().network
    recipes.set_norm_momentum(network, 0.37)
    assert {m.momentum for m in network.modules() if isinstance(m, nn.BatchNorm2d)} == {0.37}


def rates(steps, **changes):
    return [recipes.learning_rate(small.recipe(**changes), step, steps) for step in range(steps)]


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("steps, warmup", [(1000, 100), (1000, 0), (50, 100), (7, 3), (1, 0)])
def test_every_rate_is_positive_and_at_most_the_recipes(schedule, steps, warmup):
    found = rates(steps, schedule=schedule, warmup_steps=warmup)
    assert all(0 < rate <= 0.01 for rate in found)
    assert max(found) == 0.01  # the full rate is reached, however short the run


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_warmup_is_linear_and_ends_at_the_full_rate(schedule):
    found = rates(1000, schedule=schedule, warmup_steps=9)
    assert found[:10] == pytest.approx([0.001 * step for step in range(1, 11)])


def test_the_warmup_is_at_most_a_tenth_of_the_run():
    found = rates(40, schedule="constant", warmup_steps=500)
    assert [rate < 0.01 for rate in found] == [True] * 4 + [False] * 36


def test_a_cosine_falls_to_nothing_through_half_at_the_middle():
    found = rates(1001, schedule="cosine", warmup_steps=0)
    assert all(a > b for a, b in zip(found, found[1:]))
    assert found[0] == 0.01 and found[-1] < 1e-7
    assert found[500] == pytest.approx(0.005, rel=0.01)
    assert found[250] == pytest.approx(0.01 * 0.5 * (1 + math.cos(math.pi / 4)), rel=0.01)


def test_a_constant_rate_is_constant():
    assert set(rates(100, schedule="constant", warmup_steps=0)) == {0.01}


@pytest.mark.parametrize("changes, images, expected", [
    ({"epochs": 3, "batch_size": 10}, 45, (10, 4, 12)),
    ({"epochs": 3, "batch_size": 100}, 45, (45, 1, 3)),
    ({"epochs": 3, "batch_size": 10, "examples": 100}, 45, (10, 4, 10)),  # two epochs and a half
    ({"epochs": 3, "batch_size": 10, "examples": 100}, 1000, (10, 100, 10)),  # a tenth of one
    ({"epochs": 3, "batch_size": 10, "examples": 1}, 45, (10, 4, 1)),
])  # fmt: skip
def test_a_budget_is_a_number_of_epochs_or_of_examples(changes, images, expected):
    assert recipes.steps_of(small.recipe(**changes), images) == expected


def test_the_linear_schedule_falls_by_the_same_amount_at_every_step():
    found = [recipes.learning_rate(small.recipe(schedule="linear", warmup_steps=0), step, 50) for step in range(50)]
    assert found[0] == 0.01 and [a - b for a, b in zip(found, found[1:])] == pytest.approx([0.01 / 50] * 49)


def test_every_factor_of_the_learning_rate_has_groups_of_its_own():
    network = small.backbone().network
    names = [name for name, _ in network.named_parameters()]
    scales = {name: 0.5 for name in names if name.startswith("layer1")} | {"conv1.weight": 0.25}
    groups = recipes.parameter_groups(network, 0.1, scales)
    found = {id(p): (group["scale"], group["weight_decay"]) for group in groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        assert found[id(parameter)] == (scales.get(name, 1.0), 0.1 if parameter.ndim > 1 else 0.0)
    assert len({(group["scale"], group["weight_decay"]) for group in groups}) == len(groups)
