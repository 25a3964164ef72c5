"""How well the intervals and tests keep their promise: simulated studies with known truth, judged by the product's own functions.

    python benchmarks/simulate.py [--quick] [--write] [--folds]      make simulate

Per case: how often a true null is rejected at 5 % and at 0.5 % (what Holm's correction uses), how often the 95 % intervals of a
difference and of one cell cover the truth, their half-widths, and the power at a true difference. Beside the default stand its rivals.
With --write the tables go into docs/statistics.md; --folds makes the last one alone. The worlds' seeds are fixed; the prior's numbers were chosen on other ones.
"""

import json
import time
from pathlib import Path

import _simulated_choice
import _simulated_folds
import numpy as np
from _common import ROOT, out_of, parser
from _rival_intervals import RIVALS, half_width
from _simulated_world import Study, World, draw

from ftbench.compare.statistics import cell_interval, difference, learn, summarize

DOCUMENT = ROOT / "docs" / "statistics.md"
BEGIN, END = "<!-- table: written by benchmarks/simulate.py -->", "<!-- end of table -->"
FOLDS_BEGIN, FOLDS_END = "<!-- table of folds: written by benchmarks/simulate.py -->", "<!-- end of table of folds -->"
SEED = 20_261_129
NULLS, APART = ((0, 1), (4, 5), (6, 7)), (2, 3)
SPLITS = {"split_sd": 0.1, "tuning_sd": 0.15}  # in accuracy about 1 and 1.5 points, beside 1 of the seeds
CASES = {
    "2 seeds": World(seeds=2),
    "3 seeds": World(seeds=3),
    "5 seeds": World(seeds=5),
    "2 seeds, log-sd 0.4": World(seeds=2, log_sd=0.4),
    "2 seeds, log-sd 0.8": World(seeds=2, log_sd=0.8),
    "3 seeds, log-sd 0.8": World(seeds=3, log_sd=0.8),
    "2 seeds, large seed variance": World(seeds=2, seed_sd=0.3),
    "2 seeds, large, log-sd 0.8": World(seeds=2, seed_sd=0.3, log_sd=0.8),
    "3 seeds, large, log-sd 0.8": World(seeds=3, seed_sd=0.3, log_sd=0.8),
    "5 seeds, large, log-sd 0.8": World(seeds=5, seed_sd=0.3, log_sd=0.8),
    "3 seeds, one cell 4 times as unstable": World(seeds=3, outlier=4.0),
    "2 seeds, 2 cells": World(seeds=2, cells=2, seed_sd=0.2),
    "2 seeds, 30 cells": World(seeds=2, cells=30, log_sd=0.4),
    "a deterministic cell, 2 seeds": World(seeds=2, deterministic=1, seed_sd=0.2),
    "a deterministic cell, 2 seeds, log-sd 0.8": World(seeds=2, deterministic=1, seed_sd=0.2, log_sd=0.8),
    "a deterministic cell, 3 seeds": World(seeds=3, deterministic=1, seed_sd=0.2),
    "one seed left of 3": World(seeds=3, one_seed=1, seed_sd=0.2, log_sd=0.4),
    "groups of 10": World(seeds=2, group=10),
    "groups of 30": World(seeds=2, group=30),
    "groups of 30, 3 seeds, 3,000 images": World(seeds=3, group=30, images=3_000),
    "accuracy 98 %": World(seeds=2, accuracy=0.98, gap=0.015, seed_sd=0.2),
    "accuracy 99.5 %, 3 seeds": World(seeds=3, accuracy=0.995, gap=0.005, seed_sd=0.1),
    "accuracies 60 to 99 %": World(seeds=3, accuracy=0.8, spread=0.19),
    "200 images": World(images=200),
    "2,000 images, 2 seeds": World(images=2_000, seeds=2),
    "10,000 images, 2 seeds": World(images=10_000, seeds=2, gap=0.03),
    "10,000 images, 3 seeds, log-sd 0.4": World(images=10_000, seeds=3, log_sd=0.4, gap=0.03),
    "3 seeds, one split and tuning": World(**SPLITS, seeds=3),
    "3 seeds, a split and tuning of each": World(**SPLITS, seeds=3, per_seed=True),
    "2 seeds, one split and tuning": World(**SPLITS, seeds=2),
    "2 seeds, a split and tuning of each": World(**SPLITS, seeds=2, per_seed=True),
    "one split and tuning, a deterministic cell": World(**SPLITS, seeds=3, deterministic=1),
    "a split and tuning of each, a deterministic cell": World(**SPLITS, seeds=3, deterministic=1, per_seed=True),
}


def judged(study: Study) -> list[dict]:
    """One study: for every pair what the default and its rivals say of it."""
    cells = {
        number: summarize(right, study.groups, stochastic=bool(study.stochastic[number]), folds=study.folds)
        for number, right in enumerate(study.right)
    }
    spread = learn(cells)
    own = {number: cell_interval(cells[number], number, spread) for number in list(cells)[:2]}
    said = []
    for pair in [pair for pair in (*NULLS, APART) if max(pair) < len(cells)]:
        a, b = pair
        found = difference(cells[a], cells[b], pair, spread)
        truth = study.accuracy[a] - study.accuracy[b]
        gap = found["difference"]
        row = {"null": truth == 0, "apart": pair == APART, "halves": {}, "missed": {}, "p": found["p"]}
        row["halves"]["default"] = (found["ci_high"] - found["ci_low"]) / 2
        row["missed"]["default"] = not found["ci_low"] <= truth <= found["ci_high"]
        for name, rival in RIVALS.items():
            half = half_width(*rival(study.right, a, b, study.stochastic))
            row["halves"][name], row["missed"][name] = half, bool(abs(gap - truth) > half)
        row["found"] = {name: abs(gap) > half for name, half in row["halves"].items()}
        if pair == NULLS[0]:
            ends = [(own[cell]["ci_low"], own[cell]["ci_high"], study.accuracy[cell]) for cell in pair]
            row["cell"] = [(low <= truth <= high, (high - low) / 2) for low, high, truth in ends]
        said.append(row)
    return said


