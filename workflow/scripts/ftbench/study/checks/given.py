"""Strategies whose predictions come from outside, in a config: their keys, which file is whose, and what is checked of both."""

from collections.abc import Callable
from pathlib import Path

from ftbench.base.errors import InputError, choices
from ftbench.base.given.user_csv import at_home
from ftbench.study.checks.backbones import check_path
from ftbench.study.reader import shown, shown_text

KEYS = ("backbone", "files", "values", "class_order", "training_minutes")
FORMS = "a CSV, parquet, JSON lines or npz file of predictions"


def expand_files(config: dict) -> None:
    """What `files` gives for a data set of several train_limits is given for each of them; a ~ in front becomes the home folder."""
    families = {name: entry["family"] for name, entry in config["datasets"].items()}
    for entry in config["strategies"].values():
        files = entry.get("files", {})
        members = {name: [new for new, family in families.items() if family == name] or [name] for name in files}
        if files:
            entry["files"] = {new: _at_home(files[name]) for name in files for new in members[name]}


def _at_home(paths: str | list[str]) -> str | list[str]:
    return [at_home(path) for path in paths] if isinstance(paths, list) else at_home(paths)


def files_of(given: dict, dataset: str) -> list[str]:
    """One file for validation and test images, or two."""
    paths = given["files"][dataset]
    return list(dict.fromkeys(paths)) if isinstance(paths, list) else [paths]


def leave_out(config: dict) -> None:
    """Leave them out of a rehearsal: it validates on other images than the study, for which predictions need not be there.

    A study of nothing else keeps them.
    """
    given = {name: entry["given"] for name, entry in config["strategies"].items() if entry["given"]}
    if not given or len(given) == len(config["strategies"]):
        return
    names = {"strategy": set(given), "backbone": {one["backbone"] for one in given.values()}}
    config["strategies"] = {name: entry for name, entry in config["strategies"].items() if name not in given}
    kept = []
    for pattern in config["exclude"]:
        lists = {axis: found if isinstance(found, list) else [found] for axis, found in pattern.items()}
        left = {axis: [name for name in found if name not in names.get(axis, ())] for axis, found in lists.items()}
        kept += [left] if all(left.values()) else []
    config["exclude"] = kept


def check_given(config: dict) -> None:
    """The label is none of the backbones, and every file belongs to a data set of the study."""
    for name, entry in config["strategies"].items():
        given, key = entry["given"], f"strategies.{name}"
        if given is None:
            continue
        if given["backbone"] is None:
            raise InputError(
                f"config: {key}.backbone is missing; give the name under which the tables show what answered."
            )
        if given["backbone"] in config["backbones"]:
            raise InputError(
                f"config: {key}.backbone is {given['backbone']!r}, which is one of backbones; give a name of its own, under which the "
                "tables show what answered."
            )
        if not given["files"]:
            raise InputError(
                f"config: {key}.files is missing; give for each data set that was answered {FORMS}, or a list of two, validation and test."
            )
        for dataset in given["files"]:
            if dataset not in config["datasets"]:
                raise InputError(
                    f"config: {key}.files names {dataset!r}, which is not in datasets; valid: {choices(config['datasets'])}."
                )
            for path in files_of(given, dataset):
                check_path(f"{key}.files.{dataset}", path)
        order = given["class_order"]
        if order is not None and len(set(order)) < len(order):
            raise InputError(f"config: {key}.class_order is {shown(order)}, which names a class twice.")


def check_given_files(config: dict, missing: Callable) -> None:
    """Raise InputError if a file of predictions is not there; `missing` says why a path leads to none, or None."""
    for name, entry in config["strategies"].items():
        for dataset in (entry["given"] or {}).get("files", {}):
            for path in files_of(entry["given"], dataset):
                if fault := missing(path, Path.is_file):
                    raise InputError(
                        f"config: strategies.{name}.files.{dataset} is {shown_text(path)}, and {fault}; give {FORMS}, seen from the folder "
                        "where Snakemake runs."
                    )
