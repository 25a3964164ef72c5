"""How a study grows: planning 100 to 9,000 jobs, the final aggregation, a folder of 200,000 images, and what each job costs to start.

`make scale` runs it.

The largest is 20 backbones × 10 strategies × 10 seeds, tuned over as many trials as make 9,000 jobs. Planning is a real dry run
of Snakemake in a copy of the workflow, beside that of a bare Snakefile with as many jobs, inputs and outputs and no function
in it: what Snakemake itself takes. The aggregation runs on logits of 10,000 test images and ten classes. Nothing is trained;
startup.py runs linear probes. Results go to results/scale.json; a target that is missed ends the command with an error. Targets of time
are ratios, since machines differ: planning beside the bare Snakefile, in turn, in seconds of the processor; a job's start beside an import of torch.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where a test loads this file by its path
from _common import ROOT, add_work, out_of, parser  # isort: skip
import numpy as np
import yaml

from ftbench.study import grid
from ftbench.study.config import resolve
from ftbench.study.kinds import declared

KINDS = ("finetune", "last_block", "norm_bias", "lp_ft")
# Sizes: (data sets, backbones, strategies beside the probe, seeds, trials)
SIZES = [(1, 2, 3, 5, 5), (1, 6, 7, 5, 15), (1, 12, 9, 10, 15), (1, 20, 9, 10, 36)]
PLAN_RATIO, PLAN_MB, AGGREGATION_MB = 1.3, 500.0, 2000.0
IN_TURN = 2  # times that the largest is planned, each beside the bare one; the faster of each counts
FILES, QUICK_FILES, LISTED_SECONDS, LISTED_MB = (
    200_000,
    400,
    30.0,
    1000.0,
)  # of a folder of images: listed, and its study planned
IMAGES, CLASSES = 10_000, 10


def study(datasets: int, backbones: int, strategies: int, seeds: int, trials: int) -> dict:
    rates = [round(0.0003 * 1.3**k, 6) for k in range(trials)]
    return {
        "study": "scale",
        "seeds": list(range(seeds)),
        "datasets": {f"set{k}": {"source": "digits", "split_seed": k} for k in range(datasets)},
        "backbones": {
            f"backbone{k}": {"source": "timm", "model": f"network{k}", "weights": "tag", "image_size": 64}
            for k in range(backbones)
        },
        "tuning": {"trials": trials},
        "strategies": {
            "probe": {"kind": "linear_probe"},
            **{f"strategy{k}": {"kind": KINDS[k % 4], "learning_rate": rates} for k in range(strategies)},
        },
    }


def measured(command: list[str], folder: Path) -> tuple[str, dict]:
    """(what it printed, {seconds, cpu_seconds, mb}) of a command: wall time, processor time, peak resident memory in MB."""
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read()
    if process.returncode:
        sys.exit(printed)
    cpu = usage.ru_utime + usage.ru_stime
    return printed, {"seconds": seconds, "cpu_seconds": cpu, "mb": usage.ru_maxrss * 1024 / 1e6}


DRY_RUN = [sys.executable, "-m", "snakemake", "--cores", "2", "-n", "--quiet", "rules"]


def jobs_of(printed: str) -> int:
    return next(int(line.split()[1]) for line in printed.splitlines() if line.startswith("total"))


def plan(size: tuple, folder: Path) -> dict:
    (folder / "study.yaml").write_text(yaml.safe_dump(study(*size), sort_keys=False))
    printed, spent = measured([*DRY_RUN, "--configfile", "study.yaml"], folder)
    return {"jobs": jobs_of(printed)} | {f"plan_{key}": value for key, value in spent.items()}


# The rules that nearly all jobs belong to, with what each reads and writes; `report` stands for what reads a file of every run.
BARE = """
RUN = "runs/{{backbone}}/{{strategy}}/seed{{seed}}/{{file}}"
CELL = dict(backbone=[f"b{{k}}" for k in range({backbones})], strategy=[f"s{{k}}" for k in range({strategies})])
SEEDS = list(range({seeds}))

rule all:
    input: expand("report{{number}}", number=range({reports})), expand("table{{number}}", number=range({tables}))
rule data:
    output: "data/{{file}}"
    script: "nothing.py"
rule train_trial:
    input: expand("data/{{file}}", file=range(4))
    output: "tuning/{{backbone}}/{{strategy}}/trial{{trial}}/trial.json"
    log: "logs/trial/{{backbone}}/{{strategy}}/{{trial}}"
    benchmark: "benchmarks/trial/{{backbone}}/{{strategy}}/{{trial}}"
    script: "nothing.py"
