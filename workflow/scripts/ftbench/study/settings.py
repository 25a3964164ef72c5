"""What each job runs with: plain dicts, made from the resolved study and the job's place in the grid.

Snakemake hands such a dict to a job as one parameter, because it compares parameters as a set of bare values. A dict holds what
its job reads and nothing else: a key that only a later job reads would rerun this one.

`study` is what `config.resolve` returns. `cell` is a `grid.Cell`, or anything else with the attributes dataset, backbone and
strategy: the wildcards of a job have them. Every dict can be written as JSON.
"""

from collections.abc import Iterable

from ftbench.base.digests import content_of
from ftbench.study import expand, grid, trials
from ftbench.study.checks.given import files_of
from ftbench.study.checks.image_sizes import relative_area
from ftbench.study.downloads import download_of
from ftbench.study.kinds import declared, module
from ftbench.study.listing import images_folder, listing
from ftbench.study.paths import weights_tag

LATER = (
    *("validation_fraction", "train_limit", "family", "flip", "urls", "download_gb", "exclude_test", "slices"),
    *("slices_table", "group_duplicates", "drop_duplicates", "drop_label_issues", "test_folds", "fold_of", "fold"),
)  # prepare reads none of these
SPLIT = ("validation_fraction", "train_limit", "split_seed", "group_duplicates", "drop_duplicates", "drop_label_issues")
NETWORK = ("source", "model", "weights", "activation", "image_size", "mean", "std")
WEIGHTS = ("source", "model", "weights", "image_size", "mean", "std", "licence")
MACHINE = ("device", "precision", "channels_last", "crop_kernels", "compile", "deterministic", "threads")
CORRUPTIONS = ("kinds", "severities", "images", "seed")
EPOCH = 50_000  # images that an epoch is taken to have, when jobs are put in order

# --- the code --------------------------------------------------------------------------------------------------------


def modules(study: dict, cell, *doors: str) -> list[str]:
    """The modules that a job of this cell loads by name, behind these doors: the digest of its code counts no others."""
    found = []
    for door in doors:
        match door:
            case "strategies":
                kind = study["strategies"][cell.strategy]["kind"]
            case "policies":
                kind = augmentation(study, cell.dataset, study["strategies"][cell.strategy]["recipe"]["augmentation"])
            case "sources":
                kind = study["datasets"][cell.dataset]["source"]
            case "architectures":
                kind = study["backbones"][cell.backbone]["source"]
        found.append(module(door, kind))
    return found


# --- data ------------------------------------------------------------------------------------------------------------


def download(study: dict, source: str, name: str) -> dict:
    """Where a published data set comes from. Several entries may share one download; the checks hold them to one answer."""
    entry = next(
        entry for entry in study["datasets"].values() if (entry["source"], download_of(entry)) == (source, name)
    )
    keys = ("source", "name", "urls", "md5", "download_gb", *["path"] * (entry["name"] is None))
    return {key: entry[key] for key in keys}


def prepare(study: dict, dataset: str) -> dict:
    """What makes arrays of a data set. Of a user's own images, the names and sizes of their files belong to it."""
    entry = study["datasets"][dataset]
    settings = {key: value for key, value in entry.items() if key not in LATER}
    if form := declared(entry["source"], "sources")["listing"]:
        settings["listing"] = listing(entry, form)
    return settings | ({"test_folds": True} if entry["test_folds"] else {})  # the same images, whatever the number


def split(study: dict, dataset: str) -> dict:
    """What holds out the validation part of a data set; `flip` says whether a mirror image is the same picture."""
    entry = study["datasets"][dataset]
    seeks = entry["group_duplicates"] or entry["drop_duplicates"]
    return {key: entry[key] for key in SPLIT} | {"flip": entry["flip"] if seeks else None}


def own_split(study: dict, dataset: str, seed: int) -> dict:
    """What draws one seed's own split of the images that the split of the data set uses."""
    entry = study["datasets"][dataset]
    return {key: entry[key] for key in ("validation_fraction", "split_seed")} | {"seed": int(seed)}


def audit(study: dict, dataset: str, backbones: list[str]) -> dict:
    """What the audit of a data set depends on beside its files: the backbones that judge, and whether a mirror image is a copy."""
    return {"backbones": backbones, "mirrored": study["datasets"][dataset]["flip"]}


def augmentation(study: dict, dataset: str, policy: str) -> str:
    """The policy itself, or its stand-in if the data set's images must not be mirrored."""
    return policy if study["datasets"][dataset]["flip"] else declared(policy, "policies")["without_flip"]


