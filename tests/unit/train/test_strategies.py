"""Which parameters move, and that nothing else does."""

import copy

import pytest
import small
import torch
from small import META_BACKBONES, meta_network
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torchvision.models import VisionTransformer

from ftbench.model import backbones, freezing
from ftbench.model.backbones import Backbone
from ftbench.model.stages import stages
from ftbench.tools.documents import strategy_doc
from ftbench.train import strategies

KINDS = small.KINDS
ALL_MOVE = {"finetune", "lp_ft", "scratch", "tutorial", "gradual_unfreeze", "layerwise_decay", "l2_sp"}


def backbone_of(name: str) -> Backbone:
    entry, network, head = meta_network(name)
    return Backbone(network, head, entry["image_size"], [0.5] * 3, [0.5] * 3)


def moving(kind: str, name: str) -> set[str]:
    return set(strategies.load(kind).trainable(backbone_of(name)))


def numbers(names: set[str], network: nn.Module) -> int:
    return sum(p.numel() for n, p in network.named_parameters() if n in names)


# --- the set of tensors ----------------------------------------------------------------------------------------------


def test_every_kind_of_strategy_is_known_to_these_tests():
    assert set(KINDS) == ALL_MOVE | {"linear_probe", "knn", "last_block", "norm_bias", "lora"}


