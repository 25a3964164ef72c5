"""No augmentation: the stored image, every time."""

DECLARES = {"without_flip": "none"}


def augment(images, generator):
    return images
