"""The stages of a network, in the order that an image passes them: stem first, the part before the head last.

`last_block` trains the last one. Libraries name them by pattern: `layer4.`, `stages.3.`, `blocks.11.`,
`encoder_layer_11.`, `features.7.`. The first pattern that numbers at least two groups of parameters counts. Parameters
before the first numbered group are the stem; others between two groups (a downsampling layer) belong to the next one,
and those after the last (a final norm or convolution) to the last.
"""

import re

from torch import nn

from ftbench.base.errors import InputError

PATTERNS = (
    r"(?:^|\.)layer(\d+)\.",  # ResNet, ResNeXt, Wide ResNet; the small ResNets here
    r"(?:^|\.)encoder_layer_(\d+)\.",  # torchvision ViT
    r"^features\.denseblock(\d+)\.",  # DenseNet
    r"^trunk_output\.block(\d+)\.",  # torchvision RegNet
    r"^stages\.(\d+)\.",  # timm ConvNeXt, RegNet and others
    r"^blocks\.(\d+)\.",  # timm ViT, EfficientNet, MobileNet
    r"^layers\.(\d+)\.(?:blocks|downsample)\.",  # timm Swin
    r"^stage(\d+)\.",  # ShuffleNet
    r"^s(\d+)\.",  # timm RegNet
    r"^features\.(\d+)\.(?:conv|block)\.",  # torchvision MobileNet V2, V3
    r"^features\.(\d+)\.\d+\.(?:block\.|layer_scale$)",  # torchvision EfficientNet, ConvNeXt
    r"^features\.([1357])\.\d+\.(?:norm|attn|mlp)",  # torchvision Swin
)


def stages(network: nn.Module, head: str) -> list[list[str]]:
    """Names of all parameters but the head's, grouped by stage. Raises InputError where no pattern fits.

    `head` is the dotted name of the head module.
    """
    names = [name for name, _ in network.named_parameters() if not name.startswith(f"{head}.")]
    for numbers in (*(_numbers(names, pattern) for pattern in PATTERNS), _vgg_numbers(network, names)):
        if len({number for number in numbers if number is not None}) >= 2:
            return _group(names, numbers)
    raise InputError(
        f"config: the stages of {type(network).__name__} are not known, so strategies that train the last one cannot use it; "
        "exclude it there, or add its pattern to ftbench/model/stages.py."
    )


def _numbers(names: list[str], pattern: str) -> list[str | None]:
    matches = [re.search(pattern, name) for name in names]
    return [match.group(1) if match else None for match in matches]


def _vgg_numbers(network: nn.Module, names: list[str]) -> list[str | None]:
    """VGG names its layers 0, 1, 2, ...: a stage ends at a max pooling."""
    features = getattr(network, "features", None)
    if not isinstance(features, nn.Sequential):
        return [None] * len(names)
    stage_of, stage = {}, 0
    for index, module in features.named_children():
        stage_of[index] = str(stage)
        stage += isinstance(module, nn.MaxPool2d)
    return [stage_of.get(name.split(".")[1]) if name.startswith("features.") else None for name in names]


def _group(names: list[str], numbers: list[str | None]) -> list[list[str]]:
    groups: list[list[str]] = []
    waiting: list[str] = []  # the stem, or what stands between two numbered groups
    current = None
    for name, number in zip(names, numbers):
        if number is None:
            waiting.append(name)
        elif number == current:
            groups[-1] += [*waiting, name]
            waiting = []
        else:
            if not groups and waiting:
                groups.append(waiting)
                waiting = []
            groups.append([*waiting, name])
            waiting, current = [], number
    groups[-1] += waiting
    return groups