@pytest.mark.parametrize("name", META_BACKBONES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_strategy_names_parameters_each_once_with_the_head_among_them(kind, name):
    backbone = backbone_of(name)
    names = strategies.load(kind).trainable(backbone)
    assert len(names) == len(set(names))
    if kind == "knn":  # has no head at all
        assert names == []
        return
    assert set(backbone.head_parameters()) <= set(names) <= {n for n, _ in backbone.network.named_parameters()}


@pytest.mark.parametrize("kind", sorted(ALL_MOVE))
@pytest.mark.parametrize("name", ["resnet8", "vit_b_16_96"])
def test_full_strategies_move_everything(kind, name):
    assert moving(kind, name) == {n for n, _ in backbone_of(name).network.named_parameters()}


def block(prefix: str, *parts: str) -> set[str]:
    return {f"{prefix}.{part}" for part in parts}


RESNET8_BLOCK = ("conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight", "bn2.bias")
VIT_LAYER = (
    *("ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias"),
    *("self_attention.in_proj_weight", "self_attention.in_proj_bias"),
    *("self_attention.out_proj.weight", "self_attention.out_proj.bias"),
    *("mlp.0.weight", "mlp.0.bias", "mlp.3.weight", "mlp.3.bias"),
)
VIT_LAYERS = [f"encoder.layers.encoder_layer_{number}" for number in range(12)]
EXACT = {
    ("linear_probe", "resnet8"): block("fc", "weight", "bias"),
    ("linear_probe", "vit_b_16_96"): block("heads.head", "weight", "bias"),
    ("linear_probe", "mobilenet_v3_large_128"): block("classifier.3", "weight", "bias"),
    ("last_block", "resnet8"): block("layer3.0", *RESNET8_BLOCK)
    | block("layer3.0.shortcut", "0.weight", "1.weight", "1.bias")
    | block("fc", "weight", "bias"),
    ("last_block", "vit_b_16_96"): block(VIT_LAYERS[-1], *VIT_LAYER)
    | block("encoder.ln", "weight", "bias")
    | block("heads.head", "weight", "bias"),
    ("last_block", "efficientnet_lite0"): block("blocks.6.0", "conv_pw.weight", "conv_dw.weight", "conv_pwl.weight")
    | {f"blocks.6.0.bn{n}.{part}" for n in (1, 2, 3) for part in ("weight", "bias")}
    | block("classifier", "weight", "bias")
    | block("conv_head", "weight")
    | block("bn2", "weight", "bias"),
    ("norm_bias", "resnet8"): block("bn1", "weight", "bias")
    | {f"layer{n}.0.bn{m}.{part}" for n in (1, 2, 3) for m in (1, 2) for part in ("weight", "bias")}
    | {f"layer{n}.0.shortcut.1.{part}" for n in (2, 3) for part in ("weight", "bias")}
    | block("fc", "weight", "bias"),
    ("norm_bias", "vit_b_16_96"): {f"{layer}.{part}" for layer in VIT_LAYERS for part in VIT_LAYER
                                   if part.startswith("ln_") or part.endswith("bias")}
    | {"conv_proj.bias"} | block("encoder.ln", "weight", "bias") | block("heads.head", "weight", "bias"),
}  # fmt: skip


@pytest.mark.parametrize("kind, name", EXACT)
def test_exactly_these_tensors_move(kind, name):
    assert moving(kind, name) == EXACT[kind, name]


# --- how many numbers that is, by formulas of their own --------------------------------------------------------------

CLASSES = 10
WIDTH, MLP = 768, 3072  # ViT-B
ATTENTION = 4 * (WIDTH * WIDTH + WIDTH)
VIT_BLOCK = ATTENTION + 2 * WIDTH * MLP + MLP + WIDTH + 4 * WIDTH
VIT_HEAD = WIDTH * CLASSES + CLASSES
RESNET18_CHANNELS = [64] * 5 + [128] * 5 + [256] * 5 + [512] * 5  # of its 20 batch norms
FORMULAS = {
    ("linear_probe", "resnet18_128"): 512 * CLASSES + CLASSES,
    ("linear_probe", "resnet50_128"): 2048 * CLASSES + CLASSES,
    ("linear_probe", "vgg16_bn_64"): 4096 * CLASSES + CLASSES,
    ("finetune", "vit_b_16_96"): 3 * 16 * 16 * WIDTH + WIDTH  # patches
    + WIDTH + (36 + 1) * WIDTH + 12 * VIT_BLOCK + 2 * WIDTH + VIT_HEAD,  # class token, positions
    ("last_block", "vit_b_16_96"): VIT_BLOCK + 2 * WIDTH + VIT_HEAD,
    ("norm_bias", "vit_b_16_96"): WIDTH + 12 * (4 * WIDTH + 4 * WIDTH + MLP + WIDTH) + 2 * WIDTH + VIT_HEAD,
    ("norm_bias", "resnet18_128"): 2 * sum(RESNET18_CHANNELS) - 2 * 64 + 2 * 64 + 512 * CLASSES + CLASSES,
    ("last_block", "resnet18_128"): 9 * 256 * 512 + 3 * 9 * 512 * 512 + 256 * 512 + 5 * 2 * 512 + 512 * CLASSES + CLASSES,
    ("last_block", "resnet8"): 9 * 32 * 64 + 9 * 64 * 64 + 32 * 64 + 3 * 2 * 64 + 64 * CLASSES + CLASSES,
    ("norm_bias", "resnet8"): 2 * (16 + 2 * 16 + 3 * 32 + 3 * 64) + 64 * CLASSES + CLASSES,
    ("scratch", "resnet8"): 78_042,  # the module's docstring, and He et al.'s layout
    ("finetune", "resnet50_128"): 25_557_032 - 990 * 2049,  # torchvision's published count, for ten classes
    ("norm_bias", "vgg16_bn_64"): 3 * 4224 + 2 * 4096 + 4096 * CLASSES + CLASSES,  # convolutions have biases too
}  # fmt: skip


@pytest.mark.parametrize("kind, name", FORMULAS)
def test_the_number_of_trainable_parameters_equals_the_formula(kind, name):
    backbone = backbone_of(name)
    freezing.freeze(backbone, strategies.load(kind).trainable(backbone))
    counted = sum(p.numel() for p in backbone.network.parameters() if p.requires_grad)
    for parameter in backbone.network.parameters():
        parameter.requires_grad_(True)  # the network is shared
    assert counted == FORMULAS[kind, name]


# --- freezing --------------------------------------------------------------------------------------------------------


def test_freezing_moves_exactly_the_names_and_can_be_changed():
    backbone = small.backbone(kind="finetune")
    freezing.freeze(backbone, ["fc.bias"])
    assert [n for n, p in backbone.network.named_parameters() if p.requires_grad] == ["fc.bias"]
    freezing.freeze(backbone, ["conv1.weight"])
    assert [n for n, p in backbone.network.named_parameters() if p.requires_grad] == ["conv1.weight"]
    with pytest.raises(ValueError, match="conv9"):
        freezing.freeze(backbone, ["conv9.weight"])


def norm_modes(network: nn.Module) -> dict[str, bool]:
    return {name: module.training for name, module in network.named_modules() if isinstance(module, _NormBase)}


LAST_NORMS = {"layer3.0.bn1", "layer3.0.bn2", "layer3.0.shortcut.1"}


@pytest.mark.parametrize("kind", KINDS)
def test_norms_are_in_train_mode_where_their_own_parameters_move_whatever_was_before(kind):
    backbone = small.backbone(kind=kind)
    names = set(norm_modes(backbone.network))
    training = {"linear_probe": set(), "knn": set(), "lora": set(), "last_block": LAST_NORMS}.get(kind, names)
    assert training <= names and len(names) == 9
    for before in (backbone.network.train, backbone.network.eval):
        before()
        freezing.train_mode(backbone.network)
        assert norm_modes(backbone.network) == {name: name in training for name in names}


@pytest.mark.parametrize("kind", ["finetune", "last_block", "norm_bias"])
def test_norms_that_keep_their_statistics_move_and_count_as_they_did(kind):
    """Their scale and shift learn; their statistics, and what the network answers by them, are those of the start."""
    backbone = small.backbone(kind=kind)
    network, images = backbone.network, backbone.to_input(torch.from_numpy(small.images(12)[0]))
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer += torch.linspace(-1, 1, len(buffer))  # as of a network that has seen images
    assert freezing.keep_statistics(network) == 9
    before = copy.deepcopy(network.state_dict())
    freezing.train_mode(network)
    assert not any(norm_modes(network).values())
    with torch.no_grad():
        seen = network(images)
        network.eval()
        assert torch.equal(seen, network(images))
    freezing.train_mode(network)
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=0.1)
    nn.functional.cross_entropy(network(images), torch.arange(12) % 3).backward()
    optimizer.step()
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == set(strategies.load(kind).trainable(backbone))
    assert set(freezing.frozen_tensors(network)) == set(before) - moved