rule select_recipe:
    input: expand("tuning/{{{{backbone}}}}/{{{{strategy}}}}/trial{{trial}}/trial.json", trial=range({trials}))
    output: "tuning/{{backbone}}/{{strategy}}/selected.json", "tuning/{{backbone}}/{{strategy}}/recipe.json"
    script: "nothing.py"
rule train:
    input: expand("data/{{file}}", file=range(4)), "tuning/{{backbone}}/{{strategy}}/recipe.json"
    output: expand(RUN, file=["model", "history", "run", "cost", "val_logits"], allow_missing=True)
    log: "logs/train/{{backbone}}/{{strategy}}/{{seed}}"
    benchmark: "benchmarks/train/{{backbone}}/{{strategy}}/{{seed}}"
    script: "nothing.py"
rule predict_test:
    input: expand(RUN, file=["model", "run"], seed=SEEDS, allow_missing=True)
    output: expand(RUN, file=["test_logits", "flipped"], seed=SEEDS, allow_missing=True)
    script: "nothing.py"
rule evaluate:
    input: expand(RUN, file=["test_logits", "flipped", "val_logits", "run"], seed=SEEDS, allow_missing=True)
    output: expand(RUN, file="metrics", seed=SEEDS, allow_missing=True)
    script: "nothing.py"
rule report:
    input: expand(RUN, file="metrics", seed=SEEDS, **CELL)
    output: "report{{number}}"
    script: "nothing.py"
rule table:
    input: "report0"
    output: "table{{number}}"
    script: "nothing.py"
