"""What no schema can say of a config: an unknown backbone in an `exclude`, grids of unequal length, an empty product."""

import os
from pathlib import Path

from ftbench.base.errors import InputError, choices
from ftbench.study import grid, kinds
from ftbench.study import trials as search
from ftbench.study.checks.backbones import check_backbones, check_path
from ftbench.study.checks.cached_views import check_cached_views
from ftbench.study.checks.folds import check_folds
from ftbench.study.checks.given import check_given, check_given_files
from ftbench.study.checks.image_sizes import check_image_sizes
from ftbench.study.checks.made_of_runs import check_made_of, check_members_in_grid
from ftbench.study.checks.norm_statistics import check_norm_statistics
from ftbench.study.checks.splits import check_splits
from ftbench.study.downloads import download_of
from ftbench.study.paths import file_and_key, run_of_weights
from ftbench.study.reader import shown_text
from ftbench.study.rows.shards import is_hub, shards_of

# Keys of a data set that only some sources read.
SOURCES = {
    *("name", "path", "groups", "test_fraction", "test_folds", "urls", "md5", "download_gb"),
    *("validation", "parts", "include", "exclude", "range", "images", "columns"),
}


def check(config: dict) -> None:
    """Raise InputError, one sentence, at the first thing that contradicts another. Fills in the probe that a strategy starts from."""
    check_made_of(config)
    check_given(config)
    check_splits(config)
    _device(config)
    _trials(config)
    _halving(config)
    check_folds(config)
    _datasets(config)
    check_backbones(config)
    _probes(config)
    _grid(config)
    check_members_in_grid(config)
    _policies(config)
    check_image_sizes(config)
    check_norm_statistics(config)
    check_cached_views(config)
    _label_issues(config)


def check_files(config: dict) -> None:
    """Raise InputError if a folder of images or a file of weights that the user names is missing.

    Asked before a study starts, not whenever a config is read: a report is written from results alone.
    """
    for name, entry in config["datasets"].items():
        _check_listed(f"datasets.{name}", entry, kinds.declared(entry["source"], "sources")["listing"])
        if entry["groups"] is not None and (fault := _missing(entry["groups"], Path.is_file)):
            raise InputError(
                f"config: datasets.{name}.groups is {shown_text(entry['groups'])}, and {fault}; give a CSV "
                "with the columns file and group."
            )
    for name, entry in config["backbones"].items():
        scheme = entry["weights"].partition(":")[0]
        if scheme == "file" and (fault := _missing(file_and_key(entry["weights"])[0], Path.is_file)):
            raise InputError(
                f"config: backbones.{name}.weights is {shown_text(entry['weights'])}, and {fault}; give the "
                "path of the weights."
            )
        _check_run_weights(name, entry["weights"], config["study"])
    check_given_files(config, _missing)


def _check_run_weights(backbone: str, weights: str, study: str) -> None:
    """A run of another study has left its model, its record, and what says which images it was trained on."""
    if not weights.startswith("run:"):
        return
    owner, run = run_of_weights(weights)
    if owner == study:
        return
    trained = Path("results", owner, run)
    data = Path("results", owner, "data", trained.parents[2].name)
    for needed in (trained / "run.json", trained / "model.safetensors", data / "files.csv", data / "split.npz"):
        if not needed.is_file():
            raise InputError(
                f"config: backbones.{backbone}.weights is {weights}, and {needed} is missing; run that study first, or name another run."
            )


def _check_listed(key: str, entry: dict, form: str | None) -> None:
    """What a data set is read from: a folder, a table with the folder of its images, or shards."""
    needed = {
        "folder": [("path", Path.is_dir, "folder", "give the folder that holds the class folders or train and test")],
        "rows": [
            ("path", Path.is_file, "file", "give the table of files and labels"),
            ("images", Path.is_dir, "folder", "give the folder of the images that the table names"),
        ],
    }
    for name, is_one, what, advice in needed.get(form, []):
        if entry[name] is not None and (fault := _missing(entry[name], is_one, what)):
            raise InputError(f"config: {key}.{name} is {shown_text(entry[name])}, and {fault}; {advice}.")
    if form == "shards":
        try:
            shards_of(entry["path"], kinds.declared(entry["source"], "sources")["suffixes"])
        except InputError as error:
            raise InputError(f"config: {key}.{error}") from None


