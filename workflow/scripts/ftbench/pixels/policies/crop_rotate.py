"""Random crop and a small rotation."""

from ftbench.pixels import augment as operation

DECLARES = {"without_flip": "crop_rotate"}


def augment(images, generator):
    return operation.rotate(operation.crop(images, generator), generator)
