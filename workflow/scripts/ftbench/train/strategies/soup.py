"""Soup: one network whose weights are the mean of those of another strategy's seeds, at the cost of one at prediction.

Wortsman et al. 2022 (arXiv:2203.05482). The uniform soup averages all seeds. The greedy one takes them from the best on validation
downwards, and keeps each whose addition does not lower the validation score: it never validates below its best seed. Trials leave no
weights, so only seeds are averaged.
"""

DECLARES = {
    "start": "of",
    "engine": "runs",
    "tuned": None,
    "stochastic": False,
    "recipe": {},
    "options": {"soup": "greedy"},
    "shared_start": True,
}


def search(score, count, options):
    if options["soup"] == "uniform":
        chosen = _mean(range(count), count)
        score(chosen)
        return chosen
    alone = {place: score(_mean([place], count)) for place in range(count)}
    first, *others = sorted(alone, key=alone.get, reverse=True)
    kept, best = [first], alone[first]
    for place in others:
        tried = score(_mean([*kept, place], count))
        if tried >= best:
            kept, best = [*kept, place], tried
    return _mean(kept, count)


def _mean(places, count: int) -> tuple[float, ...]:
    """Coefficients of the mean of the networks at these places."""
    chosen = set(places)
    return tuple(1 / len(chosen) if place in chosen else 0.0 for place in range(count))