def exclusions(study: dict, datasets: Iterable[str]) -> dict:
    """{data set: {"path", "content", "root"}} of the user's lists of test images to leave out of the clean-test table.

    `root` is the folder of the images, which a row may write before a file's name.
    """
    found = {}
    for name in datasets:
        entry = study["datasets"][name]
        path, form = entry["exclude_test"], declared(entry["source"], "sources")["listing"]
        found[name] = {"path": path, "content": content_of(path), "root": images_folder(entry, form) if path else None}
    return found


def slices(study: dict, dataset: str) -> dict:
    """What divides the test images of a data set into slices: the columns, and where they are, with the digest of the user's table."""
    entry = study["datasets"][dataset]
    path, form = entry["slices_table"], declared(entry["source"], "sources")["listing"]
    return {
        "key": f"datasets.{dataset}",
        "columns": entry["slices"],
        "table": path,
        "content": content_of(path),
        "root": images_folder(entry, form) if path else None,
    }


# --- networks --------------------------------------------------------------------------------------------------------


def start(study: dict, cell) -> str:
    """Where a cell starts: "random", "pretrained" or "probe"."""
    return grid.start(study, cell.backbone, cell.strategy)


def weights(study: dict, source: str, model: str, tag: str) -> dict:
    """What fetches and checks pretrained weights: the entry of a backbone whose weights lie under these names."""
    return next(
        {key: entry[key] for key in WEIGHTS}
        for entry in study["backbones"].values()
        if (entry["source"], entry["model"], weights_tag(entry["weights"])) == (source, model, tag)
    )


def network(study: dict, backbone: str, random: bool = False) -> dict:
    """A backbone as a job builds it. From random weights it is normalized with the data set's own statistics."""
    settings = {key: study["backbones"][backbone][key] for key in NETWORK}
    return settings | {"weights": "none", "mean": None, "std": None} if random else settings


def machine(study: dict, backbone: str, random: bool = False) -> dict:
    """What every job needs that runs a network."""
    return {"network": network(study, backbone, random)} | {key: study[key] for key in MACHINE}


def cell_machine(study: dict, cell) -> dict:
    """The same for a job of one cell, whose strategy says where the network starts."""
    return machine(study, cell.backbone, start(study, cell) == "random")


# --- trials and runs -------------------------------------------------------------------------------------------------


def run(study: dict, cell, seed: int | None = None) -> dict:
    """What trains one network: the cell's strategy with one seed, by default that of the trials.

    Its recipe lacks the learning rate, which a trial or the choice among trials brings.
    """
    entry = study["strategies"][cell.strategy]
    recipe = entry["recipe"]
    return cell_machine(study, cell) | {
        "dataset": cell.dataset,
        "backbone": cell.backbone,
        "strategy": cell.strategy,
        "kind": entry["kind"],
        "seed": study["tuning"]["seed"] if seed is None else int(seed),
        "selection_metric": study["selection_metric"],
        "gpus_per_run": study["gpus_per_run"],
        "recipe": recipe | {"augmentation": augmentation(study, cell.dataset, recipe["augmentation"])},
    }


def trial_seed(study: dict, seed: int | None) -> int:
    """The seed of a trial; where every seed has trials on a split of its own, also those have seeds of their own."""
    return study["tuning"]["seed"] + (int(seed) if grid.own_splits(study) else 0)


def trial_run(study: dict, cell, trial: trials.Trial, seed: int | None = None) -> dict:
    """What trains one trial: the run with the trials' seed, as long as the trial's rung allows.

    `seed` is that of the run whose split the trial is judged on, if each has its own.
    """
    settings = run(study, cell, trial_seed(study, seed))
    return settings | {"recipe": trials.shortened(settings["recipe"], trial.share), "trial": trial._asdict()}


def promotion(study: dict, strategy: str, rung: int) -> dict:
    """How many trials reach a rung, and by which score."""
    places, _ = trials.rungs(study, strategy)[rung]
    return {"places": places, "selection_metric": study["selection_metric"]}


def selection(study: dict, cell) -> dict:
    """What the choice of a recipe depends on beside the trials: the fixed learning rate of a strategy that is not tuned."""
    rate = study["strategies"][cell.strategy]["learning_rate"]
    return run(study, cell) | {"learning_rate": None if isinstance(rate, list) else rate}


