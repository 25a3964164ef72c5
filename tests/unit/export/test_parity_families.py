"""parity.json over families of networks: trained for an epoch on photos, exported, and asked for every test image from its file.

The members are small ones, built by their libraries' own classes; Inception v3 has an eighth of its channels and runs with
FTBENCH_FAMILIES=all, since its graph takes longer to write than the others together.
"""

import os
from functools import partial

import pytest
from photos_study import Study
from timm.models.densenet import DenseNet
from timm.models.swin_transformer import SwinTransformer
from torch import nn
from torchvision.models import inception

from ftbench.base.files import read_json
from ftbench.export import finished, package
from ftbench.model.architectures import timm as our_timm

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
TIMMS_BUILD = our_timm.build
# family: source, model, image size, strategy
FAMILIES = {
    "densenet": ("timm", "small_densenet", 32, "scratch"),
    "inception": ("timm", "thin_inception", 75, "scratch"),
    "vit": ("timm", "test_vit", 32, "scratch"),
    "vit with lora": ("timm", "test_vit", 32, "lora"),
    "swin": ("timm", "small_swin", 32, "scratch"),
}
SLOW = ("inception", "vit")  # the ViT with LoRA runs always
CASES = [name for name in FAMILIES if name not in SLOW]
CASES += [
    pytest.param(name, marks=pytest.mark.families) for name in SLOW if os.environ.get("FTBENCH_FAMILIES") == "all"
]


class Thin(inception.BasicConv2d):
    def __init__(self, ins: int, outs: int, **options):
        super().__init__(ins if ins == 3 else ins // 8, outs // 8, **options)


def thin_inception(classes: int) -> nn.Module:
    parts = (
        inception.InceptionA,
        inception.InceptionB,
        inception.InceptionC,
        inception.InceptionD,
        inception.InceptionE,
    )
    blocks = [Thin, *(partial(part, conv_block=Thin) for part in parts), inception.InceptionAux]
    network = inception.Inception3(classes, aux_logits=False, init_weights=False, inception_blocks=blocks)
    network.fc = nn.Linear(2048 // 8, classes)
    return network


def small(model: str, classes: int, size: int):
    """The small members in the place of timm's published ones."""
    if model == "small_densenet":
        return DenseNet(growth_rate=4, block_config=(2, 2), num_classes=classes)
    if model == "thin_inception":
        return thin_inception(classes)
    if model == "small_swin":
        return SwinTransformer(
            img_size=size, window_size=4, embed_dim=16, depths=(1, 1), num_heads=(1, 2), num_classes=classes
        )
    return TIMMS_BUILD(model, classes, size)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(our_timm, "build", small)
        yield Study(tmp_path_factory.mktemp("study"))


@pytest.mark.parametrize("family", CASES)
def test_every_family_gives_the_studys_class_for_every_test_image(family, study, tmp_path):
    source, model, size, strategy = FAMILIES[family]
    network = {"source": source, "model": model, "image_size": size}
    run = study.train(strategy, backbone=model, network=network, epochs=1)
    package.export(finished.Finished(run), tmp_path / "model", "float32")
    proof = read_json(tmp_path / "model" / "parity.json")
    assert proof["same_top1"] == 1 and proof["images"] == proof["from_original_files"] == 30
    assert proof["largest_difference"] < 1e-4 and proof["compared_with"] == "the study's saved test logits"