def test_a_norm_without_statistics_has_none_to_keep():
    network = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.GroupNorm(1, 3))
    assert freezing.keep_statistics(network) == 0
    freezing.train_mode(network)
    assert network[0].training


def test_dropout_is_off_where_everything_around_it_is_frozen():
    network = nn.Sequential(
        nn.Sequential(nn.Linear(2, 2), nn.Dropout()),  # frozen
        nn.Dropout(),  # in front of what moves
        nn.Sequential(nn.Linear(2, 3), nn.Dropout(), nn.BatchNorm1d(3, affine=False)),
    )
    freezing.freeze(Backbone(network, "2.0", 1, [0] * 3, [1] * 3), ["2.0.weight", "2.0.bias"])
    freezing.train_mode(network)
    assert [network[0][1].training, network[1].training, network[2][1].training] == [False, True, True]
    assert not network[2][2].training  # no affine parameter of its own that could move


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "knn"])
def test_after_training_what_is_frozen_is_equal_bit_by_bit_and_what_moves_has_moved(kind):
    """Compared with a full copy taken before, not with what `frozen_tensors` calls frozen."""
    backbone = small.backbone(kind=kind)
    network = backbone.network
    before = copy.deepcopy(network.state_dict())
    names = set(strategies.load(kind).trainable(backbone))
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=0.1, weight_decay=0.1)
    images = torch.from_numpy(small.images(12)[0])
    for _ in range(3):
        freezing.train_mode(network)
        loss = nn.functional.cross_entropy(network(backbone.to_input(images)), torch.arange(12) % 3)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    owners = {f"{prefix}.{name}" for prefix, module in network.named_modules() if isinstance(module, _NormBase)
              for name, _ in module.named_buffers(recurse=False)
              if {f"{prefix}.weight", f"{prefix}.bias"} & set(names)}  # fmt: skip
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == names | owners
    assert set(freezing.frozen_tensors(network)) == set(before) - names - owners


def test_the_frozen_tensors_show_a_change_of_a_frozen_running_mean():
    backbone = small.backbone(kind="last_block")
    frozen = freezing.frozen_tensors(backbone.network)
    assert {"conv1.weight", "bn1.running_mean", "layer2.0.bn1.num_batches_tracked"} <= set(frozen)
    assert not {"layer3.0.bn1.running_mean", "fc.weight"} & set(frozen)
    backbone.network.bn1.running_mean += 1
    assert torch.equal(frozen["bn1.running_mean"], backbone.network.bn1.running_mean)  # a view, not a copy


