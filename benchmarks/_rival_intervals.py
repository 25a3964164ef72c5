"""Rivals of the default: the error of a difference by other ways to know how seeds vary. Each returns (variance, degrees of freedom)."""

import numpy as np
from scipy import optimize, special, stats


def crossed(cells: list[np.ndarray], a: int, b: int, _stochastic=None) -> tuple[float, float]:
    """Each cell's own mean square, Satterthwaite's degrees of freedom (1946): the default up to now."""
    images = cells[a].shape[1]
    image = (cells[a].mean(0) - cells[b].mean(0)).var(ddof=1) / images
    seed, squares = 0.0, image**2 / (images - 1)
    for right in (cells[a], cells[b]):
        seeds = len(right)
        if seeds > 1:
            own = right.mean(1).var(ddof=1) / seeds
            seed += own - right.var(0, ddof=1).mean() / (seeds * images)
            squares += own**2 / (seeds - 1)
    variance = image + max(0.0, seed)
    return variance, np.clip(variance**2 / squares, 1, images - 1) if squares else images - 1


def images_alone(cells, a: int, b: int, _stochastic=None) -> tuple[float, float]:
    """The paired t test over images of the mean over seeds: seeds as if they were fixed."""
    images = cells[a].shape[1]
    return (cells[a].mean(0) - cells[b].mean(0)).var(ddof=1) / images, images - 1


def _mean_squares(cells, stochastic) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per cell: mean square of seeds over p(1 - p), the part of chance over p(1 - p), degrees of freedom, p(1 - p)."""
    images = cells[0].shape[1]
    p = np.array([(right.mean() * images + 1) / (images + 2) for right in cells])
    df = np.array([len(right) - 1 if known else 0 for right, known in zip(cells, stochastic)])
    square = np.array([right.mean(1).var(ddof=1) if n else 0.0 for right, n in zip(cells, df)])
    chance = np.array([right.var(0, ddof=1).mean() / images if n else 0.0 for right, n in zip(cells, df)])
    return square / (p * (1 - p)), chance / (p * (1 - p)), df, p * (1 - p)


def pooled(cells, a: int, b: int, stochastic) -> tuple[float, float]:
    """One tau² for all cells: their mean squares averaged."""
    square, chance, df, scale = _mean_squares(cells, stochastic)
    if not df.sum():
        return images_alone(cells, a, b)
    tau2 = max(0.0, float(df @ (square - chance) / df.sum()))
    image, _ = images_alone(cells, a, b)
    seed = sum(tau2 * scale[cell] / len(cells[cell]) for cell in (a, b) if stochastic[cell])
    total = image + seed
    return total, np.clip(total**2 / (seed**2 / df.sum() + 1e-30), 1, cells[a].shape[1] - 1)


def moderated(cells, a: int, b: int, stochastic) -> tuple[float, float]:
    """Smyth's (2004) moderated mean squares: an inverse gamma prior, whose two numbers are fitted by moments of the logarithm."""
    square, chance, df, scale = _mean_squares(cells, stochastic)
    if not df.sum():
        return images_alone(cells, a, b)
    prior_df, prior = fit_inverse_gamma(square[df > 0], df[df > 0])
    image, _ = images_alone(cells, a, b)
    seed, squares = 0.0, image**2 / (cells[a].shape[1] - 1)
    for cell in (a, b):
        if stochastic[cell]:
            held = min(prior_df, df.sum())  # no more than all cells together
            own = (held * prior + df[cell] * square[cell]) / (held + df[cell])
            part = own * scale[cell] / len(cells[cell])
            seed += part - min(part, chance[df > 0].mean() * scale[cell] / len(cells[cell]))
            squares += part**2 / (held + df[cell])
    total = image + seed
    return total, np.clip(total**2 / squares, 1, cells[a].shape[1] - 1)


def fit_inverse_gamma(squares: np.ndarray, df: np.ndarray) -> tuple[float, float]:
    """Degrees of freedom and variance of the prior (Smyth 2004, section 6.2)."""
    logs = np.log(np.maximum(squares, 1e-12))
    e = logs - special.digamma(df / 2) + np.log(df / 2)
    excess = np.mean((e - e.mean()) ** 2 * len(e) / max(1, len(e) - 1) - special.polygamma(1, df / 2))
    if excess <= 0:
        return np.inf, float(np.exp(e.mean()))
    half = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-3, 1e6)
    return 2 * half, float(np.exp(e.mean() + special.digamma(half) - np.log(half)))


RIVALS = {"own": crossed, "pooled": pooled, "moderated": moderated, "images alone": images_alone}


def half_width(variance: float, df: float, alpha: float = 0.05) -> float:
    return float(stats.t.ppf(1 - alpha / 2, df) * np.sqrt(variance))
