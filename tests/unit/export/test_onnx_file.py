"""What leaves a study computes what its network computes: the resize, every family, merged LoRA, a probe's head, neighbours.

Small members run always; those of docs/backbones.md with FTBENCH_FAMILIES=all.
"""

import os

import numpy as np
import pytest
import small
import torch
from torchvision.models import DenseNet

from ftbench.export import complete, int8, onnx_file
from ftbench.export.complete import Calibrated, Complete, Neighbours, Resize
from ftbench.model import architectures, backbones, heads
from ftbench.model.backbones import Backbone
from ftbench.tools.documents import backbone_doc
from ftbench.train import strategies
from ftbench.train.strategies import knn

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
ALL = os.environ.get("FTBENCH_FAMILIES") == "all"
STATISTICS = {"mean": [0.5, 0.4, 0.3], "std": [0.25, 0.2, 0.3]}
QUICK = [
    ("torchvision", "resnet18", 32, None),
    ("torchvision", "mobilenet_v3_small", 32, None),
    ("timm", "test_vit", 32, None),
    ("timm", "test_convnext", 32, None),
    ("ftbench", "resnet8", 8, "prelu"),
]
TORCHVISION = {"inception_v3": 96, "vit_b_32": 64, "maxvit_t": 224, "swin_t": 64, "densenet121": 32}
REST = [("ftbench", "resnet8", 8, "leaky_relu")]
REST += [("torchvision", model, TORCHVISION.get(model, 64), None) for model in backbone_doc.TORCHVISION]
REST += [("timm", "convnext_atto", 32, None)]
REST += [("timm", model, None, None) for model in backbone_doc.SMALLEST]
CASES = QUICK + [pytest.param(*case, marks=pytest.mark.families) for case in REST if ALL]