# --- low-rank changes ------------------------------------------------------------------------------------------------


def cnn() -> Backbone:
    backbone = backbones.build(small.NETWORK, 3, 0, None, small.STATISTICS)
    nn.init.normal_(backbone.head_module.weight)
    return backbone


def adapted(rank=2) -> Backbone:
    backbone, lora = cnn(), strategies.load("lora")
    lora.adapt(backbone, small.recipe(rank=rank))
    freezing.freeze(backbone, lora.trainable(backbone))
    return backbone


def test_lora_changes_these_tensors_of_a_cnn():
    lora = strategies.load("lora")
    kernels = ["conv1", *(f"layer{n}.0.conv{m}" for n in (1, 2, 3) for m in (1, 2)), "layer2.0.shortcut.0", "layer3.0.shortcut.0"]  # fmt: skip
    expected = {f"{kernel}.parametrizations.weight.0.{part}" for kernel in kernels for part in ("down", "up")}
    assert set(lora.trainable(adapted())) == expected | {"fc.weight", "fc.bias"}
    # (outputs + inputs × taps) × rank of every kernel, and the head
    shapes = [(16, 27), (16, 144), (16, 144), (32, 144), (32, 288), (32, 16), (64, 288), (64, 576), (64, 32)]
    moving = sum(p.numel() for p in adapted().network.parameters() if p.requires_grad)
    assert moving == 2 * sum(map(sum, shapes)) + 64 * 3 + 3


def vit() -> Backbone:
    """A vision transformer of two layers, in torchvision's own code."""
    network = VisionTransformer(
        image_size=8, patch_size=4, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=24, num_classes=3
    )
    nn.init.normal_(network.heads.head.weight)
    return Backbone(network, "heads.head", 8, [0.5] * 3, [0.5] * 3)


def test_lora_changes_these_tensors_of_a_vit():
    backbone, lora = vit(), strategies.load("lora")
    lora.adapt(backbone, small.recipe(rank=4))
    layers = [f"encoder.layers.encoder_layer_{number}" for number in (0, 1)]
    matrices = [f"{layer}.{part}" for layer in layers for part in ("self_attention.parametrizations.in_proj_weight",
                "self_attention.out_proj.parametrizations.weight", "mlp.0.parametrizations.weight", "mlp.3.parametrizations.weight")]  # fmt: skip
    expected = {
        f"{matrix}.0.{part}" for matrix in [*matrices, "conv_proj.parametrizations.weight"] for part in ("down", "up")
    }
    assert set(lora.trainable(backbone)) == expected | {"heads.head.weight", "heads.head.bias"}


def test_lora_leaves_depthwise_kernels_and_what_has_no_higher_rank_alone():
    network = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(4, 3))
    backbone, lora = Backbone(network, "3", 3, [0.5] * 3, [0.5] * 3), strategies.load("lora")
    lora.adapt(backbone, small.recipe(rank=4))
    assert set(lora.trainable(backbone)) == {"3.weight", "3.bias"}


@pytest.mark.parametrize("make", [cnn, vit])
def test_lora_starts_as_the_base_network_and_its_merged_weights_give_its_logits(make):
    images = torch.from_numpy(small.images(6)[0])
    lora, base = strategies.load("lora"), make()
    backbone, names = copy.deepcopy(base), set(base.network.state_dict())
    lora.adapt(backbone, small.recipe(rank=2))
    for network in (base.network, backbone.network):
        network.eval()
    inputs = backbone.to_input(images)
    assert torch.equal(backbone.network(inputs), base.network(inputs))  # the change starts at zero
    with torch.no_grad():
        for name, parameter in backbone.network.named_parameters():
            if name.endswith((".0.down", ".0.up")):
                parameter.normal_(0, 0.3)
    before = backbone.network(inputs)
    assert not torch.allclose(before, base.network(inputs), atol=1e-2)
    lora.merge(backbone)
    assert torch.equal(backbone.network(inputs), before)
    assert set(backbone.network.state_dict()) == names  # a plain network again


