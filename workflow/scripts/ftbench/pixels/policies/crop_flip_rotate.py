"""Random crop, mirror and a small rotation: the tutorial's three together."""

from ftbench.pixels import augment as operation

DECLARES = {"without_flip": "crop_rotate"}


def augment(images, generator):
    return operation.rotate(operation.flip(operation.crop(images, generator), generator), generator)
