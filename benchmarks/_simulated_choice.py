"""What a choice on validation is worth: how flattered the winner is, and how often the cheapest named cell is truly worse.

The first images of a simulated study validate and the others test, by the same trained networks. A cell's number is its cost.
"""

import _common  # noqa: F401, the package of this checkout comes first
import numpy as np
from _simulated_world import World, draw

from ftbench.compare.crossfit import Run, crossfitted_accuracy
from ftbench.compare.statistics import difference, holm, learn, summarize

VALIDATION = 500
MARGIN = 0.01
CASES = {
    "2 seeds": World(seeds=2, images=2_500, spread=0.02, gap=0.01, seed_sd=0.1),
    "3 seeds": World(seeds=3, images=2_500, spread=0.02, gap=0.01, seed_sd=0.1),
    "3 seeds, seeds that hardly differ": World(seeds=3, images=10_500, spread=0.02, gap=0.01, seed_sd=0.02),
}


def one(world: World, rng: np.random.Generator) -> dict:
    study = draw(world, rng)
    validation = [right[:, :VALIDATION] for right in study.right]
    test = [right[:, VALIDATION:] for right in study.right]
    best = int(np.argmax([right.mean() for right in validation]))
    runs = {
        cell: {"stochastic": True, "diverged": 0, "runs": {seed: Run(float(v.mean()), 1.0, float(t.mean()))
                                                        for seed, (v, t) in enumerate(zip(validation[cell], test[cell]))}}
        for cell in range(world.cells)
    }  # fmt: skip
    cells = {cell: summarize(right) for cell, right in enumerate(test)}
    spread, truth = learn(cells), study.accuracy
    gaps = {cell: difference(cells[cell], cells[best], (cell, best), spread, MARGIN) for cell in cells if cell != best}
    cheaper = [cell for cell in gaps if cell < best]
    told = dict(zip(gaps, holm([gap["p"] for gap in gaps.values()])))
    shown = dict(zip(cheaper, holm([gaps[cell]["p_worse_a"] for cell in cheaper])))
    same = [cell for cell in cheaper if told[cell] >= 0.05]
    good = [cell for cell in cheaper if shown[cell] < 0.05 and gaps[cell]["ci_low"] >= -MARGIN]
    return {
        "plain": cells[best].mean - truth[best],
        "crossfitted": crossfitted_accuracy(runs) - truth[best],
        "same": truth[best] - truth[min(same)] if same else None,
        "good": truth[best] - truth[min(good)] if good else None,
    }


def choice(world: World, repetitions: int, seed: int) -> dict:
    """Means in points and shares in percent of all studies."""
    rng = np.random.default_rng([20_261_129, 100 + seed])
    found = [one(world, rng) for _ in range(repetitions)]
    said = {name: 100 * float(np.mean([row[name] for row in found])) for name in ("plain", "crossfitted")}
    for name in ("same", "good"):
        named = [row[name] for row in found if row[name] is not None]
        said |= {f"{name}_named": 100 * len(named) / len(found)}
        said |= {f"{name}_worse": 100 * sum(gap > MARGIN for gap in named) / len(found)}
    return said


def table(found: dict[str, dict]) -> str:
    """Markdown."""
    lines = [
        "| case | winner above its recipe, points | seeds that did not choose | cheapest not told apart: named, truly worse by the margin | shown as good: named, truly worse |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in found.items():
        lines.append(
            f"| {name} | {row['plain']:+.2f} | {row['crossfitted']:+.2f} | {row['same_named']:.0f} %, {row['same_worse']:.0f} % | "
            f"{row['good_named']:.0f} %, {row['good_worse']:.1f} % |"
        )
    return "\n".join(lines)
