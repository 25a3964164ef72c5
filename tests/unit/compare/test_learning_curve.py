"""Learning curves: the truth lies in the interval, more images never harm, and what a few sizes leave open is left open."""

import numpy as np
import pytest

from ftbench.compare.learning_curve import LEAST, extrapolate

SIZES = [8, 16, 32, 64]
IMAGES, SEEDS = 2000, 2


def error(size, offset, level, slope):
    return offset + level * size**-slope


def answers(generator, curve) -> list[np.ndarray]:
    """(SEEDS, IMAGES) bool at each size: images are as hard at every size, and a size's error is the curve's."""
    hardness = generator.random(IMAGES)
    noisy = [np.clip(hardness + generator.normal(0, 0.02, (SEEDS, IMAGES)), 0, 1) for _ in SIZES]
    return [each < error(size, *curve) for each, size in zip(noisy, SIZES)]


@pytest.mark.parametrize("curve", [(0.0, 1.2, 0.5), (0.05, 1.0, 0.6), (0.2, 2.0, 1.0), (0.1, 0.4, 0.3)])
def test_the_truth_lies_in_the_interval(curve):
    generator = np.random.default_rng(0)
    held = []
    for study in range(8):
        for row in extrapolate(answers(generator, curve), SIZES, [128, 256], seed=study):
            held.append(row["low"] <= error(row["size"], *curve) <= row["high"])
    assert np.mean(held) >= 0.9


def test_what_lies_farther_is_less_sure_and_never_worse():
    near, far = extrapolate(answers(np.random.default_rng(1), (0.05, 1.0, 0.5)), SIZES, [128, 256])
    assert far["error"] <= near["error"]
    assert (far["high"] - far["low"]) / far["error"] > (near["high"] - near["low"]) / near["error"]
    assert 0 <= far["low"] < far["error"] < far["high"] <= 1


def test_equal_answers_give_equal_numbers_and_perfect_ones_a_number():
    wrong = answers(np.random.default_rng(2), (0.05, 1.0, 0.5))
    assert extrapolate(wrong, SIZES, [128]) == extrapolate(wrong, SIZES, [128])
    (perfect,) = extrapolate([np.zeros_like(each) for each in wrong], SIZES, [128])
    assert 0 <= perfect["low"] <= perfect["error"] <= perfect["high"] < 0.01


def test_errors_that_do_not_fall_are_not_expected_to():
    (row,) = extrapolate([answers(np.random.default_rng(3), (0.3, 0.0, 1.0))[0]] * 4, SIZES, [256])
    assert row["low"] < 0.3 < row["high"] and row["error"] == pytest.approx(0.3, abs=0.03)


def test_two_sizes_are_refused():
    with pytest.raises(ValueError, match=f"2 sizes are too few.*{LEAST}"):
        extrapolate(answers(np.random.default_rng(4), (0, 1, 0.5))[:2], SIZES[:2], [64])
