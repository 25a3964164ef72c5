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
import torch
from _one_network import Clock, resolved, run_cell, scores, write_data, write_test_logits, write_weights

from ftbench.base.files import write_json
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
    rate = config.read(ROOT / "config" / "findings.yaml")["strategies"]["finetune"]["learning_rate"]
    changes = variants(network["image_size"])
    changes = {name: changes[name] for name in changes if name == FIRST or name in only}
    strategies = {name: {"kind": "finetune", "learning_rate": rate} | change for name, change in changes.items()}
    return resolved("shorter_training", quick, 2, seeds, epochs, network, strategies=strategies)


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
    scored = scores(folder, {key: place for key, (place, _) in ended.items()}, FIRST)
    return [
        {
            "name": name,
            "seconds": float(np.mean([spent for (cell, _), (_, spent) in ended.items() if cell.strategy == name])),
        }
        | row
        for name, row in scored.items()
    ]


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
