"""This loop with image_sizes: the same recipe on images that grow."""

from accuracy import ours
from accuracy.race import Race

EPOCHS = ours.EPOCHS
SHARES = (5 / 8, 6 / 8, 1)  # of the network's size: 40, 48 and 64 pixels
RECIPE = "the same with image_sizes: [40, 48, 64]"


def prepare(race: Race):
    return ours.prepare(race, image_sizes=[round(race.size * share) for share in SHARES])
