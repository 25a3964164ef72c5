"""What `cached_views` saves and what it costs in accuracy: the table "Frozen parts run once" of docs/speed.md.

    python benchmarks/frozen_once.py --archive cifar-10-python.tar.gz        (or FTBENCH_CIFAR10)

`last_block` on a pretrained network, tuned by three trials (--rates) and run with three seeds on a few thousand CIFAR-10 images: as it is, and with
its frozen part run once over one, two and more views of each image. The jobs' own functions are called one after another in this process.
What is counted are its processor's seconds in the making of the views, the trials and the runs; a job's start, which is the same for
all, is not. Accuracies are those of the whole network on test images that nothing else saw, with the interval over images and seeds
(docs/statistics.md). Writes results/bench_frozen_once.json. --quick takes a tiny network with random weights and random images.
"""

import sys
import tempfile
from pathlib import Path

from _common import out_of, parser  # isort: skip
import torch
from _one_network import Clock, resolved, run_cell, scores, write_data, write_test_logits, write_weights
from time_to_accuracy import CLASSES

from ftbench.base.files import write_json
from ftbench.machine import devices
from ftbench.study import cached_views, grid

RATES = [0.0003, 0.001, 0.003]  # to choose from


def study_of(quick: bool, views: list[int | None], rates: list[float], seeds: int, epochs: int, network: dict) -> dict:
    """The recipe of config/findings.yaml for last_block, without cached views and with each number of them."""
    strategies = {
        name_of(count): {"kind": "last_block", "learning_rate": rates, "cached_views": count} for count in views
    }
    tuning = {"trials": len(rates)}
    return resolved("frozen_once", quick, 1, seeds, epochs, network, tuning=tuning, strategies=strategies)


def name_of(views: int | None) -> str:
    return f"views-{views}" if views else "off"


# --- the table -------------------------------------------------------------------------------------------------------


def table(study: dict, folder: Path, runs: dict, clocks: dict[str, Clock]) -> list[dict]:
    by_seed = {(cell, seed): place for cell, places in runs.items() for seed, place in zip(study["seeds"], places)}
    whole, scored, rows = sum(clocks["off"].seconds.values()), scores(folder, by_seed, "off"), []
    for cell in runs:
        spent, views = clocks[cell.strategy].seconds, cached_views.views_of(study, cell.strategy)
        row = {"cached_views": views, **spent, "seconds": sum(spent.values())}
        row |= {"share": row["seconds"] / whole} | scored[cell.strategy]
        if views:
            row["gigabytes"] = sum((folder / cell.strategy / name).stat().st_size for name in ("views.npy", "plain.npy")) / 1e9  # fmt: skip
        rows.append(row)
    return rows


def show(rows: list[dict]) -> None:
    print("views   of views  trials    runs  seconds  share     GB  validation  test                   against none")
    for row in rows:
        parts = "".join(f"{row.get(name, 0.0):8.1f}" for name in ("views", "trials", "runs"))
        test = f"{row['mean']:.2%} [{row['ci_low']:.2%}, {row['ci_high']:.2%}]"
        against = f"{row['difference']:+.2%} [{row['low']:+.2%}, {row['high']:+.2%}]" if "difference" in row else ""
        print(f"{row['cached_views'] or 'off'!s:>5} {parts} {row['seconds']:8.1f} {row['share']:6.2f} {row.get('gigabytes', 0):6.2f}  {row['validation']:10.2%}  {test}  {against}")  # fmt: skip


def options():
    command = parser(__doc__, out="bench_frozen_once.json")
    command.add_argument("--archive", type=Path, help="cifar-10-python.tar.gz, the published archive")
    command.add_argument("--views", type=int, nargs="+", default=[1, 2, 6], help="(default: 1 2 6)")
    command.add_argument("--rates", type=float, nargs="+", default=RATES, help="learning rates, a trial each")
    command.add_argument("--seeds", type=int, default=3, help="(default: 3)")
    command.add_argument("--epochs", type=int, default=6, help="(default: 6)")
    command.add_argument("--images", type=int, default=2000, help="to train with (default: 2000)")
    command.add_argument("--validation", type=int, default=500, help="images to choose by (default: 500)")
    command.add_argument("--test", type=int, default=5000, help="test images (default: 5000)")
    return command.parse_args()


def main() -> None:
    arguments = options()
    views, seeds, epochs = arguments.views, arguments.seeds, arguments.epochs
    per_class = [count // CLASSES for count in (arguments.images, arguments.validation, arguments.test)]
    if arguments.quick:
        views, seeds, per_class, epochs = [2], 2, [4, 2, 2], 1
    with tempfile.TemporaryDirectory(prefix="frozen-once-") as temporary:
        folder = Path(temporary)
        test, network = write_data(folder, arguments, per_class), write_weights(folder, arguments.quick)
        study = study_of(arguments.quick, [None, *views], arguments.rates, seeds, epochs, network)
        runs, clocks = {}, {}
        for cell in grid.cells(study):
            (folder / cell.strategy).mkdir()
            clocks[cell.strategy] = Clock()
            runs[cell] = run_cell(study, cell, folder, clocks[cell.strategy])
            write_test_logits(study, cell, folder, runs[cell], test)
            print(f"{cell.strategy}: {clocks[cell.strategy].seconds}", flush=True)
        rows = table(study, folder, runs, clocks)
    device = devices.device_name(torch.device("cpu"))
    trained = f"{len(arguments.rates)} trials and {seeds} seeds of {epochs} epochs"
    print(f"{device}, one thread, {study['precision']}, {trained}")
    show(rows)
    write_json(out_of(arguments), {"device": device, "precision": study["precision"], "rows": rows})


if __name__ == "__main__":
    sys.exit(main())
