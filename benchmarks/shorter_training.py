"""What the keys that shorten a training save and cost: the table "Keys that shorten a training" of docs/speed.md.

    python benchmarks/shorter_training.py --archive cifar-10-python.tar.gz        (or FTBENCH_CIFAR10)

Fine-tuning by the recipe of config/findings.yaml, as it is and with one key changed, three seeds each, on the same 4,500 CIFAR-10 images.
Every seed trains all of them before the next seed does. Seconds are the processor's, of the training and the validation after every epoch.
Accuracies are those of 2,000 images that nothing else saw, with their intervals over images and seeds, and beside them the
differences from the first line (docs/statistics.md). Writes results/bench_shorter_training.json. --quick takes a tiny network with random
weights and random images.
"""

import tempfile
from pathlib import Path

from _common import ROOT, out_of, parser  # isort: skip
import numpy as np
import pandas as pd
import torch
from frozen_once import Clock, run_cell, write_data, write_test_logits, write_weights
from steps import fast_precision

from ftbench.base.files import read_json, write_json
from ftbench.compare.comparison import compare
from ftbench.machine import devices
from ftbench.study import config, grid

FIRST = "as-it-is"


def variants(size: int) -> dict[str, dict]:
    """{name: the changed keys} of a network of `size` pixels. Frozen statistics take half the learning rate: gradients through them are
    larger.
    """
    growing = {"image_sizes": [round(size * share) for share in (5 / 8, 6 / 8, 1)]}
    frozen = {"norm_statistics": "frozen", "learning_rate": 0.0005}
    return {
        FIRST: {},
        "one-epoch": {"epochs": 1},
        "growing": growing,
        "frozen": frozen,
        "frozen-growing": frozen | growing,
        "frozen-one-epoch": frozen | {"epochs": 1},
    }


def study_of(quick: bool, only: list[str], epochs: int, seeds: int, network: dict) -> dict:
    findings = config.read(ROOT / "config" / "findings.yaml")
    rate = findings["strategies"]["finetune"]["learning_rate"]
    changes = variants(network["image_size"])
    changes = {name: changes[name] for name in changes if name == FIRST or name in only}
    return config.resolve(
        {
            "study": "shorter_training",
            "seeds": list(range(seeds)),
            "device": "cpu",
            "precision": "float32" if quick else fast_precision(),
            "threads": 2,
            "datasets": {"cifar10": {"source": "torchvision", "name": "CIFAR10"}},
            "backbones": {"network": network},
            "training": findings["training"] | {"epochs": epochs},
            "strategies": {
                name: {"kind": "finetune", "learning_rate": rate} | change for name, change in changes.items()
            },
        }
    )


def run_all(study: dict, folder: Path, test: np.ndarray) -> dict[tuple[grid.Cell, int], tuple[Path, float]]:
    """{(cell, seed): its folder and the processor's seconds}; every seed of all cells before the next."""
    ended = {}
    for seed in study["seeds"]:
        for cell in grid.cells(study):
            clock, place = Clock(), folder / str(seed)
            (place / cell.strategy).mkdir(parents=True)
            for file in ("images.npy", "split.npz", "weights.safetensors", "weights.json"):
                if not (place / file).exists():
                    (place / file).symlink_to(folder / file)
            runs = run_cell(study | {"seeds": [seed]}, cell, place, clock)
            write_test_logits(study, cell, place, runs, test)
            ended[cell, seed] = runs[0], clock.seconds["runs"]
            print(f"seed {seed}, {cell.strategy}: {clock.seconds['runs']:.0f} s of the processor", flush=True)
    return ended


def table(folder: Path, ended: dict) -> list[dict]:
    """A row per cell: seconds, validation and test accuracy, and the difference of the latter from the first cell's."""
    labelled = [
        {"labels": cell._asdict() | {"seed": seed}, "run": place / "run.json", "test_logits": place / "test_logits.npz"}
        for (cell, seed), (place, _) in ended.items()
    ]
    names = [folder / f"{name}.csv" for name in ("cells", "pairwise", "differences", "classes")]
    compare(labelled, "accuracy", *names)
    cells, pairs = pd.read_csv(names[0]).set_index("strategy"), pd.read_csv(names[1])
    rows = []
    for strategy in dict.fromkeys(cell.strategy for cell, _ in ended):
        own = [found for (cell, _), found in ended.items() if cell.strategy == strategy]
        row = {"name": strategy, "seconds": float(np.mean([seconds for _, seconds in own]))}
        row["validation"] = float(np.mean([read_json(place / "run.json")["validation_accuracy"] for place, _ in own]))
        row |= {name: float(cells.loc[strategy][f"accuracy_{name}"]) for name in ("mean", "ci_low", "ci_high")}
        for one, other, sign in (("strategy_a", "strategy_b", 1), ("strategy_b", "strategy_a", -1)):
            for pair in pairs[(pairs[one] == strategy) & (pairs[other] == FIRST)].to_dict("records"):
                row["difference"] = sign * pair["difference"]
                row["low"], row["high"] = sorted((sign * pair["ci_low"], sign * pair["ci_high"]))
        rows.append(row)
    return rows


def show(rows: list[dict]) -> None:
    print("                   seconds  validation  test                      against the first line")
    for row in rows:
        test = f"{row['mean']:.1%} [{row['ci_low']:.1%}, {row['ci_high']:.1%}]"
        against = f"{row['difference']:+.1%} [{row['low']:+.1%}, {row['high']:+.1%}]" if "difference" in row else ""
        print(f"{row['name']:<18} {row['seconds']:7.1f}  {row['validation']:10.1%}  {test:<24}  {against}")


def main() -> None:
    command = parser(__doc__, out="bench_shorter_training.json")
    command.add_argument("--archive", type=Path, help="cifar-10-python.tar.gz, the published archive")
    command.add_argument("--epochs", type=int, default=3, help="of all but those of one epoch (default: 3)")
    others = [name for name in variants(64) if name != FIRST]
    command.add_argument("--only", choices=others, nargs="*", default=others, help="beside the first line")
    arguments = command.parse_args()
    epochs, seeds, per_class, only = arguments.epochs, 3, [450, 50, 200], arguments.only
    if arguments.quick:
        epochs, seeds, per_class, only = 1, 2, [4, 2, 2], ["frozen-growing"]
    with tempfile.TemporaryDirectory(prefix="shorter-") as temporary:
        folder = Path(temporary)
        test, network = write_data(folder, arguments, per_class), write_weights(folder, arguments.quick)
        study = study_of(arguments.quick, only, epochs, seeds, network)
        rows = table(folder, run_all(study, folder, test))
    device = devices.device_name(torch.device("cpu"))
    print(f"{device}, two threads, {study['precision']}, {seeds} seeds")
    show(rows)
    write_json(out_of(arguments), {"device": device, "precision": study["precision"], "epochs": epochs, "rows": rows})


if __name__ == "__main__":
    main()