def _missing(path: str, is_one, what: str = "file") -> str | None:
    """Why a path leads to no file or folder, by `is_one`, that can be read; None if it does."""
    try:
        there = is_one(Path(path))
    except OSError as error:
        return f"it leads nowhere ({error.strerror})"
    return f"there is no such {what}" if not there else None if os.access(path, os.R_OK) else "it cannot be read"


def _device(config: dict) -> None:
    if config["device"] == "mps" and config["gpus_per_run"] > 1:
        raise InputError(
            f"config: gpus_per_run is {config['gpus_per_run']}, but device mps is a single one; set it to 1."
        )


def _trials(config: dict) -> None:
    for entry in config["strategies"].values():
        trials = entry["learning_rate"]
        if isinstance(trials, list) and len(set(trials)) != config["tuning"]["trials"]:
            raise InputError(
                f"config: strategies.{entry['family']}.learning_rate lists {len(set(trials))} different values, but tuning.trials is "
                f"{config['tuning']['trials']}; every tuned strategy gets the same number of trials."
            )


def _halving(config: dict) -> None:
    """A successive halving whose rungs all choose something, each from longer trials than the one before."""
    tuning = config["tuning"]
    if tuning["search"] == "grid" or config["smoke"]:
        return
    needed = search.FACTOR ** (tuning["rungs"] - 1) + 1
    if tuning["trials"] < needed:
        raise InputError(
            f"config: tuning.trials is {tuning['trials']}, of which fewer than two reach the last of {tuning['rungs']} rungs; "
            f"a successive halving needs at least {needed}, or take search grid."
        )
    for name, entry in config["strategies"].items():
        lengths = [search.shortened(entry["recipe"], share) for _, share in search.rungs(config, name)]
        key = "epochs" if entry["recipe"]["examples"] is None else "examples"
        if len({recipe[key] for recipe in lengths}) < len(lengths):
            raise InputError(
                f"config: strategies.{name}.{key} is {entry['recipe'][key]}, too few for {tuning['rungs']} rungs of a successive "
                f"halving, each three times as long as the one before; at least {search.FACTOR ** (tuning['rungs'] - 1)} are needed."
            )


def _label_issues(config: dict) -> None:
    """Labels are judged by features of a pretrained backbone."""
    for name, entry in config["datasets"].items():
        if entry["fold_of"]:
            continue
        judges = [
            cell
            for cell in grid.cells(config)
            if cell.dataset == name
            and grid.start(config, cell.backbone, cell.strategy) in grid.PRETRAINED
            and config["backbones"][cell.backbone]["weights"] != "none"
        ]
        if entry["drop_label_issues"] and not judges:
            raise InputError(
                f"config: datasets.{name}.drop_label_issues is {entry['drop_label_issues']}, but no backbone with pretrained weights runs on "
                "it, whose features could judge labels; add one, or set it to 0."
            )


def _policies(config: dict) -> None:
    """The policies of one strategy's list differ on every data set, also if its images must not be mirrored."""
    for dataset, entry in config["datasets"].items():
        seen: dict[tuple, str] = {}
        for cell in grid.cells(config):
            strategy = config["strategies"][cell.strategy]
            if cell.dataset != dataset or entry["flip"] or strategy["family"] == cell.strategy:
                continue
            policy = strategy["recipe"]["augmentation"]
            same = (cell.backbone, strategy["family"], kinds.declared(policy, "policies")["without_flip"])
            if same in seen:
                raise InputError(
                    f"config: strategies.{strategy['family']}.augmentation lists {seen[same]} and {policy}, which are the same on "
                    f"datasets.{dataset}, whose images must not be mirrored (flip is false); remove or exclude one."
                )
            seen[same] = policy


