"""A cloud: the plasma fractal that fog is made of, by the diamond-square method (Fournier, Fussell & Carpenter 1982)."""

import torch

ROUGHNESS = 100.0  # of the first displacement, as published with the corruptions; the result is scaled to [0, 1] anyway


def plasma(count: int, side: int, decay: float, generator: torch.Generator) -> torch.Tensor:
    """(count, S, S) height maps in [0, 1] on the CPU, S the next power of two of `side`; a larger `decay` is smoother.

    Squares of halving size get at their centre, then at the middle of their edges, the mean of their four corners plus a
    displacement. The map wraps around at its borders.
    """
    size = 1 << max(1, (side - 1).bit_length())
    maps = torch.zeros((count, size, size))
    step, rough = size, ROUGHNESS

    def displaced(total: torch.Tensor) -> torch.Tensor:
        return total / 4 + rough * rough * (2 * torch.rand(total.shape, generator=generator) - 1)

    while step >= 2:
        half = step // 2
        corners = maps[:, ::step, ::step]
        rows = corners + corners.roll(-1, 1)
        maps[:, half::step, half::step] = displaced(rows + rows.roll(-1, 2))
        centres = maps[:, half::step, half::step]
        maps[:, ::step, half::step] = displaced(centres + centres.roll(1, 1) + corners + corners.roll(-1, 2))
        maps[:, half::step, ::step] = displaced(centres + centres.roll(1, 2) + corners + corners.roll(-1, 1))
        step, rough = half, rough / decay
    maps -= maps.amin((1, 2), keepdim=True)
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-6)
