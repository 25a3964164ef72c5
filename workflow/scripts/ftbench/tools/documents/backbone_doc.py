"""Write docs/backbones.md's table by trying every family: `python -m ftbench.tools.documents.backbone_doc`, about fifteen minutes on two cores.

One member of each family, the smallest, is built with random weights at its own size and at others, and takes a tiny step with every
strategy. A test tries some rows again and holds them to the page.
"""

import copy
import functools
import sys
from pathlib import Path

import torch
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model import architectures, backbones, heads, sizes
from ftbench.model.backbones import Backbone
from ftbench.model.stages import stages
from ftbench.study import config, kinds
from ftbench.tools.documents.marked import rewritten
from ftbench.tools.try_networks import try_strategy

PAGE = Path(__file__).parents[5] / "docs" / "backbones.md"
BEGIN, END = "<!-- table: written by ftbench.tools.documents.backbone_doc -->", "<!-- end of table -->"
CLASSES = 7
LARGEST = 60_000_000  # parameters: a larger network is tried at its own size alone
OTHER_SIZES = (64, 96, 128, 192, 256)
TORCHVISION = (
    *(
        "alexnet",
        "convnext_tiny",
        "densenet121",
        "efficientnet_b0",
        "googlenet",
        "inception_v3",
        "maxvit_t",
        "mnasnet0_5",
    ),
    *(
        "mobilenet_v2",
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "resnet18",
        "shufflenet_v2_x0_5",
        "squeezenet1_1",
        "swin_t",
    ),
    *("swin_v2_t", "vgg11", "vit_b_32"),
)
# The smallest member of each of timm's families.
SMALLEST = [
    "beit_base_patch16_224",
    "halonet_h1",
    "mobileone_s0",
    "cait_xxs24_224",
    "coat_tiny",
    "convit_tiny",
    "convmixer_768_32",
    "convnext_atto",
    "cpubone_nano",
    "crossvit_tiny_240",
    "csatv2",
    "cs3darknet_focus_s",
    "cspnext_tiny",
    "davit_tiny",
    "deepseek_vit_412m",
    "deit_tiny_patch16_224",
    "densenet121",
    "dla46x_c",
    "dpn48b",
    "edgenext_xx_small",
    "efficientformer_l1",
    "efficientformerv2_s0",
    "efficientnet_b0",
    "efficientvim_m1",
    "efficientvit_b0",
    "efficientvit_m0",
    "eva02_tiny_patch14_224",
    "fasternet_t0",
    "fastvit_t8",
    "focalnet_tiny_srf",
    "gcvit_xxtiny",
    "gemma4_vit_167m",
    "ghostnet_050",
    "hardcorenas_b",
    "hgnetv2_b0",
    "hiera_tiny_224",
    "sam2_hiera_tiny",
    "hrnet_w18_small",
    "iformer_t",
    "inception_next_atto",
    "inception_resnet_v2",
    "inception_v3",
    "inception_v4",
    "lcnetv2_small",
    "levit_128s",
    "lowformer_b0",
    "test_mambaout",
    "maxvit_pico_rw_256",
    "poolformerv2_s12",
    "gmlp_ti16_224",
    "lcnet_035",
    "mobilenetv5_base",
    "mobilevit_xxs",
    "mvitv2_tiny",
    "naflexvit_base_patch16_parfac_gap",
    "nasnetalarge",
    "nest_tiny",
    "nextvit_small",
    "test_nfnet",
    "pit_ti_224",
    "pnasnet5large",
    "pvt_v2_b0",
    "qwen3_vit_88m",
    "rdnet_tiny",
    "regnetx_002",
    "repghostnet_050",
    "repvit_m1",
    "res2next50",
    "resnest14d",
    "resnet10t",
    "resnetv2_18",
    "rexnet_100",
    "selecsls42",
    "legacy_seresnet18",
    "sequencer2d_s",
    "shvit_s1",
    "skresnet18",
    "starnet_s050",
    "swiftformer_xs",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "swinv2_cr_tiny_224",
    "tiny_vit_5m_224",
    "tnt_s_legacy_patch16_224",
    "tresnet_m",
    "twins_svt_small",
    "vgg11",
    "visformer_tiny",
    "test_vit",
    "vit_tiny_r_s16_p8_224",
    "test_vit_relpos",
    "samvit_base_patch16_224",
    "vitamin_small_224",
    "volo_d1_224",
    "ese_vovnet19b_slim_dw",
    "legacy_xception",
    "xception41p",
    "xcit_nano_12_p8_224",
]
# Families whose last stage holds nearly everything, and why: fully connected layers behind it, or a last stage of that width.
HEAVY = {"alexnet": 0.995, "vgg11": 0.97, "hrnet_w18_small": 0.96}


