"""TrivialAugment after a crop alone, for images that must not be mirrored."""

from ftbench.pixels import augment as operation
from ftbench.pixels.policies.trivial_augment import trivial

DECLARES = {"without_flip": "crop_trivial_augment"}


def augment(images, generator):
    return trivial(operation.crop(images, generator), generator)
