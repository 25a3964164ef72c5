"""Entries of a config that stand for several: a list of train_limits, a list of augmentation policies, a test set in folds.

`family` keeps the name that was written. A data set with `test_folds: k` stays, and beside it come its k folds, <name>-fold<number>: each
is a data set with a train and a test part of its own, whose key `fold_of` names the data set that is pooled of all; `fold` is its number.
Both are None of every other entry.
"""

import math
from collections.abc import Callable

from ftbench.base.errors import InputError

SMOKE_FOLDS = 2  # of a rehearsal


def folds(config: dict) -> None:
    """Put behind each data set that is tested in folds one entry for each fold."""
    _check_given(config)

    def entries(name: str, entry: dict) -> dict[str, dict]:
        count = entry["test_folds"]
        if count is not None and config["smoke"]:
            count = min(count, SMOKE_FOLDS)
        entry = entry | {"test_folds": count}
        numbers = range(1, (count or 0) + 1)
        own = {f"{name}-fold{number}": entry | {"fold_of": name, "fold": number} for number in numbers}
        return {name: entry | {"fold_of": None, "fold": None}} | own

    _expand(config, "datasets", "test_folds", "data set", entries)


def _check_given(config: dict) -> None:
    """Raise InputError if predictions from outside are given for a data set that is tested in folds."""
    for name, entry in config["datasets"].items():
        count = entry["test_folds"]
        if count is None:
            continue
        for strategy, given in config["strategies"].items():
            if {name, entry["family"]} & set(given.get("files") or {}):
                raise InputError(
                    f"config: strategies.{strategy}.files names {name}, whose test_folds is {count}: predictions from outside would have to come "
                    "from a model of each fold; give test_fraction in the place of test_folds."
                )


def fold_settings(study: dict, dataset: str) -> dict:
    """What deals the images of a data set into its folds."""
    entry = study["datasets"][dataset]
    return {key: entry[key] for key in ("test_folds", "split_seed", "group_duplicates", "flip")}


def share_of_fold(entry: dict, images: int) -> int:
    """How many images a fold may have if all folds together have at most so many; as many of any other data set."""
    return max(1, images // entry["test_folds"]) if entry["fold"] else images


def limits(config: dict) -> None:
    """A list of train_limits becomes one data set per limit, the smallest first; `family` keeps the name that was written."""

    def entries(name: str, entry: dict) -> dict[str, dict]:
        limits = entry["train_limit"]
        if not isinstance(limits, list):
            return {name: entry}
        ordered = sorted(limits, key=lambda limit: math.inf if limit is None else limit)
        return {f"{name}-{limit or 'all'}": entry | {"train_limit": limit} for limit in ordered}

    _expand(config, "datasets", "train_limit", "data set", entries)
    _excluded(config, "dataset", config["datasets"])


def policies(config: dict) -> None:
    """A list of augmentation policies becomes one strategy per policy; `family` keeps the name that was written."""

    def entries(name: str, entry: dict) -> dict[str, dict]:
        policies = entry.get("augmentation")
        if not isinstance(policies, list):
            return {name: entry}
        return {f"{name}-{policy}": entry | {"augmentation": policy} for policy in policies}

    _expand(config, "strategies", "augmentation", "strategy", entries)
    _excluded(config, "strategy", config["strategies"])


def _expand(config: dict, table: str, key: str, what: str, entries: Callable[[str, dict], dict[str, dict]]) -> None:
    """Put in the place of each entry of a table what `entries` makes of it; `key` and `what` are for messages."""
    expanded = {}
    for name, entry in config[table].items():
        for new, made in entries(name, entry).items():
            if new in expanded or (new != name and new in config[table]):
                raise InputError(
                    f"config: {table}.{name}.{key} makes a {what} {new}, but there is one of that name; rename it."
                )
            expanded[new] = made | {"family": made.get("family", name)}  # expanded before, it keeps its own
    config[table] = expanded


def _excluded(config: dict, axis: str, expanded: dict[str, dict]) -> None:
    """Where `exclude` names a family, all of its members are meant."""
    for pattern in config["exclude"]:
        if axis in pattern:
            names = pattern[axis] if isinstance(pattern[axis], list) else [pattern[axis]]
            members = {name: [new for new, entry in expanded.items() if entry["family"] == name] for name in names}
            pattern[axis] = [new for name in names for new in (members[name] or [name])]