# --- who moves when, and how fast ------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("name", ["resnet8", "vit_b_16_96"])
def test_gradual_unfreezing_opens_from_the_top_and_ends_with_everything(name, epochs):
    backbone, strategy = backbone_of(name), strategies.load("gradual_unfreeze")
    opened = [set(strategy.moving(backbone, epoch, epochs)) for epoch in range(epochs)]
    assert opened[-1] == set(strategy.trainable(backbone))
    assert all(before <= after for before, after in zip(opened, opened[1:]))
    groups = stages(backbone.network, backbone.head)
    if epochs > 1:
        assert opened[0] == set(backbone.head_parameters())
    if epochs > len(groups):  # one stage per epoch, as published
        for epoch in range(len(groups) + 1):
            expected = {n for group in groups[len(groups) - epoch :] for n in group}
            assert opened[epoch] == expected | set(backbone.head_parameters())


@pytest.mark.parametrize("name, layers", [("resnet8", 4), ("resnet18_128", 5), ("vit_b_16_96", 13), ("efficientnet_lite0", 17)])  # fmt: skip
def test_layers_learn_the_slower_the_deeper_they_lie(name, layers):
    backbone, strategy = backbone_of(name), strategies.load("layerwise_decay")
    scales = strategy.scales(backbone, small.recipe(layer_decay=0.5))
    assert set(scales) == {n for n, _ in backbone.network.named_parameters()} - set(backbone.head_parameters())
    assert sorted(set(scales.values()), reverse=True) == [0.5**depth for depth in range(1, layers + 1)]
    names = [n for n, _ in backbone.network.named_parameters() if n in scales]
    assert scales[names[-1]] == 0.5 and scales[names[0]] == 0.5**layers  # the top and the stem


def test_l2_sp_decays_towards_the_start_and_the_head_towards_zero():
    backbone = small.backbone(kind="l2_sp")
    after_step = strategies.load("l2_sp").pull(backbone, small.recipe(pull=0.5))
    start = {name: p.detach().clone() for name, p in backbone.network.named_parameters()}
    with torch.no_grad():
        for parameter in backbone.network.parameters():
            parameter.add_(1.0)
    after_step(0.1)
    for name, parameter in backbone.network.named_parameters():
        goal = torch.zeros_like(parameter) if name.startswith("fc.") else start[name]
        moved = start[name] + 1 + 0.05 * (goal - start[name] - 1)
        assert torch.allclose(parameter, moved, atol=1e-6), name


def test_the_page_on_strategies_is_in_step_with_the_code():
    text = strategy_doc.PAGE.read_text(encoding="utf-8")
    assert strategy_doc.render(text) == text, (
        "run: PYTHONPATH=workflow/scripts python -m ftbench.tools.documents.strategy_doc"
    )
    assert all(f"| `{kind}` |" in text for kind in KINDS)


# --- norms, caches and layouts of libraries ----------------------------------------------------------------------------


def test_norms_of_every_kind_move_with_norm_bias():
    class RmsNorm(nn.Module):  # a library's own
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return x * self.weight

    network = nn.Sequential(nn.Linear(4, 4), nn.RMSNorm(4), RmsNorm(), nn.Linear(4, 3))
    names = set(strategies.load("norm_bias").trainable(Backbone(network, "3", 1, [0] * 3, [1] * 3)))
    assert names == {"0.bias", "1.weight", "2.weight", "3.weight", "3.bias"}


def test_a_cache_is_no_frozen_tensor():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
    network[0].register_buffer("positions", torch.zeros(3), persistent=False)
    network[0].register_buffer("statistics", torch.zeros(3))
    freezing.freeze(Backbone(network, "1", 1, [0] * 3, [1] * 3), ["1.weight", "1.bias"])
    assert set(freezing.frozen_tensors(network)) == {"0.weight", "0.bias", "0.statistics"}


def test_kernels_of_volumes_keep_their_layout_beside_those_of_images():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv3d(1, 2, 3))
    settings = {"channels_last": True, "crop_kernels": False, "precision": "float32"}
    backbones.prepare(Backbone(network, "0", 1, [0] * 3, [1] * 3), settings, torch.device("cpu"))
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert network[1].weight.is_contiguous()
