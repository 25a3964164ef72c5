"""Weights as a library publishes them give the features of the library's own loading, at its own size and at another.

The small members of the families run always; all families with FTBENCH_FAMILIES=all (ten to fifteen minutes on two cores; the
largest networks need 8 GB).
"""

import os
from fnmatch import fnmatchcase

import families
import pytest
import small
import timm
import torch
import torchvision.models

from ftbench.base.errors import InputError
from ftbench.model import architectures, freezing
from ftbench.model.parameters import decaying, norm_parameters
from ftbench.model.sizes import check_size
from ftbench.model.stages import stages
from ftbench.tools.documents import backbone_doc
from ftbench.train import strategies

ALL = os.environ.get("FTBENCH_FAMILIES") == "all"
QUICK = {  # model: another size, None where the library cannot adapt its weights
    ("torchvision", "resnet18"): 64,
    ("torchvision", "densenet121"): 64,
    ("torchvision", "googlenet"): 96,
    ("torchvision", "mnasnet0_5"): 64,
    ("torchvision", "squeezenet1_1"): 64,
    ("torchvision", "shufflenet_v2_x0_5"): 64,
    ("torchvision", "mobilenet_v3_small"): 64,
    ("timm", "test_vit"): 64,
    ("timm", "convnext_atto"): 64,
    ("timm", "dla46x_c"): 64,
    ("timm", "resnetv2_18"): 64,
    ("timm", "efficientformerv2_s0"): None,
    ("timm", "efficientvim_m1"): 96,
    ("timm", "swiftformer_xs"): 96,
    ("timm", "crossvit_tiny_240"): None,
    ("timm", "levit_128s"): None,
    ("timm", "deit_tiny_distilled_patch16_224"): 96,
    ("timm", "convit_tiny"): None,
    ("timm", "pit_ti_224"): None,
    ("timm", "maxvit_pico_rw_256"): 128,
}
TORCHVISION = (
    *("alexnet", "convnext_tiny", "efficientnet_b0", "inception_v3", "maxvit_t", "mnasnet1_0", "mobilenet_v2"),
    *("regnet_y_400mf", "swin_t", "swin_v2_t", "vgg11", "vit_b_32", "wide_resnet50_2", "resnext50_32x4d"),
)
REST = [("torchvision", model) for model in TORCHVISION] + [
    ("timm", model) for model in backbone_doc.SMALLEST if ("timm", model) not in QUICK
]
CASES = list(QUICK) + [pytest.param(*case, marks=pytest.mark.families) for case in REST if ALL]
SIZES = {("torchvision", "maxvit_t"): 224}  # its one size


def images(size: int) -> torch.Tensor:
    return torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def tags_of(source: str, model: str) -> list[str]:
    return architectures.load(source).tags(model)


def state_of(source: str, model: str):
    if source == "torchvision":
        return families.torchvision_file(model)
    tags = tags_of(source, model)
    return families.timm_file(f"{model}.{tags[0]}" if tags else model)


def product(source, model, state, size):
    """Through the library's own tag where it has one, else as a file of the same names."""
    tags = tags_of(source, model)
    if tags:
        return families.of_the_product(source, model, tags[0], state, 7, size)
    return families.from_a_file(source, model, state, 7, size)


