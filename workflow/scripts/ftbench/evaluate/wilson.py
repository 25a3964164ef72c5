"""Wilson's score interval (1927, doi 10.1080/01621459.1927.10502953), of one run's classes and of a cell's accuracy alike.

statsmodels has it for counts, and a test compares them; importing it would take a job that scores one run three times as long as the scores.
"""

import numpy as np


def wilson(share, square) -> tuple:
    """Both ends, each within [0, 1]: the p with (share - p)² ≤ square · p(1 - p). Numbers or arrays of one shape.

    `square` is the squared quantile over the number of images, z²/N for single images.
    """
    centre, half = share + square / 2, np.sqrt(square * share * (1 - share) + square**2 / 4)
    ends = ((centre - half) / (1 + square), (centre + half) / (1 + square))
    return tuple(np.clip(end, 0.0, 1.0) for end in ends)  # the rounding of the last digit alone
