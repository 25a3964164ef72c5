"""What each strategy may try on validation, and whether that is the same for all: trials, and the passes over the training images in them.

An equal number of trials is not an equal budget: three trials of ten epochs see ten times what three of one epoch see.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ftbench.study.kinds import declared
from ftbench.study.trials import shortened, trials
from ftbench.study.tuning.equal_compute import equal_said, shares, tuning_compute


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


def said_of(study: dict) -> str:
    """What page and plan say of the tuning budgets: how equal their compute is, or where they are unequal, or nothing."""
    if study["tuning"].get("equal_compute"):  # a study.json of an earlier version lacks the key
        return equal_said(study)
    return unequal(budgets(study))


def described(study: dict) -> dict[str, tuple[str, float | None]]:
    """Strategy -> what its tuning is, in words, and its compute as a share of the costliest one's; None where there is no such share."""
    found, of_all, told = tuning_compute(study), shares(study), {}
    for name, entry in study["strategies"].items():
        engine = declared(entry["kind"])["engine"]
        if name in found:
            one = found[name]
            trials_said = f"{one.trials} trial{'s' * (one.trials != 1)}"
            told[name] = (f"{trials_said}, {one.seen:,g} {one.counts} × {one.passes:g} forward passes", of_all[name])
        elif engine == "features":
            told[name] = (
                f"{len(entry['grid'])} values of {declared(entry['kind'])['tuned']}, fitted on features that are computed once",
                None,
            )
        elif engine == "runs":
            told[name] = ("made of finished runs, no trials of its own", None)
        else:
            told[name] = ("answered elsewhere" if engine == "given" else "not tuned", None)
    return told


def unequal(found: Mapping[str, Budget]) -> str:
    """A sentence where strategies may try more than others, else nothing."""
    if len(set(found.values())) < 2:
        return ""
    said = ", ".join(f"{name} {_budget(one)}" for name, one in found.items())
    return f"tuning budgets are not equal, so that a difference of strategies may be one of tuning: {said}"


def _budget(one: Budget) -> str:
    trials_said = f"{one.trials} trial{'s' * (one.trials != 1)}"
    return trials_said if one.passes is None else f"{trials_said} of {one.passes:g} epochs together"