"""
REPORTS = 7  # files of every run that rules of all runs read, counted over these rules
TABLES = 25  # tables and figures made from those


def bare_plan(size: tuple, folder: Path) -> dict:
    """Planning a Snakefile of the same shape that has no function, config or constraint: what Snakemake itself takes."""
    _, backbones, strategies, seeds, trials = size
    bare = folder / "bare"
    bare.mkdir(exist_ok=True)
    (bare / "nothing.py").touch()
    shape = {"backbones": backbones, "strategies": strategies, "seeds": seeds, "trials": trials, "reports": REPORTS}
    shape |= {"tables": TABLES}
    (bare / "Snakefile").write_text(BARE.format(**shape))
    printed, spent = measured(DRY_RUN, bare)
    return {"bare_jobs": jobs_of(printed)} | {f"bare_{key}": value for key, value in spent.items()}


def planned(size: tuple, folder: Path, turns: int) -> dict:
    """Planning of one size and of the bare Snakefile, in turn; of each the turn that took the processor least."""
    pairs = [(plan(size, folder), bare_plan(size, folder)) for _ in range(turns)]
    ours = min((pair[0] for pair in pairs), key=lambda row: row["plan_cpu_seconds"])
    bare = min((pair[1] for pair in pairs), key=lambda row: row["bare_cpu_seconds"])
    return ours | bare | {"plan_ratio": ours["plan_cpu_seconds"] / bare["bare_cpu_seconds"]}


AGGREGATION = """
import json, sys
sys.path.insert(0, "workflow/scripts")
from ftbench.compare.comparison import compare
runs = json.load(open("runs.json"))
compare(runs, "accuracy", "cells.csv", "pairwise.csv", "differences.csv", "classes.csv")
"""


def aggregate(size: tuple, folder: Path) -> dict:
    """Seconds and memory of comparing all runs of a study of this size; runs share a hundred files of logits."""
    resolved = resolve(study(*size))
    files = folder / "logits"
    files.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, IMAGES)
    record = {
        "status": "finished",
        "validation_accuracy": 0.9,
        "validation_balanced_accuracy": 0.9,
        "validation_nll": 0.3,
    }
    for stochastic in (False, True):
        (files / f"run{stochastic:d}.json").write_text(json.dumps(record | {"stochastic": stochastic}))
    for number in range(100):
        path = files / f"{number}.npz"
        if not path.exists():
            logits = random.normal(size=(IMAGES, CLASSES)).astype(np.float32)
            logits[np.arange(IMAGES), labels] += 2 + number / 100
            np.savez(path, logits=logits, labels=labels, ids=np.arange(IMAGES))
    runs = [
        {"labels": {**cell._asdict(), "seed": seed}, "run": f"logits/run{stochastic:d}.json"}
        for cell in grid.cells(resolved)
        for stochastic in [declared(resolved["strategies"][cell.strategy]["kind"])["stochastic"]]
        for seed in grid.seeds_of(resolved, cell.strategy)
    ]
    for number, run in enumerate(runs):
        run["test_logits"] = f"logits/{number % 100}.npz"
    (folder / "runs.json").write_text(json.dumps(runs))
    _, spent = measured([sys.executable, "-c", AGGREGATION], folder)
    return {"runs": len(runs)} | {f"aggregation_{key}": value for key, value in spent.items()}


def listed(count: int, folder: Path, table: bool) -> dict:
    """A dry run of a study on a folder of so many empty files in 100 classes, by its folders or by a table without their endings."""
    root = folder / "many"
    if not root.exists():
        for number in range(count):
            place = root / f"class{number % 100:03d}"
            if number < 100:
                place.mkdir(parents=True)
            (place / f"{number:06d}.jpg").touch()
        rows = "".join(f"{number:06d},class{number % 100:03d}\n" for number in range(count))
        (folder / "many.csv").write_text(f"id,label\n{rows}")
    entry = (
        {"source": "table", "path": "many.csv", "images": "many"}
        if table
        else {"source": "imagefolder", "path": "many"}
    )
    small = study(1, 1, 1, 1, 1) | {"datasets": {"photos": entry | {"test_fraction": 0.1, "image_size": 32}}}
    (folder / "many.yaml").write_text(yaml.safe_dump(small, sort_keys=False))
    printed, spent = measured([*DRY_RUN, "--configfile", "many.yaml"], folder)
    jobs_of(printed)
    return {"files": count, "form": entry["source"]} | spent


def main() -> None:
    options = parser(__doc__, out="scale.json")
    options.add_argument(
        "--sizes", type=int, nargs="*", default=range(len(SIZES)), help="which of the four sizes; none: start-up alone"
    )
    add_work(options)
    arguments = options.parse_args()
    out, quick = out_of(arguments), arguments.quick
    arguments.sizes = [0] if quick else arguments.sizes
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("workflow", "config", "profiles"):
            # With what Python has compiled and code_digest has parsed, but for what another process is just writing there.
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("*.pyc.*", "parsed.*.[0-9]*"))
        shutil.copy2(ROOT / "Snakefile", folder)
        heading = (
            f"{'jobs':>6} {'plan':>8} {'CPU':>8} {'memory':>9}   {'bare CPU':>8} {'ratio':>6}   "
            f"{'runs':>5} {'compare':>8} {'memory':>9}"
        )
        print(heading if arguments.sizes else "start-up alone")
        for number in arguments.sizes:
            turns = IN_TURN if number == len(SIZES) - 1 else 1
            row = planned(SIZES[number], folder, turns) | aggregate(SIZES[number], folder)
            rows.append(row)
            print(
                f"{row['jobs']:>6} {row['plan_seconds']:>6.1f} s {row['plan_cpu_seconds']:>6.1f} s "
                f"{row['plan_mb']:>6.0f} MB   {row['bare_cpu_seconds']:>6.1f} s {row['plan_ratio']:>6.2f}   {row['runs']:>5} "
                f"{row['aggregation_seconds']:>6.1f} s {row['aggregation_mb']:>6.0f} MB",
                flush=True,
            )
        files = QUICK_FILES if quick else FILES
        folders = [listed(files, folder, table) for table in (False, True)]
        for row in folders:
            print(
                f"{row['files']:,} images as {row['form']}: listed and planned in {row['seconds']:.1f} s ({row['cpu_seconds']:.1f} s of the "
                f"processor), {row['mb']:.0f} MB",
                flush=True,
            )
    import startup  # here: it imports torch, and a child's peak memory begins with its parent's

    started = startup.measure(quick, arguments.work)
    out.write_text(json.dumps({"sizes": rows, "folders": folders, "startup": started}, indent=2) + "\n")
    if quick:
        return
    limits = {"plan_ratio": PLAN_RATIO, "plan_mb": PLAN_MB, "aggregation_mb": AGGREGATION_MB}
    missed = [
        f"{key} is {row[key]:.4g}, above {limit:.4g}"
        for row in rows[-1:]
        for key, limit in limits.items()
        if row[key] > limit
    ]
    missed += [
        f"{row['files']:,} images as {row['form']} take {row[key]:.0f} ({key}), above {limit:.0f}"
        for row in folders
        for key, limit in {"seconds": LISTED_SECONDS, "mb": LISTED_MB}.items()
        if row[key] > limit
    ]
    missed += [
        f"{row['name']} is {row['value']:.1f}, above {row['target']:.0f}"
        for row in started
        if row["target"] is not None and row["value"] > row["target"]
    ]
    if missed:
        sys.exit("target missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