@pytest.mark.parametrize("source, model", CASES)
def test_published_weights_give_the_librarys_features_and_any_linear_head_is_the_networks(source, model):
    state, native = state_of(source, model), architectures.load(source).native_size(model)
    sizes = [native, SIZES.get((source, model)) or QUICK.get((source, model), native // 2 // 32 * 32)]
    for size in dict.fromkeys(size for size in sizes if size):
        try:
            ours = product(source, model, state, size)
            check_size(ours.network, {"source": source, "model": model, "image_size": size})
        except InputError as refused:
            assert size != native and str(size) in str(refused), refused
            if "into patches" not in str(refused):  # the library drops what is left over
                with pytest.raises(Exception):  # noqa: B017  the library cannot either
                    other = families.of_the_library(source, model, state, 7, size, families.STATISTICS)
                    other.features_and_logits(images(size))
            continue
        theirs = families.of_the_library(source, model, state, 7, size, {"mean": ours.mean, "std": ours.std})
        with torch.no_grad():
            features, _ = ours.features_and_logits(images(size))
            if model.startswith("squeezenet"):  # whose head is another here
                expected = theirs.network.features(theirs.to_input(images(size))).mean((2, 3))
            else:
                expected, _ = theirs.features_and_logits(images(size))
            assert torch.allclose(features, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
            assert float(expected.std(0).mean()) > 0  # two images, two vectors
            weight, bias = torch.randn(7, features.shape[1]), torch.randn(7)
            ours.take_head({f"{ours.head}.weight": weight, f"{ours.head}.bias": bias})
            _, logits = ours.features_and_logits(images(size))
            goal = features @ weight.T + bias
            assert torch.allclose(logits, goal, rtol=1e-3, atol=1e-4 * float(goal.abs().max()))


@pytest.mark.parametrize(
    "model", [model for source, model in QUICK if source == "timm" and QUICK[source, model] is None]
)
def test_a_size_that_the_library_cannot_adapt_to_is_one_sentence(model):
    state = state_of("timm", model)
    with pytest.raises(InputError) as caught:
        product("timm", model, state, 96)
    assert "\n" not in str(caught.value) and "96" in str(caught.value)


@pytest.mark.parametrize("source, model", CASES)
def test_the_last_stage_is_a_part_and_every_strategy_moves_what_its_page_says(source, model):
    backbone = backbone_doc.on_meta(source, model)
    parameters = dict(backbone.network.named_parameters())
    head, everything = set(backbone.head_parameters()), set(parameters)
    groups = stages(backbone.network, backbone.heads)
    assert sorted(name for group in groups for name in group) == sorted(everything - head)  # each once
    total = sum(p.numel() for p in parameters.values())
    share = sum(parameters[name].numel() for name in groups[-1]) / total
    assert 0.01 < share < backbone_doc.HEAVY.get(model, 0.95), share
    for kind in small.KINDS:
        own = backbone_doc.on_meta(source, model)
        strategy = strategies.load(kind)
        strategy.adapt(own, {"rank": 2, "layer_decay": 0.75, "pull": 0.01})
        names = set(strategy.trainable(own))
        freezing.freeze(own, list(names))
        match kind:
            case "knn":
                assert not names
            case "linear_probe":
                assert names == head
            case "last_block":
                assert names == head | set(groups[-1])
            case "norm_bias":
                biases = {name for name in everything if name.split(".")[-1].endswith("bias")}
                assert names == head | biases | norm_parameters(own.network)
            case "lora":
                assert head < names and all(n in head or n.endswith((".0.down", ".0.up")) for n in names)
            case _:
                assert names == everything, f"{kind} does not move all: a case above says what it moves"
        if kind == "layerwise_decay":
            assert set(strategy.scales(own, {"layer_decay": 0.5})) == everything - head


@pytest.mark.parametrize("source, model", CASES)
def test_weight_decay_is_for_kernels_and_matrices(source, model):
    network = backbone_doc.on_meta(source, model).network
    decays = decaying(network)
    # The library's own exceptions: position biases that Swin v2, Twins and XCiT compute by layers.
    spared = list(network.no_weight_decay()) if hasattr(network, "no_weight_decay") else []
    for name, module in network.named_modules():
        if any(fnmatchcase(f"{name}.weight", pattern) for pattern in spared):
            continue
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d) and sum(side > 1 for side in module.weight.shape) > 1:
            assert f"{name}.weight" in decays, name
    odd = ("bias", "gamma", "layer_scale", "logit_scale", "pos_embed", "cls_token", "bias_table", "temperature")
    assert not [name for name in decays if name.split(".")[-1].endswith(odd)]
    assert not decays & norm_parameters(network)


def test_every_architecture_of_torchvision_is_of_a_family_that_is_tried():
    tried = {model for source, model in (*QUICK, *REST) if source == "torchvision"}
    modules = {torchvision.models.get_model_builder(model).__module__ for model in tried}
    names = architectures.load("torchvision").names()
    assert {torchvision.models.get_model_builder(model).__module__ for model in names} == modules


def test_every_family_of_timm_is_tried():
    tried = {timm.models.model_entrypoint(model).__module__ for model in backbone_doc.SMALLEST}
    assert tried >= {timm.models.model_entrypoint(timm.list_models(module=module)[0]).__module__
                     for module in timm.list_modules() if timm.list_models(module=module)}  # fmt: skip


def test_the_page_on_backbones_has_every_family_and_is_in_step_with_the_code():
    text = backbone_doc.PAGE.read_text(encoding="utf-8")
    assert all(f"| `{model}` | timm |" in text for model in backbone_doc.SMALLEST)
    assert all(f"| `{model}` | torchvision |" in text for model in backbone_doc.TORCHVISION)
    advice = "run: PYTHONPATH=workflow/scripts python -m ftbench.tools.documents.backbone_doc"
    for source, model in (("timm", "test_vit"), ("torchvision", "squeezenet1_1")):
        assert backbone_doc.row(source, model) in text, advice
