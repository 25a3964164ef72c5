"""No augmentation: the stored image, every time."""

DECLARES = {"without_flip": "none", "random": False}


def augment(images, generator):
    return images