def on_meta(source: str, model: str) -> Backbone:
    """A network without numbers, at its own size."""
    network, size = _network(source, model)
    made = copy.deepcopy(network)
    found = heads.find_heads(made, CLASSES, model)
    return Backbone(made, found[0], size, [0.5] * 3, [0.5] * 3, tuple(found[1:]))


@functools.cache
def _network(source: str, model: str) -> tuple[nn.Module, int]:
    library = architectures.load(source)
    size = library.native_size(model)
    try:
        with torch.device("meta"):
            network = library.build(model, CLASSES, size)
    except InputError:  # a few compute while they are built
        network = library.build(model, CLASSES, size).to("meta")
    heads.give_biases(network, heads.find_heads(network, CLASSES, model))
    return network, size


def adapts_to(source: str, model: str, size: int) -> bool:
    """Whether weights of the library's own size can be used at this one."""
    library = architectures.load(source)
    state = dict(library.build(model, CLASSES, library.native_size(model)).state_dict())
    entry = {"source": source, "model": model, "image_size": size, "activation": None}
    try:
        sizes.check_size(backbones.load(entry, CLASSES, state, model, {}), entry)
    except InputError:
        return False
    return True


def refused_strategies(backbone: Backbone) -> list[str]:
    """Kinds of strategies that cannot take a step on this network."""
    defaults = config.schema()["properties"]["training"]["properties"]
    recipe = {key: part["default"] for key, part in defaults.items()}
    refused = []
    for kind in kinds.names("strategies"):
        declares = kinds.declared(kind)
        try:
            try_strategy(backbone, {"kind": kind, "recipe": recipe | declares["recipe"] | declares.get("options", {})})
        except InputError:
            refused.append(kind)
    return refused


def pooling(network: nn.Module) -> str:
    """How features are made of the last maps or tokens, as the library calls it."""
    for holder in (network, getattr(network, "head", None)):
        kind = getattr(holder, "global_pool", None)
        if isinstance(kind, str) and kind:
            return kind
        if isinstance(getattr(kind, "pool_type", None), str):
            return kind.pool_type or "none"
    return "token" if hasattr(network, "class_token") else "avg"


def row(source: str, model: str) -> str:
    backbone = on_meta(source, model)
    groups = stages(backbone.network, backbone.heads)
    parameters = {name: p.numel() for name, p in backbone.network.named_parameters()}
    share = sum(parameters[name] for name in groups[-1]) / sum(parameters.values())
    large = sum(parameters.values()) > LARGEST
    others = [] if large else [size for size in OTHER_SIZES if size != backbone.image_size]
    works = [str(size) for size in others if adapts_to(source, model, size)]
    refused = refused_strategies(backbone)
    cells = [
        f"`{model}`",
        source,
        f"{sum(parameters.values()) / 1e6:.1f} M",
        str(backbone.image_size),
        "not tried" if large else ", ".join(works) or "none",
        pooling(backbone.network),
        str(len(backbone.heads)),
        f"{len(groups)}, {share:.0%}",
        ", ".join(f"`{kind}`" for kind in refused) or "none",
    ]
    return " | ".join(cells).join(("| ", " |"))


def table() -> str:
    headings = ["model", "source", "parameters", "own size", "its weights also at", "pooling", "heads",
                "stages, share of the last", "strategies that do not fit"]  # fmt: skip
    lines = [" | ".join(cells).join(("| ", " |")) for cells in (headings, ["---"] * len(headings))]
    for source, models in (("torchvision", TORCHVISION), ("timm", SMALLEST)):
        for model in models:
            lines.append(row(source, model))
            print(lines[-1], file=sys.stderr)
            _network.cache_clear()
    sized = ", ".join(map(str, OTHER_SIZES))
    return "\n".join(
        [
            *lines,
            "",
            f"Sizes tried: its own, {sized}; of networks with more than {LARGEST / 1e6:.0f} million parameters, its own.",
        ]
    )


def render(text: str) -> str:
    """`text` with what stands between the two markers replaced."""
    return rewritten(text, BEGIN, END, table())


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
