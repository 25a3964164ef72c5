"""What a study will cost, before anything is spent: `ftbench plan`.

Time is estimated by a roofline: the floating-point operations of a forward pass, counted by torch on tensors without
data, over the sustained arithmetic of the machine that the config names, plus the bytes of all activations over its
memory bandwidth. A training step counts three forward passes (one forward, two backward) even where only a part of the
network moves, so the plan of a partial strategy is an upper bound. Where a frozen part runs once, the two parts are counted apart.
Expect a factor of two either way.
"""

import functools
import math
from collections.abc import Callable
from pathlib import Path

from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.data import sources
from ftbench.study import grid
from ftbench.study import trials as search
from ftbench.study.cached_views import passes_on, views_of, wildcards
from ftbench.study.checks.image_sizes import steps_at_sizes
from ftbench.study.checks.view_sizes import gigabytes
from ftbench.study.kinds import declared
from ftbench.study.tuning.budget import described, said_of
from ftbench.study.tuning.equal_compute import FULL
from ftbench.tools.passes import PassCost, forward_cost, halves_cost
from ftbench.train import recipes


def images_of(name: str, entry: dict, study: str) -> tuple[int, int]:
    """(train with validation, test) images: counted if they are prepared already, else from what the source declares.

    Of a data set that is tested in folds they are those of one fold.
    """
    folder, facts = Path("results", study, "data", name), declared(entry["source"], "sources")
    published = facts["sizes"].get(entry["name"])
    if all((folder / f"{part}.json").exists() for part in ("train", "test")):
        train, test = (read_json(folder / f"{part}.json")["images"] for part in ("train", "test"))
        classes = len(read_json(folder / "classes.json"))
    elif published:
        train, test, classes = published
    elif not facts["listing"]:
        raise InputError(
            f"config: datasets.{name} has source {entry['source']}, which does not say how many images it has; "
            f"prepare it first: snakemake {folder / 'train.json'} {folder / 'test.json'}."
        )
    else:
        counts, classes = sources.load(entry["source"]).counts(entry, entry["path"])
        train, test = counts["train"], counts.get("test")
        if test is None and not entry["test_folds"]:
            test = int(train * entry["test_fraction"])
            train -= test
        train += counts.get("validation", 0)
    if entry["test_folds"]:
        test = math.ceil(train / entry["test_folds"])
        train -= test
    if entry["train_limit"]:
        train = min(train, entry["train_limit"] * classes)
    return train, test


class _Clock:
    """Seconds of one image's pass on the machine that the config names."""

    def __init__(self, study: dict):
        self.study, self.machine = study, study["hardware"]
        self.bytes_per_value = 4 if study["precision"] == "float32" else 2
        self.whole, self.halves = functools.cache(self._whole), functools.cache(self._halves)

    def _seconds(self, cost: PassCost) -> float:
        flops, moved = cost
        return flops / (self.machine["teraflops"] * 1e12) + moved / (self.machine["gigabytes_per_second"] * 1e9)

    def _whole(self, backbone: str, side: int) -> float:
        return self._seconds(
            forward_cost(self.study["backbones"][backbone] | {"image_size": side}, self.bytes_per_value)
        )

    def _halves(self, backbone: str, kind: str) -> tuple[float, float, int]:
        """(seconds of the frozen part, of the rest, numbers that cross the cut)"""
        frozen, rest, values = halves_cost(self.study["backbones"][backbone], kind, self.bytes_per_value)
        return self._seconds(frozen), self._seconds(rest), values


def plan(study: dict, counted: dict[str, tuple[int, int]] | None = None) -> list[dict]:
    """One dict per cell: dataset, backbone, strategy, runs, hours. `counted` are the (train, test) images of data sets, where known.

    A cell that reads cached views has "views" as well, {name, gigabytes, hours}; its hours hold them if it is the first of theirs.
    """
    counted, clock, made = dict(counted or {}), _Clock(study), set()
    rows = []
    for cell in grid.cells(study):
        entry, dataset = study["strategies"][cell.strategy], study["datasets"][cell.dataset]
        if cell.dataset not in counted:
            counted[cell.dataset] = images_of(cell.dataset, dataset, study["study"])
        images, test = counted[cell.dataset]
        validation = images * dataset["validation_fraction"]
        own = study["backbones"].get(cell.backbone, {}).get("image_size")
        forward = clock.whole(cell.backbone, own) if own else 0.0  # what was predicted outside takes no time here
        seeds = len(grid.seeds_of(study, cell.strategy))
        engine, more = declared(entry["kind"])["engine"], {}
        if engine == "given":
            runs, seconds = 1, 0.0
        elif engine == "features":
            runs, seconds = seeds, (images + test) * forward  # every fit reads the same features
        elif engine == "runs":
            runs, seconds = seeds, _combining(study, cell, images, validation, test) * forward
        else:
            trials = search.trials(study, cell.strategy) * (seeds if grid.own_splits(study) else 1)
            shares = [1.0] * seeds + [trial.share for trial in trials]
            planned = [search.shortened(entry["recipe"], share) for share in shares]
            runs, forward_at = len(planned), functools.partial(clock.whole, cell.backbone)
            if views_of(study, cell.strategy):
                forward_at = _rest_alone(clock.halves(cell.backbone, entry["kind"])[1])
                more = {"views": _views(study, cell, images, clock)}
            seconds = _training(planned, images - validation, validation, own, forward_at) + seeds * test * forward
            if more and more["views"]["name"] not in made:
                made.add(more["views"]["name"])
                seconds += more["views"]["hours"] * 3600
        folds = len(grid.folds_of(study, cell.dataset)) or 1  # each trains and predicts on its own
        rows.append({**cell._asdict(), "runs": folds * runs, "hours": folds * seconds / 3600, **more})
    return rows