def images(size, count: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (count, *size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def assert_same(module: Complete, stored, path, temperature: float = 1.7) -> None:
    """The file gives torch's probabilities and features, for a batch and for an image alone."""
    network = Calibrated(module, temperature).eval()
    onnx_file.write_onnx(network, stored, path)
    batch = images(stored)
    with torch.no_grad():
        expected = [part.numpy() for part in network(batch)]
    opened = session(path)
    for part in (batch, batch[:1]):
        found = opened.run(["probabilities", "features"], {"images": part.numpy()})
        for one, other in zip(found, expected):
            assert one.dtype == np.float32 and one.shape[1:] == other.shape[1:]
            assert np.abs(one - other[: len(part)]).max(initial=0) < 1e-4 * max(1, np.abs(other).max(initial=0))
    assert {entry.version for entry in onnx.load(path).opset_import if entry.domain == ""} == {onnx_file.OPSET}


@pytest.mark.parametrize("stored, size", [((8, 8), 24), ((40, 40), 17), ((21, 33), 16), ((16, 9), 16)])
def test_the_resize_is_torchs_own(stored, size):
    backbone = Backbone(torch.nn.Identity(), "", size, [0.0] * 3, [1 / 255] * 3)
    pixels = images(stored)
    found = Resize(stored, size)(pixels.permute(0, 3, 1, 2).float())
    assert torch.allclose(found, backbone.to_input(pixels), atol=1e-3)  # of values up to 255


@pytest.mark.parametrize("source, model, size, activation", CASES)
def test_every_family_is_the_same_in_onnx(source, model, size, activation, tmp_path):
    size = size or architectures.load(source).native_size(model) or 224
    entry = {"source": source, "model": model, "activation": activation, "image_size": size, "mean": None, "std": None}
    backbone = backbones.build(entry, 5, 0, None, STATISTICS)
    small.randomised(backbone.network, scale=0.05)
    stored = (size + 4, size)
    assert_same(Complete(backbone, stored).eval(), stored, tmp_path / "model.onnx")


def test_a_densenet_of_few_layers(tmp_path):
    torch.manual_seed(0)
    network = DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, num_classes=5)
    small.randomised(network, scale=0.05)
    backbone = Backbone(network.eval(), heads.find_heads(network, 5, "densenet")[0], 32, *STATISTICS.values())
    assert_same(Complete(backbone, (32, 32)).eval(), (32, 32), tmp_path / "model.onnx")


class TwoHeads(torch.nn.Module):
    """Two branches with a head each, whose outputs are averaged, as CrossViT has them."""

    pretrained_cfg = {"classifier": ("head.0", "head.1")}

    def __init__(self):
        super().__init__()
        self.branches = torch.nn.ModuleList(torch.nn.Conv2d(3, width, 4, 4) for width in (6, 9))
        self.head = torch.nn.ModuleList(torch.nn.Linear(width, 5) for width in (6, 9))

    def forward(self, x):
        vectors = [torch.tanh(branch(x)).mean((2, 3)) for branch in self.branches]
        return sum(head(vector) for head, vector in zip(self.head, vectors)) / 2


def test_a_network_of_two_heads_has_the_features_of_both(tmp_path):
    torch.manual_seed(0)
    network = TwoHeads().eval()
    names = heads.find_heads(network, 5, "two")
    backbone = Backbone(network, names[0], 16, *STATISTICS.values(), tuple(names[1:]))
    module = Complete(backbone, (16, 16)).eval()
    with torch.no_grad():
        expected = backbone.features_and_logits(images((16, 16)))
        found = module(images((16, 16)))
    assert found[1].shape == (3, 15)
    assert torch.allclose(found[1], expected[0], atol=1e-5) and torch.allclose(found[0], expected[1], atol=1e-5)
    assert_same(module, (16, 16), tmp_path / "model.onnx")


def test_lora_is_merged_and_leaves_the_plain_network():
    """Its file of ONNX, and that of neighbours, are written in test_export.py."""
    backbone = small.backbone(0)
    plain = set(backbone.network.state_dict())
    strategy = strategies.load("lora")
    strategy.adapt(backbone, {"rank": 2})
    small.randomised(backbone.network, scale=0.05)
    module = Complete(backbone, (8, 8)).eval()
    with torch.no_grad():
        before = module(images((8, 8)))[0]
        strategy.merge(backbone)
        assert torch.allclose(before, module(images((8, 8)))[0], atol=1e-5)
    assert set(complete.state(module)) == plain


def test_neighbours_are_layers():
    backbone = small.backbone(0)
    rng = np.random.default_rng(0)
    width = backbone.head_module.in_features
    fitted = knn.fit(np.abs(rng.normal(size=(40, width))).astype(np.float32), rng.integers(0, 3, 40), 3, 5)
    module = Complete(backbone, (8, 8), Neighbours(fitted)).eval()
    with torch.no_grad():
        logits, features = module(images((8, 8)))
    assert np.allclose(logits.numpy(), knn.logits(features.numpy(), fitted), atol=1e-4)
    assert {"neighbours.bank", "neighbours.one_hot"} <= set(complete.state(module))


def test_bfloat16_is_stored_and_int8_computes(tmp_path):
    backbone = small.backbone(0)
    small.randomised(backbone.network, scale=0.05)
    stored = (12, 12)
    module = Calibrated(Complete(backbone, stored), 1.0).eval()
    path = tmp_path / "model.onnx"
    onnx_file.write_onnx(module, stored, path)
    expected = session(path).run(None, {"images": images(stored, 16).numpy()})[0]
    onnx_file.store_as_bfloat16(path, tmp_path / "half.onnx")
    int8.quantize(path, tmp_path / "int8.onnx", images(stored, 64).numpy())
    for name, allowed in (("half", 0.02), ("int8", 0.2)):
        changed = tmp_path / f"{name}.onnx"
        found = session(changed).run(None, {"images": images(stored, 16).numpy()})[0]
        assert 0 < np.abs(found - expected).max() < allowed, name
        assert changed.stat().st_size < 0.9 * path.stat().st_size, name
    graph = onnx.load(tmp_path / "int8.onnx").graph
    assert "QuantizeLinear" in {node.op_type for node in graph.node}
    own = [tensor for tensor in graph.initializer if "resize_" in tensor.name]  # no part of the network: as they were
    assert len(own) == 2 and {tensor.data_type for tensor in own} == {onnx.TensorProto.FLOAT}
    assert not (tmp_path / "prepared.onnx").exists()
