"""Random crop alone: the textbook policy where images must not be mirrored."""

from ftbench.pixels import augment as operation

DECLARES = {"without_flip": "crop"}


def augment(images, generator):
    return operation.crop(images, generator)
