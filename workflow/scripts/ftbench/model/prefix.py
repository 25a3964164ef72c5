"""A network in two halves: what comes before the first parameter that moves, and the rest. The first gives the same output in every epoch.

The cut follows from what moves, not from names: the network's own forward pass is recorded (torch.fx), and every operation that neither
has a moving parameter nor reads the result of one that has belongs to the prefix. Modules of which all or none moves are recorded as one
operation, so that what they do inside does not matter. A frozen module is in eval mode while the others train
(`ftbench.model.freezing.train_mode`), batch norms and dropout included, so the prefix's output depends on the image alone.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import fx, nn

from ftbench.base.errors import InputError
from ftbench.model import freezing

DROPS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)


class Halves(NamedTuple):
    """`prefix` maps network inputs (B, 3, S, S) to what crosses the cut, `suffix` maps that to logits (B, C) while the network trains,
    and `answers` does so in eval mode. `place` names the operation at the cut.

    All have the network's own modules: what moves in one moves in the others.
    """

    prefix: nn.Module
    suffix: nn.Module
    answers: nn.Module
    place: str


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        moves = {parameter.requires_grad for parameter in module.parameters()}
        return len(moves) < 2


def cut(network: nn.Module, model: str) -> Halves:
    """The halves of a network whose frozen parameters are marked; it is left in train mode. Raises InputError where it cannot be cut at
    one tensor, or where what is frozen is not the same for an image every time.
    """
    network.eval()
    graph, place = _cut(network, model)
    answers = _suffix(network, graph, place)
    freezing.train_mode(network)
    graph, training = _cut(network, model)
    if training.name != place.name:
        raise _refused(model, f"it ends at {training.name} in training and at {place.name} in validation")
    return Halves(_prefix(network, graph, training, model), _suffix(network, graph, training), answers, place.name)


def _cut(network: nn.Module, model: str) -> tuple[fx.Graph, fx.Node]:
    """The forward pass in the mode that the network is in, and the last operation of its frozen part."""
    try:
        graph = _Tracer().trace(network)
    except Exception as error:  # torch.fx raises what the forward pass does with a stand-in of a tensor
        raise _refused(model, f"its forward pass cannot be recorded ({type(error).__name__})") from error
    images = next(node for node in graph.nodes if node.op == "placeholder")
    behind = _behind(network, graph)
    seen = _after(graph, {images})
    crossing = {one for node in behind for one in node.all_input_nodes if one in seen and one not in behind}
    if images in crossing or not crossing:
        raise _refused(model, "all of it moves from its first layer on")
    if len(crossing) > 1:
        raise _refused(model, f"{len(crossing)} tensors pass from what is frozen to what moves, not one")
    return graph, crossing.pop()


def _refused(model: str, why: str) -> InputError:
    return InputError(
        f"config: cached_views cannot be used with {model}, since {why}; set it to null, or leave this cell out by exclude."
    )


def _behind(network: nn.Module, graph: fx.Graph) -> set[fx.Node]:
    """The operations that have a moving parameter, or read the result of one that has."""
    return _after(graph, {node for node in graph.nodes if _moves(network, node)})


def _after(graph: fx.Graph, first: set[fx.Node]) -> set[fx.Node]:
    """These operations, and all that read their results."""
    found = set(first)
    for node in graph.nodes:
        if found & set(node.all_input_nodes):
            found.add(node)
    return found


def _moves(network: nn.Module, node: fx.Node) -> bool:
    """Whether an operation has a moving parameter of its own."""
    if node.op == "call_module":
        return any(parameter.requires_grad for parameter in network.get_submodule(node.target).parameters())
    if node.op != "get_attr":
        return False
    found = network
    for part in node.target.split("."):
        found = getattr(found, part)
    return isinstance(found, torch.Tensor) and found.requires_grad


def _drops(network: nn.Module, node: fx.Node) -> str | None:
    """The name of an operation that drops something at random in the mode that the network is in; else None.

    A dropout has the rate `p`, timm's stochastic depth `drop_prob`. One inside a frozen module does not drop: it is in eval mode.
    """
    if node.op == "call_function" and node.target in DROPS:
        given = dict(zip(("p", "training"), node.args[1:])) | node.kwargs
        return node.name if given.get("training", True) and given.get("p", 0.5) else None
    if node.op != "call_module":
        return None
    for name, module in network.get_submodule(node.target).named_modules(prefix=node.target):
        rate = getattr(module, "drop_prob", getattr(module, "p", 0))
        if module.training and isinstance(rate, float) and 0 < rate < 1:
            return name
    return None


def _defaults(graph: fx.Graph) -> dict:
    """What the forward pass may be given beside the images (an attention mask), at its default: no one gives it."""
    _, *others = (node for node in graph.nodes if node.op == "placeholder")
    return {node: node.args[0] if node.args else None for node in others}


def _prefix(network: nn.Module, graph: fx.Graph, place: fx.Node, model: str) -> nn.Module:
    half, copies = fx.Graph(), _defaults(graph)
    for node in graph.nodes:
        if node in copies:
            continue
        copies[node] = half.node_copy(node, copies.__getitem__)
        if node is place:
            half.output(copies[node])
            break
    module = _module(network, half)
    for node in half.nodes:
        if dropping := _drops(network, node):
            raise _refused(model, f"{dropping} in its frozen part drops something at random while it trains")
    return module


def _suffix(network: nn.Module, graph: fx.Graph, place: fx.Node) -> nn.Module:
    """What reads the result at the cut, with all that does not depend on the images."""
    half = fx.Graph()
    copies = {**_defaults(graph), place: half.placeholder("cached")}
    ahead = _after(graph, {next(iter(graph.nodes))}) - _behind(network, graph)
    for node in graph.nodes:
        if node not in copies and node not in ahead:
            copies[node] = half.node_copy(node, copies.__getitem__)
    return _module(network, half)


def _module(network: nn.Module, graph: fx.Graph) -> nn.Module:
    module = fx.GraphModule(network, graph)
    graph.eliminate_dead_code()
    module.recompile()
    return module
