"""What is compiled, with a backend that notes what it is given and needs no C++ compiler."""

import functools

import pytest
import torch
from torch import nn

from ftbench.machine.compiler import compile_in_place


@pytest.fixture
def compiled(monkeypatch):
    """The shapes that were compiled, of a network compiled by `compile_in_place`: (network, shapes)."""
    shapes = []

    def backend(graph, inputs):
        shapes.append(
            tuple(max((one.shape for one in inputs if one.ndim == 4), key=lambda shape: shape[-1]))
        )  # not the kernel
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    compile_in_place(network)
    yield network, shapes
    torch._dynamo.reset()


def images(side: int, count: int = 2) -> torch.Tensor:
    return torch.zeros(count, 3, side, side)


def test_every_size_of_growing_images_is_compiled_however_many_there_are(compiled):
    network, shapes = compiled
    for side in range(4, 16):
        network.train()(images(side))
    network.eval()(images(15))
    network.eval()(images(15, 1))  # the last part of the validation images
    assert shapes == [(2, 3, side, side) for side in [*range(4, 16), 15]] + [(1, 3, 15, 15)]


def test_what_is_compiled_for_a_shape_does_not_depend_on_the_shapes_before(compiled):
    """A run that is resumed with a validation sees its shapes in another order."""
    network, shapes = compiled
    network.eval()(images(8, 5)), network.eval()(images(8, 3)), network.train()(images(8))
    assert shapes == [(5, 3, 8, 8), (3, 3, 8, 8), (2, 3, 8, 8)] and all(
        type(side) is int for shape in shapes for side in shape
    )
