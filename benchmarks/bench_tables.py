"""Time of every table and figure of a large study, from saved logits: `make bench-tables` writes results/bench_tables.json.

8 backbones × 8 strategies × 5 seeds × 10,000 test images of 10 classes, random logits. Each job of the workflow runs in a Python
process of its own, two at a time, as Snakemake starts them on two cores; Snakemake's own time per job comes on top. The target
is 5 minutes and 4 GB.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from _common import ROOT, out_of, parser

sys.path.insert(0, str(ROOT / "tests" / "unit"))

from synthetic import PROBES, write_study  # noqa: E402

from ftbench.base.files import write_json  # noqa: E402

WORKERS = 2
BUDGETS = {"quick": {"minutes": 10.0}, "small": {"parameters": 5_000_000}, "fast": {"latency_ms": 10.0}}
FORMATS = ("html", "markdown", "latex")


def pages(tables: Path, name: str) -> dict[str, Path]:
    return {form: tables / f"{name}.{form}" for form in FORMATS}


def evaluate_cell(study, paths, cell):
    from ftbench.evaluate.run_scores import evaluate

    for entry in study["runs"]:
        if {key: entry["labels"][key] for key in cell} == cell:
            classes = study["data"][cell["dataset"]] / "classes.json"
            evaluate(entry["test_logits"], entry["val_logits"], entry["run"], classes, entry["metrics"])


def collect_metrics(study, paths):
    from ftbench.evaluate.collect import collect

    collect(study["runs"], PROBES, paths / "runs.csv")


def compare_strategies(study, paths):
    from ftbench.compare.comparison import compare

    names = ("cells", "pairwise", "differences", "classes")
    compare(study["runs"], "accuracy", *(paths / f"{name}.csv" for name in names))


def report_comparison(study, paths):
    from ftbench.report.result.comparison_table import comparison_pages, comparison_table

    inputs = [paths / f"{name}.csv" for name in ("runs", "cells", "differences")]
    comparison_table(*inputs, study["cells"], paths / "comparison.csv")
    comparison_pages(paths / "comparison.csv", inputs[2], pages(paths, "comparison"))


def report_calibration(study, paths):
    from ftbench.report.uncertainty.calibration_table import calibration_pages

    calibration_pages(paths / "comparison.csv", pages(paths, "calibration"))


def report_pairwise(study, paths):
    from ftbench.report.uncertainty.critical_difference_figure import critical_difference
    from ftbench.report.uncertainty.pairwise_table import pairwise_pages
    from ftbench.report.uncertainty.ranks_tables import ranks_table, win_tie_loss_pages, win_tie_loss_table

    pairwise_pages(paths / "pairwise.csv", pages(paths, "pairwise"))
    sentence = ranks_table(paths / "comparison.csv", paths / "ranks.csv")
    critical_difference(paths / "comparison.csv", study["strategies"], paths / "critical_difference.svg")
    win_tie_loss_table(paths / "pairwise.csv", paths / "win_tie_loss.csv")
    win_tie_loss_pages(paths / "win_tie_loss.csv", study["strategies"], sentence, pages(paths, "win_tie_loss"))


def report_recommendation(study, paths):
    from ftbench.report.recommendation.recommendation_table import recommendation_pages, recommendation_table

    inputs = [paths / f"{name}.csv" for name in ("comparison", "cells", "differences", "runs")]
    recommendation_table(*inputs, BUDGETS, "accuracy", 0.01, paths / "recommendation.csv")
    recommendation_pages(paths / "recommendation.csv", pages(paths, "recommendation"))


def report_cost(study, paths):
    from ftbench.report.cost.cost_table import cost_pages, cost_table

    cost_table(paths / "runs.csv", study["cells"], paths / "cost.csv")
    cost_pages(paths / "cost.csv", paths / "runs.csv", pages(paths, "cost"))


def report_per_class(study, paths):
    from ftbench.report.classes.per_class_tables import class_pages, per_class_table

    outs = [paths / f"{name}.csv" for name in ("per_class", "confused")]
    per_class_table(study["runs"], paths / "classes.csv", study["cells"], *outs)
    class_pages(*outs, pages(paths, "per_class"), pages(paths, "confused"))


def report_provenance(study, paths):
    from ftbench.report.provenance.runs_page import provenance_page

    provenance_page(study["runs"], paths / "study.json", paths / "provenance.html")


def figure(study, paths, name):
    """One figure of the study's only data set: function `name` of ftbench/report/<chapter>/<name>_figure.py."""
    import importlib

    (file,) = (ROOT / "workflow" / "scripts" / "ftbench" / "report").glob(f"*/{name}_figure.py")
    draw = getattr(importlib.import_module(f"ftbench.report.{file.parent.name}.{file.stem}"), name)
    dataset, out = study["datasets"][0], paths / f"{name}.svg"
    order, data = (study["strategies"], study["backbones"]), study["data"][dataset]
    runs, tables = study["runs"], {key: paths / f"{key}.csv" for key in ("comparison", "runs", "cells", "per_class")}
    match name:
        case "accuracy":
            draw(tables["comparison"], tables["runs"], paths / "differences.csv", dataset, *order, out)
        case "pareto":
            draw(tables["comparison"], dataset, *order, out)
        case "tuning":
            draw(study["selected"], dataset, *order, out)
        case "learning_curves" | "reliability" | "risk_coverage":
            draw(runs, dataset, *order, out)
        case "confusion":
            draw(runs, tables["cells"], dataset, out)
        case "per_class":
            draw(tables["per_class"], dataset, out)
        case "mistakes":
            from ftbench.report.classes.mistakes_list import find_mistakes

            images = np.load(data / "test_images.npy", mmap_mode="r")
            draw(find_mistakes(runs, tables["cells"], images, dataset), images, data / "classes.json", dataset, out)


