"""Small residual networks for small images: He et al. 2016, section 4.2 (arXiv:1512.03385), depth 6n + 2.

Three stages of n basic blocks at 16, 32 and 64 channels, a 3×3 stem without pooling, and global average pooling, so
that any image from 8 pixels up will do. ResNet-8 has 78,042 parameters for ten classes, ResNet-20 has 272,474.
The shortcut of a widening block is the paper's option B (a 1×1 convolution).
"""

import torch
from torch import nn

from ftbench.base.errors import InputError
from ftbench.model import architectures

DECLARES = {"publishes": False}
WIDTHS = (16, 32, 64)
DEPTHS = {f"resnet{6 * n + 2}": n for n in (1, 2, 3, 5, 7, 9)}


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class SmallResNet(nn.Module):
    def __init__(self, blocks: int, classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        inputs = WIDTHS[0]
        for stage, width in enumerate(WIDTHS, start=1):
            strides = [1 if stage == 1 else 2] + [1] * (blocks - 1)
            layers = []
            for stride in strides:
                layers.append(Block(inputs, width, stride))
                inputs = width
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(WIDTHS[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.pool(x).flatten(1))


def names() -> list[str]:
    return list(DEPTHS)


def build(model: str, classes: int, image_size: int) -> SmallResNet:
    architectures.check_model("ftbench", model, names())
    return SmallResNet(DEPTHS[model], classes)


def tags(model: str) -> list[str]:
    return []


def published(model: str, tag: str) -> dict:
    raise InputError(f"config: the weights {tag!r} of {model!r} do not exist: the source ftbench publishes none.")


def convert(model: str, state: dict) -> tuple[dict, dict]:
    return state, {}


def load(model: str, state: dict, classes: int, image_size: int, fit) -> SmallResNet:
    network = build(model, classes, image_size)
    network.load_state_dict(fit(state, network), strict=False)
    return network


def native_size(model: str) -> int | None:
    return None