def _rest_alone(seconds: float) -> Callable:
    """Of a network whose frozen part was run before: one image's pass through the rest, whatever the size, since there is one."""
    return lambda side: seconds


def _views(study: dict, cell, images: int, clock: _Clock) -> dict:
    """{"name", "gigabytes", "hours"} of the cached views that a cell reads, of one fold if there are several."""
    named = wildcards(study, cell)
    once, _, values = clock.halves(cell.backbone, named["kind"])
    count = passes_on(study, cell.dataset, images, named["views"])
    name = f"{cell.dataset} / {cell.backbone}: {named['views']} views by {named['kind']}, {named['policy']}"
    return {"name": name, "gigabytes": gigabytes(count, values), "hours": count * once / 3600}


def _training(recipes_of_runs: list[dict], train: float, validation: float, own: int, forward: Callable) -> float:
    """Seconds of these runs on `train` and `validation` images; `forward(side)` is one image's forward pass at that size."""
    seconds = 0.0
    for recipe in recipes_of_runs:
        _, per_epoch, total = recipes.steps_of(recipe, max(1, round(train)))
        at = steps_at_sizes(recipe, own, total)
        mean = sum(steps * forward(side) for side, steps in at.items()) / total
        seconds += total / per_epoch * (train * FULL * mean + validation * forward(own))
    return seconds


def _combining(study: dict, cell, images: float, validation: float, test: int) -> float:
    """Images that pass through a network while a cell is made of finished runs: for each combination that is tried those that train
    (norm statistics), and those that validate it twice (with these statistics and with averaged ones), then the test images. 0 where the
    networks answer together: they have answered."""
    entry = study["strategies"][cell.strategy]
    if declared(entry["kind"]).get("together"):
        return 0
    tried = len(entry["grid"]) if entry["grid"] else 2 * len(grid.seeds_of(study, entry["of"]))
    return len(grid.seeds_of(study, cell.strategy)) * (tried * (images + validation) + test)


def show(study: dict, rows: list[dict]) -> str:
    machine = study["hardware"]
    by_backbone = {}
    for row in rows:
        runs, hours = by_backbone.get((row["dataset"], row["backbone"]), (0, 0.0))
        by_backbone[row["dataset"], row["backbone"]] = (runs + row["runs"], hours + row["hours"])
    total = sum(row["hours"] for row in rows)
    outside = sum(grid.given(study, name) is not None for name in study["strategies"])
    product = len(study["backbones"]) * (len(study["strategies"]) - outside) + outside
    datasets = [name for name, entry in study["datasets"].items() if entry["fold_of"] is None]
    skipped = len(datasets) * product - len(rows)
    width = max(len(f"{dataset} / {backbone}") for dataset, backbone in by_backbone)
    lines = [
        f"Study {study['study']}: {len(rows)} cells ({skipped} of the product excluded or impossible), {sum(row['runs'] for row in rows)} trials and runs.",
        f"Estimated for {machine['name']} ({machine['teraflops']:g} TFLOP/s, {machine['gigabytes_per_second']:g} GB/s sustained), within a factor of two:",
        *(
            f"  {f'{dataset} / {backbone}':<{width}}  {runs:4d} runs  {_time(hours)}"
            for (dataset, backbone), (runs, hours) in by_backbone.items()
        ),
        *_folds(study, by_backbone),
        *_frozen_parts(study, rows),
        *_tuning(study),
        f"Total {_time(total)} of training, {_time(total / machine['parallel_jobs'])} with {machine['parallel_jobs']} at a time.",
        *(f"Note: {said}." for said in [said_of(study)] if said),
    ]
    return "\n".join(lines)


def _folds(study: dict, places) -> list[str]:
    """A line for each data set that is tested in folds: all of its runs and trials are counted above, those of every fold."""
    folds = {dataset: len(grid.folds_of(study, dataset)) for dataset, _ in places}
    return [
        f"{dataset} is tested in {count} folds: {count} times the trials and runs of one test part."
        for dataset, count in folds.items()
        if count
    ]


def _frozen_parts(study: dict, rows: list[dict]) -> list[str]:
    """A line for each file of cached views: a job of its own, whose time is counted above."""
    found = {row["views"]["name"]: (row["dataset"], row["views"]) for row in rows if "views" in row}
    said = []
    for name, (dataset, views) in found.items():
        folds = len(grid.folds_of(study, dataset)) or 1
        what = "one job" if folds == 1 else f"{folds} jobs, one a fold"
        gb = folds * views["gigabytes"]
        said.append(
            f"{name}: the frozen part runs once, {what}, {_time(folds * views['hours']).strip()}, {gb:.2f} GB on the disk."
        )
    return said


def _tuning(study: dict) -> list[str]:
    """A line for each strategy: its trials, and their compute beside that of the costliest ones."""
    told = described(study)
    width = max(map(len, told))
    share = {name: "      " if part is None else f"{part:6.2f}" for name, (_, part) in told.items()}
    return [
        f"Tuning per backbone{', seed' * grid.own_splits(study)} and data set, beside the costliest (1.00; operations, estimated):",
        *(f"  {name:<{width}} {share[name]}  {words}" for name, (words, _) in told.items()),
    ]


def _time(hours: float) -> str:
    return f"{hours:6.2f} h" if hours >= 0.5 else f"{hours * 60:6.1f} min"
