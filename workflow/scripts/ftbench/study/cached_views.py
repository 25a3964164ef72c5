"""Frozen parts that run once: which files hold what they give, and which cells share them.

A kind whose lower part never moves has the option `cached_views`: how many augmented views of each training image its frozen part runs
over, once for all trials and seeds. All cells of one data set, backbone, kind, augmentation and number of views read the same files.
"""

from collections.abc import Iterable

from ftbench.study import grid, kinds, settings
from ftbench.study.checks.view_sizes import passes
from ftbench.study.grid import Cell
from ftbench.study.paths import VIEWS

OPTION = "cached_views"


def views_of(study: dict, strategy: str) -> int | None:
    """The number of views that a strategy's frozen part runs over once; None if it runs in every step."""
    return study["strategies"][strategy]["recipe"].get(OPTION)


def cached(study: dict, cells: Iterable[Cell]) -> list[Cell]:
    """The cells that read cached views."""
    return [cell for cell in cells if views_of(study, cell.strategy)]


def wildcards(study: dict, cell) -> dict:
    """{kind, policy, views}: what names the files of a cell beside its data set and backbone."""
    entry = study["strategies"][cell.strategy]
    policy = settings.augmentation(study, cell.dataset, entry["recipe"]["augmentation"])
    return {"kind": entry["kind"], "policy": policy, "views": views_of(study, cell.strategy)}


def view_files(study: dict, cell) -> dict:
    """{name: file} of what a trial or run of this cell reads, its data set and backbone left open; {} if it reads none."""
    if not views_of(study, cell.strategy):
        return {}
    folder = VIEWS
    for name, value in wildcards(study, cell).items():
        folder = folder.replace(f"{{{name}}}", str(value))
    return {"views": f"{folder}/views.npy", "plain": f"{folder}/plain.npy", "views_cost": f"{folder}/cost.json"}


def views_run(study: dict, job) -> dict:
    """What the job runs with that makes these files; it has the attributes dataset, backbone, kind, policy and views."""
    return settings.machine(study, job.backbone) | {
        "kind": job.kind,
        "augmentation": job.policy,
        "views": int(job.views),
        "own_splits": grid.own_splits(study),
    }


def view_modules(study: dict, job) -> list[str]:
    """The modules that this job loads by name."""
    source = study["backbones"][job.backbone]["source"]
    return [
        kinds.module(*one) for one in (("strategies", job.kind), ("policies", job.policy), ("architectures", source))
    ]


def passes_on(study: dict, dataset: str, images: int, views: int) -> int:
    """Images that pass through the frozen part for a data set that has `images` to train and validate with."""
    validation = round(images * study["datasets"][dataset]["validation_fraction"])
    return passes(images - validation, validation, views, grid.own_splits(study))


def step_passes(recipe: dict, passes: float) -> float:
    """Forward passes that a step's operations are, of a kind whose step takes `passes`: where the frozen part does not run, the forward
    pass is that of what moves alone, half of the backward one.
    """
    return 1.5 * (passes - 1) if recipe.get(OPTION) else passes
