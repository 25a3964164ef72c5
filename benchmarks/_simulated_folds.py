"""Test sets in folds: the default, in which the folds show how networks vary, beside its rivals, on the same simulated studies.

`seeds alone` pools the answers of all folds and takes the seeds as the only chance of training, as on one test set. `t over folds` is the paired t
test over the accuracies of the folds. What a split, its tuning and its training images do to a fold's networks is drawn for each fold.
"""

import numpy as np
from _simulated_world import Study, World, draw
from scipy import stats

from ftbench.compare.statistics import cell_interval, difference, learn, summarize

EFFECTS = {"split_sd": 0.1, "tuning_sd": 0.15, "cells": 6}  # in accuracy about 1 and 1.5 points, beside 1 of the seeds
CASES = {
    "100 images, 5 folds, 2 seeds": World(**EFFECTS, images=100, seeds=2, folds=5),
    "100 images, 10 folds, 3 seeds": World(**EFFECTS, images=100, seeds=3, folds=10),
    "300 images, 5 folds, 2 seeds": World(**EFFECTS, images=300, seeds=2, folds=5),
    "300 images, 5 folds, 3 seeds": World(**EFFECTS, images=300, seeds=3, folds=5),
    "300 images, 10 folds, 2 seeds": World(**EFFECTS, images=300, seeds=2, folds=10),
    "1,000 images, 5 folds, 1 seed": World(**EFFECTS, images=1000, seeds=1, folds=5),
    "1,000 images, 5 folds, 2 seeds": World(**EFFECTS, images=1000, seeds=2, folds=5),
    "1,000 images, 5 folds, 3 seeds": World(**EFFECTS, images=1000, seeds=3, folds=5),
    "1,000 images, 10 folds, 2 seeds": World(**EFFECTS, images=1000, seeds=2, folds=10),
    "1,000 images, 10 folds, 3 seeds": World(**EFFECTS, images=1000, seeds=3, folds=10),
    "1,000 images, 5 folds, 3 seeds, groups of 10": World(**EFFECTS, images=1000, seeds=3, folds=5, group=10),
    "1,000 images, 5 folds, 2 seeds, two deterministic cells": World(**EFFECTS, images=1000, seeds=2, folds=5, deterministic=2),
    "1,000 images, 5 folds, 2 seeds, twice the effects": World(images=1000, seeds=2, folds=5, cells=6, split_sd=0.2, tuning_sd=0.3, seed_sd=0.2),
    "1,000 images, 10 folds, 3 seeds, networks that hardly differ": World(images=1000, seeds=3, folds=10, cells=6, seed_sd=0.02),
    "300 images, 5 folds, 3 seeds, 2 cells": World(**EFFECTS | {"cells": 2}, images=300, seeds=3, folds=5),
}  # fmt: skip
PAIRS, APART = ((0, 1), (2, 3), (4, 5)), (2, 3)
FORMS = ("default", "seeds alone", "t over folds")


def _product(study: Study, pairs: list[tuple], folds: np.ndarray | None) -> dict:
    """{"pairs": {pair: (low, high)}, "cells": [(low, high)]} by the functions that make the tables."""
    cells = {
        number: summarize(right, study.groups, stochastic=bool(study.stochastic[number]), folds=folds)
        for number, right in enumerate(study.right)
    }
    spread = learn(cells)
    found = {pair: difference(cells[pair[0]], cells[pair[1]], pair, spread) for pair in pairs}
    own = [cell_interval(cells[number], number, spread) for number in (0, 1)]
    return {
        "pairs": {pair: (one["ci_low"], one["ci_high"]) for pair, one in found.items()},
        "cells": [(one["ci_low"], one["ci_high"]) for one in own],
    }


def _t(values: np.ndarray) -> tuple[float, float]:
    """The t interval of a mean over folds."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def _over_folds(study: Study, pairs: list[tuple]) -> dict:
    own = study.folds == np.unique(study.folds)[:, None]
    by_fold = [np.array([right[:, rows].mean() for rows in own]) for right in study.right]
    return {"pairs": {(a, b): _t(by_fold[a] - by_fold[b]) for a, b in pairs}, "cells": [_t(by_fold[0]), _t(by_fold[1])]}


def judged(study: Study) -> dict[str, dict]:
    """What each form says of one study: {form: {"missed": [], "half": [], "found": bool, "covered": [], "cell_half": []}}."""
    pairs = [pair for pair in PAIRS if max(pair) < len(study.right)]
    said = {
        "default": _product(study, pairs, study.folds),
        "seeds alone": _product(study, pairs, None),
        "t over folds": _over_folds(study, pairs),
    }
    rows = {}
    for form, one in said.items():
        ends = np.array([one["pairs"][pair] for pair in pairs])
        truth = np.array([study.accuracy[a] - study.accuracy[b] for a, b in pairs])
        cells, own = np.array(one["cells"]), study.accuracy[:2]
        apart = one["pairs"].get(APART)
        rows[form] = {
            "missed": ~((ends[:, 0] <= truth) & (truth <= ends[:, 1])),
            "half": np.diff(ends, axis=1)[:, 0] / 2,
            "found": None if apart is None else apart[0] > 0 or apart[1] < 0,
            "covered": (cells[:, 0] <= own) & (own <= cells[:, 1]),
            "cell_half": np.diff(cells, axis=1)[:, 0] / 2,
        }
    return rows


def case(world: World, repetitions: int, seed: int) -> dict:
    """{form: rates of one case, in percent and points}; `standard_error` is that of the default's error."""
    rng = np.random.default_rng([20_261_130, seed])
    studies = [judged(draw(world, rng)) for _ in range(repetitions)]
    found = {}
    for form in FORMS:
        rows = [study[form] for study in studies]
        missed = [row["missed"].mean() for row in rows]
        found[form] = {
            "error": 100 * float(np.mean(missed)),
            "standard_error": 100 * float(np.std(missed) / np.sqrt(repetitions)),
            "half_width": 100 * float(np.median(np.concatenate([row["half"] for row in rows]))),
            "power": None if rows[0]["found"] is None else 100 * float(np.mean([row["found"] for row in rows])),
            "coverage": 100 * float(np.mean([row["covered"] for row in rows])),
            "cell_half_width": 100 * float(np.median(np.concatenate([row["cell_half"] for row in rows]))),
        }
    return found


def table(found: dict[str, dict]) -> str:
    """Markdown: the default's numbers, then those of each rival."""
    head = ["case", "error, %", "half-width", "power at 5", "one cell covered, %", "its half-width"]
    lines = [[*head, *(f"{form}: error / half-width / power / covered" for form in FORMS[1:])]]
    lines.append(["---"] * len(lines[0]))
    for name, forms in found.items():
        one = forms["default"]
        line = [name, f"{one['error']:.1f} ± {one['standard_error']:.1f}", f"{one['half_width']:.1f}", _power(one)]
        line += [f"{one['coverage']:.1f}", f"{one['cell_half_width']:.1f}"]
        for form in FORMS[1:]:
            rival = forms[form]
            line.append(f"{rival['error']:.1f} / {rival['half_width']:.1f} / {_power(rival)} / {rival['coverage']:.1f}")
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _power(one: dict) -> str:
    return "–" if one["power"] is None else f"{one['power']:.0f}"