def case(world: World, repetitions: int, seed: int) -> dict:
    """The rates of one case, in percent and points."""
    rng = np.random.default_rng([SEED, seed])
    studies = [judged(draw(world, rng)) for _ in range(repetitions)]
    rows = [row for study in studies for row in study]
    missed = {
        name: [np.mean([row["missed"][name] for row in study]) for study in studies] for name in rows[0]["missed"]
    }
    apart = [row for row in rows if row["apart"]]
    cell = [one for row in rows if "cell" in row for one in row["cell"]]
    nulls = [row["p"] for row in rows if row["null"]]
    return {
        "repetitions": repetitions,
        "error": {name: 100 * float(np.mean(values)) for name, values in missed.items()},
        "standard_error": 100 * float(np.std(missed["default"]) / np.sqrt(repetitions)),
        "tail": 100 * float(np.mean(np.array(nulls) < 0.005)) if nulls else None,
        "half_width": {name: 100 * float(np.median([row["halves"][name] for row in rows])) for name in missed},
        "power": {name: 100 * float(np.mean([row["found"][name] for row in apart])) for name in missed}
        if apart
        else None,
        "gap": 100 * world.gap,
        "cell_coverage": 100 * float(np.mean([covered for covered, _ in cell])),
        "cell_half_width": 100 * float(np.median([half for _, half in cell])),
    }


def table(found: dict[str, dict]) -> str:
    """Markdown: the default's numbers, then error / half-width of each rival."""
    rivals = list(RIVALS)
    head = ["case", "error, %", "at 0.5 %", "half-width", "power", "one cell covered, %", "its half-width"]
    lines = [[*head, *(f"{name}: error / half-width / power" for name in rivals)]]
    lines.append(["---"] * len(lines[0]))
    for name, one in found.items():
        power = f"{one['power']['default']:.0f} at {one['gap']:g}" if one["power"] else "–"
        tail = "–" if one["tail"] is None else f"{one['tail']:.2f}"
        own = f"{one['error']['default']:.1f} ± {one['standard_error']:.1f}"
        row = [name, own, tail, f"{one['half_width']['default']:.1f}", power]
        row += [f"{one['cell_coverage']:.1f}", f"{one['cell_half_width']:.1f}"]
        for rival in rivals:
            strong = f" / {one['power'][rival]:.0f}" if one["power"] else ""
            row.append(f"{one['error'][rival]:.1f} / {one['half_width'][rival]:.1f}{strong}")
        lines.append(row)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(text: str, begin: str = BEGIN, end: str = END, path: Path = DOCUMENT) -> None:
    document = path.read_text(encoding="utf-8")
    before, rest = document.split(begin)
    path.write_text(before + begin + "\n" + text + "\n" + end + rest.split(end)[1], encoding="utf-8")


def main() -> None:
    options = parser(__doc__, out="simulate.json")
    options.add_argument("--write", action="store_true", help="put the table into docs/statistics.md")
    options.add_argument(
        "--repetitions", type=int, default=500, help="studies per case (a third with 3,000 images or more)"
    )
    options.add_argument("--folds", action="store_true", help="only the test sets in folds: minutes")
    arguments = options.parse_args()
    folds = {}
    for seed, (name, world) in enumerate(_simulated_folds.CASES.items()):
        folds[name] = _simulated_folds.case(world, 4 if arguments.quick else arguments.repetitions, seed)
        print(f"{name}: {folds[name]['default']['error']:.1f} %", flush=True)
    print(_simulated_folds.table(folds))
    if arguments.write and not arguments.quick:
        write(_simulated_folds.table(folds), FOLDS_BEGIN, FOLDS_END)
    if arguments.folds:
        out_of(arguments).write_text(json.dumps({"folds": folds}, indent=1))
        return
    found = {}
    for seed, (name, world) in enumerate(CASES.items()):
        repetitions = 4 if arguments.quick else arguments.repetitions // (3 if world.images >= 3_000 else 1)
        start = time.perf_counter()
        found[name] = case(world, repetitions, seed)
        print(f"{name}: {found[name]['error']['default']:.1f} % ({time.perf_counter() - start:.0f} s)", flush=True)
    choices = {
        name: _simulated_choice.choice(world, 4 if arguments.quick else arguments.repetitions, seed)
        for seed, (name, world) in enumerate(_simulated_choice.CASES.items())
    }
    out_of(arguments).write_text(json.dumps({"intervals": found, "choices": choices, "folds": folds}, indent=1))
    text = f"{table(found)}\n\n{_simulated_choice.table(choices)}"
    print(text)
    if arguments.write and not arguments.quick:
        write(text)


if __name__ == "__main__":
    main()
