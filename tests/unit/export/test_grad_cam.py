"""Grad-CAM finds the place that the answer came from, in every layout that networks have, and leaves the answer alone."""

import numpy as np
import pytest
import small
import torch
from timm.models.swin_transformer import SwinTransformer
from torch import nn

from ftbench.base.errors import InputError
from ftbench.export import grad_cam
from ftbench.export.complete import Complete
from ftbench.export.serve import evidence
from ftbench.model import backbones, heads
from ftbench.model.backbones import Backbone

pytest.importorskip("captum")
STATISTICS = {"mean": [0.5] * 3, "std": [0.25] * 3}
NETWORKS = {
    "resnet8": ("ftbench", "resnet8", 16),
    "test_vit": ("timm", "test_vit", 32),
    "test_convnext": ("timm", "test_convnext", 64),
    "vgg11": ("torchvision", "vgg11", 64),
}


def network(name: str) -> Complete:
    if name == "swin":
        made = SwinTransformer(img_size=32, window_size=4, embed_dim=16, depths=(1, 1), num_heads=(1, 2), num_classes=5)
        backbone = Backbone(made.eval(), heads.find_heads(made, 5, "swin")[0], 32, *STATISTICS.values())
    else:
        source, model, size = NETWORKS[name]
        entry = {"source": source, "model": model, "activation": None, "image_size": size, "mean": None, "std": None}
        backbone = backbones.build(entry, 5, 0, None, STATISTICS)
    small.randomised(backbone.network, scale=0.05)
    return Complete(backbone, (20, 24)).eval()


@pytest.mark.parametrize("name", ["swin", *NETWORKS])
def test_every_layout_of_places_gives_a_map_and_keeps_its_answer(name):
    made = network(name)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
    with torch.no_grad():
        before = made(torch.from_numpy(pixels))[0]
    cam = grad_cam.GradCam(made)
    with torch.no_grad():
        assert torch.equal(cam.network(torch.from_numpy(pixels))[0], before)  # what was put in turns and turns back
    maps = cam.maps(pixels, np.array([0, 1, 2]))
    assert len(maps) == 3 and maps.shape[1] == maps.shape[2] > 1 and maps.min() >= 0 and maps.max() <= 1
    alone = cam.maps(pixels[1:2], np.array([1]))
    assert np.allclose(alone[0], maps[1], atol=1e-3)


class Blobs(nn.Module):
    """Class 0 is red, class 1 is blue: the mean of a channel over all places."""

    def __init__(self, places_first: bool):
        super().__init__()
        self.same, self.head, self.places_first = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, 2), places_first
        self.rest = nn.Identity()
        self.same.weight.data = torch.eye(3)[:, :, None, None]
        self.head.weight.data = torch.tensor([[1.0, 0.0, -1.0], [-1.0, 0.0, 1.0]])

    def forward(self, x):
        x = self.same(x)
        x = self.rest(x.permute(0, 2, 3, 1) if self.places_first else x)
        return self.head(x.mean((1, 2) if self.places_first else (2, 3)))


@pytest.mark.parametrize("places_first", [False, True])
def test_it_looks_where_the_evidence_is(places_first):
    backbone = Backbone(Blobs(places_first).eval(), "head", 16, [0.0] * 3, [1.0] * 3)
    cam = grad_cam.GradCam(Complete(backbone, (16, 16)).eval())
    pixels = np.zeros((2, 16, 16, 3), np.uint8)
    pixels[0, 2:6, 2:6, 0] = 200
    pixels[1, 9:14, 1:5, 2] = 200
    maps = cam.maps(pixels, np.array([0, 1]))
    for image, heat in zip(pixels, maps):
        assert np.array_equal(heat > 0.5, image.max(-1) > 0)


def test_a_network_without_a_map_is_told_in_a_sentence():
    made = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 4))
    backbone = Backbone(made.eval(), "1", 8, *STATISTICS.values())
    with pytest.raises(InputError, match="Sequential has no map that its answer depends on place by place"):
        grad_cam.GradCam(Complete(backbone, (8, 8)).eval())


def test_a_picture_keeps_what_was_not_looked_at():
    image = np.full((8, 8, 3), 100, np.uint8)
    heat = np.zeros((2, 2), np.float32)
    assert np.array_equal(evidence.overlaid(image, heat), image)
    assert evidence.overlaid(image, heat + 1)[0, 0, 0] > 200
    assert evidence.picture(image).startswith("data:image/png;base64,")
