"""Random crop and mirror: the standard policy for CIFAR-10."""

from ftbench.pixels import augment as operation

DECLARES = {"without_flip": "crop"}


def augment(images, generator):
    return operation.flip(operation.crop(images, generator), generator)
