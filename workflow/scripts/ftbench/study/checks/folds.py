"""What is checked of data sets that are tested in folds."""

from ftbench.base.errors import InputError, choices
from ftbench.study import kinds


def check_folds(config: dict) -> None:
    """Raise InputError where folds contradict a test part, a validation part, a list of limits, or weights of a run of all folds."""
    for name, entry in config["datasets"].items():
        if entry["test_folds"] is None or entry["fold_of"]:
            continue
        key = f"config: datasets.{name}.test_folds is {entry['test_folds']}"
        takers = [kind for kind in kinds.names("sources") if "test_folds" in kinds.declared(kind, "sources")["options"]]
        if entry["source"] in kinds.names("sources") and entry["source"] not in takers:
            raise InputError(
                f"{key}, but source {entry['source']} has a test part of its own, on which results are compared; remove it (folds work with "
                f"source {choices(takers)})."
            )
        if entry["test_fraction"] is not None:
            raise InputError(
                f"{key}, and test_fraction is {entry['test_fraction']}: images are tested in folds, or one test part is drawn; remove one."
            )
        if entry["validation"] == "given":
            raise InputError(
                f"{key}, and validation is given, whose images would never be tested; set validation to merge or ignore."
            )
        if entry["family"] != name:
            raise InputError(
                f"config: datasets.{entry['family']} gives a list of train_limit and test_folds {entry['test_folds']}; give one limit, or "
                "test_fraction in the place of test_folds."
            )
        _check_weights(config, name, key)


def _check_weights(config: dict, dataset: str, key: str) -> None:
    for backbone, entry in config["backbones"].items():
        if entry["weights"].startswith(f"run:{config['study']}/{dataset}/"):
            raise InputError(
                f"{key}, and backbones.{backbone}.weights is {entry['weights']}, a run that leaves no network of its own, since each fold has "
                "one; name a run of another data set or study."
            )
