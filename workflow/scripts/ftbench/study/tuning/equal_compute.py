"""The compute of each strategy's tuning, as far as a config tells it, and trials allotted so that it is the same for all.

Compute is counted in forward passes: the training images of all trials, each times the passes that a step of its kind takes
(`training_passes` in `ftbench.study.kinds`). Validation passes, the features that a probe reads and the fits on them are left out: they are
small beside; so are cached views, which are made once for all trials and runs. Trials stay as long as a final run, so that a learning rate is tried under the schedule that it will have; what
changes is how many there are. So a budget is met within half a trial.
"""

import math
from typing import NamedTuple

from ftbench.base.errors import InputError
from ftbench.study import grid, trials
from ftbench.study.cached_views import step_passes
from ftbench.study.checks.image_sizes import relative_area
from ftbench.study.kinds import declared

TOLERANCE = 0.1  # what counts as equal, as a share of the largest
MOST = 100  # trials of one strategy
FULL = 3  # forward passes of a training image where everything moves: one forward, two backward
DIGITS = 3  # of a learning rate that is put between two others


class Compute(NamedTuple):
    """The tuning of one strategy: how many trials it has at first, what they see, and what that takes."""

    trials: int
    seen: float  # epochs, or training images where the recipe counts those, of all trials on all rungs together
    passes: float  # forward passes of one training image, at the backbone's own size
    counts: str  # "epochs" or "images": what `seen` is

    @property
    def total(self) -> float:
        return self.seen * self.passes


def tuning_compute(config: dict) -> dict[str, Compute]:
    """Strategy -> its compute, of those that are trained and tuned."""
    return {name: _compute(config, name) for name in tuned(config)}


def tuned(config: dict) -> list[str]:
    """The strategies of the training loop that list several learning rates."""
    return [name for name in _trained(config) if grid.trials_of(config, name)]


def _compute(config: dict, name: str, count: int | None = None) -> Compute:
    """That of strategy `name`, if it had `count` trials at first; by default as many as it lists."""
    entry = config["strategies"][name]
    recipe = entry["recipe"]
    key = "epochs" if recipe["examples"] is None else "examples"
    count = len(grid.trials_of(config, name)) if count is None else count
    seen = sum(size * trials.shortened(recipe, share)[key] for size, share in trials.rungs_of(count, config["tuning"]))
    passes = step_passes(recipe, declared(entry["kind"]).get("training_passes", FULL)) * relative_area(recipe)
    return Compute(count, seen, passes, "epochs" if key == "epochs" else "images")


def allot(config: dict) -> None:
    """Where `tuning.equal_compute` is on, give every tuned strategy of a resolved config as many trials as match the costliest one
    that it is compared with, which keeps `tuning.trials` of them.

    New learning rates halve, on a log scale, the widest gap of those that the strategy lists, and come after them: trials that
    are there already stay. Raises InputError where the compute cannot be compared or a strategy would need too many trials.
    """
    if not config["tuning"]["equal_compute"]:
        return
    found = tuning_compute(config)
    if len({one.counts for one in found.values()}) > 1:
        named = {"images": "examples", "epochs": "epochs"}
        counted = ", ".join(f"{name} counts {named[one.counts]}" for name, one in found.items())
        raise InputError(
            f"config: tuning.equal_compute needs recipes that all count epochs or all count examples, but {counted}; give them the same."
        )
    most = references(config)
    for name in found:
        entry, count = config["strategies"][name], nearest(config, name, most[name])
        if count > len(entry["learning_rate"]) == 1:
            raise InputError(
                f"config: strategies.{name}.learning_rate lists one value, and tuning.equal_compute would give it {count}; list at "
                "least two, between which others can be put."
            )
        entry["learning_rate"] = denser(entry["learning_rate"], count)


def references(config: dict) -> dict[str, float]:
    """Strategy -> what `tuning.trials` trials take of the costliest strategy that it is compared with.

    Two are compared if they run on one data set and backbone, and two that are compared with a third.
    """
    found = {name: _compute(config, name, config["tuning"]["trials"]).total for name in tuned(config)}
    places: dict[tuple, list[str]] = {}
    for cell in grid.cells(config):
        if cell.strategy in found:
            places.setdefault((cell.dataset, cell.backbone), []).append(cell.strategy)
    while True:
        before = dict(found)
        for names in places.values():
            found |= dict.fromkeys(names, max(found[name] for name in names))
        if found == before:
            return found


def nearest(config: dict, name: str, target: float) -> int:
    """How many trials, at least those that it lists, bring a strategy's compute nearest to `target`; the fewer of two as near."""
    count = len(grid.trials_of(config, name))
    off = abs(_compute(config, name, count).total - target)
    while (further := abs(_compute(config, name, count + 1).total - target)) < off:
        count, off = count + 1, further
        if count > MOST:
            raise InputError(
                f"config: tuning.equal_compute would give strategies.{name} more than {MOST} trials, since its runs are so much shorter "
                "than another strategy's; bring their epochs or examples nearer to each other, or leave it off."
            )
    return count


def denser(rates: list[float], count: int) -> list[float]:
    """`rates` and behind them so many between them that there are `count`: each halves the widest gap on a log scale, the lowest of equals."""
    found = list(rates)
    while len(found) < count:
        ordered = sorted(found)
        low, high = max(zip(ordered, ordered[1:]), key=lambda pair: round(math.log(pair[1] / pair[0]), 6))
        middle = math.sqrt(low * high)
        rounded = float(f"{middle:.{DIGITS}g}")
        found.append(rounded if low < rounded < high else middle)
    return found


def shares(config: dict) -> dict[str, float]:
    """Strategy -> its compute as a share of what `tuning.trials` trials of the costliest one that it is compared with take."""
    most = references(config)
    return {name: one.total / most[name] for name, one in tuning_compute(config).items()}


def equal_said(config: dict) -> str:
    """The sentence of page and plan where `tuning.equal_compute` is on."""
    far = {name: share for name, share in shares(config).items() if abs(share - 1) > TOLERANCE}
    said = (
        f"every tuned strategy has the tuning compute of {config['tuning']['trials']} trials of the costliest one on its backbones, within "
        f"{TOLERANCE:.0%} and as estimated, since the others have more trials"
    )
    if far:
        listed = ", ".join(f"{name} {share:.0%}" for name, share in far.items())
        said += f"; further from it, since trials are whole: {listed}"
    cheap = [name for name, entry in config["strategies"].items() if declared(entry["kind"])["engine"] == "features"]
    if cheap:
        said += (
            f"; {', '.join(cheap)} cannot be matched: features are computed once, and their values cost next to nothing"
        )
    if fixed := untuned(config):
        said += f"; {', '.join(fixed)} cannot either: nothing is tuned"
    return said


def untuned(config: dict) -> list[str]:
    """The strategies of the training loop that run at one given learning rate."""
    return [name for name in _trained(config) if not grid.trials_of(config, name)]


def _trained(config: dict) -> list[str]:
    return [name for name, entry in config["strategies"].items() if declared(entry["kind"])["engine"] == "loop"]
