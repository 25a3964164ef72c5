"""RandAugment after a crop alone, for images that must not be mirrored."""

from ftbench.pixels import augment as operation
from ftbench.pixels.policies.randaugment import rand

DECLARES = {"without_flip": "crop_randaugment"}


def augment(images, generator):
    return rand(operation.crop(images, generator), generator)