FIGURES = ("accuracy", "pareto", "tuning", "learning_curves", "reliability", "risk_coverage", "confusion", "per_class")
FIGURES += ("mistakes",)
STEPS = [  # jobs of one step do not need each other
    [collect_metrics, compare_strategies],
    [report_comparison, report_cost, report_per_class, report_provenance],
    [report_calibration, report_pairwise, report_recommendation, *FIGURES],
]


def job(task, study, paths, *arguments) -> tuple[str, float, float]:
    """Run one job; its name, CPU seconds and the process's peak resident memory in MB."""
    if isinstance(task, str):
        figure(study, paths, task)
    else:
        task(study, paths, *arguments)
    name = task if isinstance(task, str) else task.__name__
    used = resource.getrusage(resource.RUSAGE_SELF)
    # CPU seconds from the start of the process, imports included: a busy machine changes them least.
    return name, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    options = parser(__doc__, out="bench_tables.json")
    options.add_argument("--backbones", type=int, default=8)
    options.add_argument("--strategies", type=int, default=8)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--images", type=int, default=10_000)
    sizes = options.parse_args()
    out, quick = out_of(sizes), sizes.quick
    if quick:
        sizes.backbones, sizes.strategies, sizes.seeds, sizes.images = 1, 3, 2, 200
    shape = {name: getattr(sizes, name) for name in ("backbones", "strategies", "seeds", "images")}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = ["tutorial", "linear_probe", "lp_ft", *(f"strategy_{k}" for k in range(sizes.strategies - 3))]
        study = write_study(
            root, backbones=[f"backbone_{k}" for k in range(sizes.backbones)], strategies=names,
            seeds=tuple(range(sizes.seeds)), images=sizes.images, classes=10, diverged_cell=False,
        )  # fmt: skip
        tables = root / "tables"
        tuning = {"seed": 1000, "trials": 3}
        study_json = {
            "study": "bench",
            "seeds": list(range(sizes.seeds)),
            "tuning": tuning,
            "selection_metric": "accuracy",
        }
        write_json(tables / "study.json", study_json)
        steps = [[(evaluate_cell, cell) for cell in study["cells"]], *([(task,) for task in step] for step in STEPS)]
        found, start = [], time.perf_counter()
        spawn = multiprocessing.get_context("spawn")
        for step in steps:
            with ProcessPoolExecutor(WORKERS, mp_context=spawn, max_tasks_per_child=None if quick else 1) as pool:
                running = [pool.submit(job, task, study, tables, *arguments) for task, *arguments in step]
                found += [done.result() for done in as_completed(running)]
        wall = time.perf_counter() - start
    by_name: dict[str, list] = {}
    for name, seconds, memory in found:
        by_name.setdefault(name, []).append((seconds, memory))
    rows = {
        name: {"jobs": len(own), "cpu_seconds": sum(s for s, _ in own), "peak_memory_mb": max(m for _, m in own)}
        for name, own in by_name.items()
    }
    for name, one in rows.items():
        print(f"{name:24} {one['jobs']:3} jobs {one['cpu_seconds']:7.1f} CPU s {one['peak_memory_mb']:7.0f} MB")
    highest = max(one["peak_memory_mb"] for one in rows.values())
    cpu = sum(one["cpu_seconds"] for one in rows.values())
    print(f"all: {cpu:.0f} CPU s, {wall:.0f} s on the clock with {WORKERS} processes, each at most {highest:.0f} MB")
    report = {
        "study": shape,
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        "workers": WORKERS,
        "peak_memory_mb": highest,
        "jobs": rows,
    }
    write_json(out, report)


if __name__ == "__main__":
    main()
