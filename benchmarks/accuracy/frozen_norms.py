"""This loop with norm_statistics frozen: batch norms keep what pretraining measured, and half the learning rate suits them."""

from accuracy import ours
from accuracy.race import Race

EPOCHS = 1
RECIPE = "the same with norm_statistics: frozen, AdamW 0.0005 and 1 epoch"


def prepare(race: Race):
    return ours.prepare(race, norm_statistics="frozen", learning_rate=0.0005)
