"""The stages of a network, in the order that an image passes them: stem first, the part before the head last.

`last_block` trains the last one. timm says itself which parameters belong together (`group_matcher`). Other libraries
number their blocks by `PATTERNS`, or list layers one by one and end a stage by a pooling (VGG); in any other network the stages are the
children of the module that holds nearly everything. Parameters before the first stage are the stem; others between two stages (a
downsampling layer) belong to the next one, and those after the last (a final norm or convolution) to the last.
"""

import re

from torch import nn

from ftbench.base.errors import InputError

# The first pattern that numbers at least two groups of parameters counts.
PATTERNS = (
    r"(?:^|\.)layer(\d+)\.",  # ResNet, ResNeXt, Wide ResNet; the small ResNets here
    r"(?:^|\.)encoder_layer_(\d+)\.",  # torchvision ViT
    r"^features\.denseblock(\d+)\.",  # DenseNet
    r"^trunk_output\.block(\d+)\.",  # torchvision RegNet
    r"^stages\.(\d+)\.",  # a usual name of stages
    r"^blocks\.(\d+)\.",  # a usual name of blocks; torchvision MaxViT
    r"^stage(\d+)\.",  # ShuffleNet
    r"^inception(\d)[a-z]\.",  # GoogLeNet
    r"^Mixed_(\d)[a-z]\.",  # Inception v3
    r"^layers\.(\d+)\.\d+\.layers\.",  # MNASNet
    r"^features\.(\d+)\.(?:conv|block)\.",  # torchvision MobileNet V2, V3
    r"^features\.(\d+)\.\d+\.(?:block\.|layer_scale$)",  # torchvision EfficientNet, ConvNeXt
    r"^features\.([1357])\.\d+\.(?:norm|attn|mlp)",  # torchvision Swin
)
NEARLY_ALL = 0.9  # of the parameters: the module that holds as many is looked into
TINY = 0.01  # of the parameters: a group as small (a final norm, a token) is no stage of its own


def stages(network: nn.Module, head: str | list[str]) -> list[list[str]]:
    """Names of all parameters but the head's, grouped by stage. Raises InputError where there are not two groups.

    `head` is the dotted name of the head module, or a list of several.
    """
    heads = tuple(f"{name}." for name in ([head] if isinstance(head, str) else head))
    sizes = {name: p.numel() for name, p in network.named_parameters() if not name.startswith(heads)}
    names = list(sizes)
    if hasattr(network, "group_matcher"):
        return _of_library(network, names, sizes)
    for numbers in (*(_numbers(names, pattern) for pattern in PATTERNS), _numbers_by_pooling(network, names)):
        if len({number for number in numbers if number is not None}) >= 2:
            return _group(names, numbers)
    return _large_enough(_children(names, sizes), sizes, network)


def _of_library(network: nn.Module, names: list[str], sizes: dict[str, int]) -> list[list[str]]:
    """timm's coarse groups; its fine ones where it has no coarse ones, or where the last of them is nearly the whole network."""
    try:
        coarse = _large_enough(library_groups(network, names, coarse=True), sizes, network)
    except AssertionError:  # "coarse grouping is not implemented"
        return _large_enough(library_groups(network, names, coarse=False), sizes, network)
    if sum(sizes[name] for name in coarse[-1]) <= NEARLY_ALL * sum(sizes.values()):
        return coarse
    fine = _large_enough(library_groups(network, names, coarse=False), sizes, network)
    return fine if len(fine[-1]) < len(coarse[-1]) else coarse


def library_groups(network: nn.Module, names: list[str], coarse: bool) -> list[list[str]]:
    """`names` as timm groups them, from the images to the logits; what it does not name (a final norm) goes with the last."""
    from timm.models import group_parameters  # seconds to import, and there already where the network is timm's

    matcher = network.group_matcher(coarse=coarse)
    patterns = list(_patterns(matcher)) if isinstance(matcher, dict) else []
    known = set(names)
    grouped = group_parameters(network, matcher)
    groups, rest = [], []
    for _, members in sorted(grouped.items()):
        own = [name for name in members if name in known]
        unnamed = [name for name in own if patterns and not any(re.match(pattern, name) for pattern in patterns)]
        rest += unnamed
        if len(own) > len(unnamed):
            groups.append([name for name in own if name not in set(unnamed)])
    if groups:
        groups[-1] += rest
    return groups or [rest]


def _patterns(matcher: dict):
    for given in matcher.values():
        if isinstance(given, str):
            yield given
        elif given:
            yield from (pattern for pattern, *_ in given)


def _large_enough(groups: list[list[str]], sizes: dict[str, int], network: nn.Module) -> list[list[str]]:
    """Groups of which the last is a stage: what is tiny behind it goes with it."""
    groups, everything = [list(group) for group in groups if group], sum(sizes.values())
    while len(groups) > 2 and sum(sizes[name] for name in groups[-1]) < TINY * everything:
        groups[-2] += groups.pop()
    if len(groups) < 2:
        raise InputError(
            f"config: the stages of {type(network).__name__} are not known, so strategies that train the last one cannot use it; "
            "exclude it there, or add its pattern to ftbench/model/stages.py."
        )
    return groups


def _children(names: list[str], sizes: dict[str, int]) -> list[list[str]]:
    """The children of the smallest module that holds nearly all parameters, each with the tiny ones before it."""
    everything, prefix = sum(sizes.values()), ""
    while True:
        parts: dict[str, list[str]] = {}
        for name in names:
            rest = name.removeprefix(prefix) if name.startswith(prefix) else ""
            parts.setdefault(rest.partition(".")[0] if "." in rest else "", []).append(name)
        shares = {child: sum(sizes[name] for name in members) / everything for child, members in parts.items() if child}
        largest = max(shares, key=shares.get, default="")
        if not largest or shares[largest] < NEARLY_ALL:
            break
        prefix += f"{largest}."
    stage_of = {name: child for child, members in parts.items() if shares.get(child, 0) >= TINY for name in members}
    return _group(names, [stage_of.get(name) for name in names]) if stage_of else [names]


def _numbers(names: list[str], pattern: str) -> list[str | None]:
    matches = [re.search(pattern, name) for name in names]
    return [match.group(1) if match else None for match in matches]


def _numbers_by_pooling(network: nn.Module, names: list[str]) -> list[str | None]:
    """VGG, AlexNet and SqueezeNet number their layers 0, 1, 2, ...: a stage ends at a max pooling."""
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