def _datasets(config: dict) -> None:
    for name, entry in config["datasets"].items():
        key = f"datasets.{name}"
        for path in ("exclude_test", "groups", "images", "path", "slices_table"):
            check_path(f"{key}.{path}", entry[path])
        if entry["exclude_test"] is not None and (fault := _missing(entry["exclude_test"], Path.is_file)):
            raise InputError(
                f"config: {key}.exclude_test is {shown_text(entry['exclude_test'])}, and {fault}; give a CSV with the "
                "columns id or file, and reason, seen from the folder where Snakemake runs."
            )
        kinds.check("sources", entry["source"], f"{key}.source")
        _slices(key, entry)
        facts = kinds.declared(entry["source"], "sources")
        if is_hub(entry["path"] or "") and download_of(entry) is None:
            raise InputError(
                f"config: {key}.path is {shown_text(entry['path'])}; a data set of the hub is read by source parquet as hf:<owner>/<name>, "
                "with @<revision> or /<files> behind it if need be."
            )
        needed = facts["needs"]
        if needed and not entry[needed]:
            raise InputError(f"config: {key}.{needed} is missing; a {entry['source']} data set needs it.")
        if needed == "name" and facts["sizes"] and entry["name"] not in facts["sizes"]:
            raise InputError(f"config: {key}.name is {entry['name']!r}; valid: {choices(facts['sizes'])}.")
        for unused in sorted(SOURCES - {needed, *facts["options"]}):
            if entry[unused] not in (None, []):
                raise InputError(f"config: {key}.{unused} has no effect with source {entry['source']}; remove it.")
        if entry["range"] and entry["range"][0] >= entry["range"][1]:
            raise InputError(f"config: {key}.range is {entry['range']}; it must be [low, high] with low below high.")

    published = {}
    for name, entry in config["datasets"].items():
        if (folder := download_of(entry)) is not None:
            download = (entry["source"], folder)
            first = published.setdefault(download, (name, entry["urls"], entry["md5"]))
            if first[1:] != (entry["urls"], entry["md5"]):
                raise InputError(
                    f"config: datasets.{name} and datasets.{first[0]} give different urls or md5 for {folder}, "
                    "which is downloaded once for both; give both the same."
                )


def _slices(key: str, entry: dict) -> None:
    """Columns to slice by are in a CSV of the user's, or kept by the source."""
    if entry["slices_table"] is not None and (fault := _missing(entry["slices_table"], Path.is_file)):
        raise InputError(
            f"config: {key}.slices_table is {shown_text(entry['slices_table'])}, and {fault}; give a CSV with the column "
            "file and the columns to slice by."
        )
    rows = kinds.having("sources", "listing", "rows") + kinds.having("sources", "listing", "shards")
    if entry["slices"] and entry["slices_table"] is None and entry["source"] not in rows:
        raise InputError(
            f"config: {key}.slices is {entry['slices']}, but source {entry['source']} keeps no columns beside its images ({choices(rows)} do); "
            "give a slices_table."
        )


def _probes(config: dict) -> None:
    heads = kinds.having("strategies", "linear_head")
    probes = [name for name, entry in config["strategies"].items() if entry["kind"] in heads]
    for name, entry in config["strategies"].items():
        if kinds.declared(entry["kind"])["start"] != "probe":
            if entry["probe"] is not None:
                raise InputError(
                    f"config: strategies.{name}.probe has no effect on the kind {entry['kind']}; remove it."
                )
            continue
        if entry["probe"] is None and len(probes) == 1:
            entry["probe"] = probes[0]
        if entry["probe"] not in probes:
            raise InputError(
                f"config: strategies.{name}.probe is {entry['probe']!r}; it must name a strategy of kind {choices(heads)} "
                f"({choices(probes) or 'the study has none: add one'})."
            )


def _grid(config: dict) -> None:
    tables = {"dataset": "datasets", "backbone": "backbones", "strategy": "strategies"}
    names = {table: list(config[table]) for table in tables.values()} | {"backbones": grid.backbones(config)}
    names["datasets"] = [name for name, entry in config["datasets"].items() if not entry["fold_of"]]
    for number, pattern in enumerate(config["exclude"]):
        for axis, given in pattern.items():
            for name in given if isinstance(given, list) else [given]:
                if name not in names[tables[axis]]:
                    raise InputError(
                        f"config: exclude.{number}.{axis} is {name!r}, which is not in {tables[axis]}; "
                        f"valid: {choices(names[tables[axis]])}."
                    )
    random = kinds.having("strategies", "start", "random")
    if not grid.cells(config):
        raise InputError(
            "config: the grid is empty, since exclude and the backbones without weights leave no cell; "
            f"drop an exclude entry, or add a strategy of kind {choices(random)} for backbones with weights none."
        )
    for name in config["backbones"]:
        left = [
            strategy
            for dataset in config["datasets"]
            for strategy in config["strategies"]
            if not grid.excluded(grid.Cell(dataset, name, strategy), config["exclude"])
            and not grid.given(config, strategy)
        ]
        if left and not any(grid.admits(config, name, strategy) for strategy in left):
            raise InputError(
                f"config: backbones.{name} has weights none, from which {choices(set(left))} cannot start, so that nothing would run "
                f"on it; name its weights, add a strategy of kind {choices(random)}, or list it in exclude."
            )