def probe_run(study: dict, cell, seed: int | None = None) -> dict:
    """What fits a strategy on cached features: a run with the values to choose from, and without a recipe.

    With splits of their own there is one for each `seed`, which is random in that it is fitted on that split.
    """
    own = {"seed": int(seed), "own_split": True} if grid.own_splits(study) else {}
    return run(study, cell) | {"grid": study["strategies"][cell.strategy]["grid"], "recipe": {}} | own


def combined_run(study: dict, cell) -> dict:
    """What makes a cell of finished runs of another: the machine, the seeds of those runs, and what there is to choose from."""
    entry = study["strategies"][cell.strategy]
    facts, of = declared(entry["kind"]), study["strategies"][entry["of"]]
    options = {key: entry["recipe"][key] for key in facts.get("options", {})}
    return {key: value for key, value in run(study, cell).items() if key not in ("recipe", "seed")} | {
        "of": entry["of"],
        "members": grid.seeds_of(study, entry["of"]),
        "options": options | ({facts["tuned"]: entry["grid"]} if facts["tuned"] else {}),
        "same_probe": entry["probe"] is not None and entry["probe"] == of["probe"],
    }


def given_run(study: dict, cell) -> dict:
    """What takes a cell from the user's predictions of the validation images: the labels, the file, and what its owner states."""
    minutes = grid.given(study, cell.strategy)["training_minutes"]
    labels = {key: getattr(cell, key) for key in grid.Cell._fields}
    rest = {"kind": study["strategies"][cell.strategy]["kind"], "selection_metric": study["selection_metric"]}
    return labels | rest | {"training_minutes": minutes, "predictions": predictions(study, cell, "validation")}


def predictions(study: dict, cell, part: str) -> dict:
    """What reads the user's predictions of part "validation" or "test": {"key", "path", "content", "values", "class_order", "root", "shared"}.

    `content` is a digest of the file, `root` the folder of the images, `shared` whether one file holds both parts.
    """
    given, entry = grid.given(study, cell.strategy), study["datasets"][cell.dataset]
    files, form = files_of(given, cell.dataset), declared(entry["source"], "sources")["listing"]
    path = files[0 if part == "validation" else -1]
    return {
        "key": f"strategies.{cell.strategy}.files.{cell.dataset}",
        "path": path,
        "content": content_of(path),
        "values": given["values"],
        "class_order": given["class_order"],
        "root": images_folder(entry, form),
        "shared": len(files) == 1,
    }


def priority(study: dict, cell, trial: trials.Trial | None = None) -> int:
    """How long a run takes beside the others: the images that it sees, times their area.

    The longest start first, so that none is left over at the end when everything else is done. A trial counts double,
    since all runs of its cell wait for it.
    """
    recipe, size = study["strategies"][cell.strategy]["recipe"], study["backbones"][cell.backbone]["image_size"]
    if trial:
        recipe = trials.shortened(recipe, trial.share)
    area = round(size * size * relative_area(recipe))
    return (recipe["examples"] or recipe["epochs"] * EPOCH) * area * (2 if trial else 1)


# --- what is measured ------------------------------------------------------------------------------------------------


def cost(study: dict, backbone: str, cells: Iterable[grid.Cell]) -> dict:
    """The machine, and what each strategy of `cells`, those of one data set and backbone, runs in a training step."""
    entries = []
    for cell in cells:
        facts = declared(study["strategies"][cell.strategy]["kind"])
        trained = grid.members_of(study, cell) or cell  # the networks that a cell is made of took its steps
        settings = None if facts["engine"] == "features" else run(study, trained)
        # its backbone also runs once without moving
        frozen = settings is None or "probe" in (start(study, cell), start(study, trained))
        bank = study["strategies"][cell.strategy]["kind"] if facts.get("bank") else None
        entries.append({"strategy": cell.strategy, "frozen": frozen, "run": settings, "bank": bank})
        if settings and settings["recipe"].get("cached_views"):
            entries[-1]["own_splits"] = grid.own_splits(study)
    return {"run": machine(study, backbone), "cells": entries}


def corruption(study: dict, cell) -> dict:
    """The machine, the conditions, and the kind of a strategy that is fitted on features."""
    kind, entry = study["strategies"][cell.strategy]["kind"], study["datasets"][cell.dataset]
    chosen = {key: study["corruptions"][key] for key in CORRUPTIONS}
    return {
        "run": cell_machine(study, cell),
        "settings": chosen | {"images": expand.share_of_fold(entry, chosen["images"])},
        "kind": kind if declared(kind)["engine"] == "features" else None,
    }
