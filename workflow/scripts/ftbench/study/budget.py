"""What each strategy may try on validation, and whether that is the same for all: trials, and the passes over the training images in them.

An equal number of trials is not an equal budget: three trials of ten epochs see ten times what three of one epoch see.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ftbench.study.kinds import declared
from ftbench.study.trials import shortened, trials


class Budget(NamedTuple):
    """The trials of one strategy."""

    trials: int
    passes: (
        float | None
    )  # over the training images, of all trials together; None where recipes count images, not epochs


def budgets(study: dict) -> dict[str, Budget]:
    """Strategy -> its tuning budget, those that are trained and tuned alone: a fit on features takes seconds whatever its grid."""
    found = {}
    for name, entry in study["strategies"].items():
        if declared(entry["kind"])["engine"] != "loop":
            continue
        tried = [shortened(entry["recipe"], trial.share) for trial in trials(study, name)]
        counted = all(recipe["examples"] is None for recipe in tried)
        if tried:
            found[name] = Budget(len(tried), sum(recipe["epochs"] for recipe in tried) if counted else None)
    return found


def unequal(found: Mapping[str, Budget]) -> str:
    """A sentence where strategies may try more than others, else nothing."""
    if len(set(found.values())) < 2:
        return ""
    said = ", ".join(f"{name} {_budget(one)}" for name, one in found.items())
    return f"tuning budgets are not equal, so that a difference of strategies may be one of tuning: {said}"


def _budget(one: Budget) -> str:
    trials_said = f"{one.trials} trial{'s' * (one.trials != 1)}"
    return trials_said if one.passes is None else f"{trials_said} of {one.passes:g} epochs together"
