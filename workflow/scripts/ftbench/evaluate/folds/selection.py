"""How recipes were chosen in the folds of a data set, as one choice: every fold chose on its own validation images."""

from ftbench.base.files import read_json, write_json
from ftbench.evaluate.folds.runs import SCORES, mean, most_frequent


def pool_selection(folds: list[str], out: str) -> None:
    """Write selected.json of a cell that is pooled of folds, `folds` being theirs in order.

    chosen is the value that most folds chose (the smallest of several), chosen_in_folds lists all. A value's score among `trials` is its
    mean over the folds that tried it, None if it diverged in one; at_grid_edge is true if any fold chose at the edge of its grid.
    member_trials are all trials, tuning_seconds their sum.
    """
    choices = [read_json(path) for path in folds]
    first, parameter = choices[0], choices[0]["parameter"]
    finished = [choice for choice in choices if choice["status"] == "finished"]
    values = [choice["chosen"] for choice in choices]
    known = [value for value in values if value is not None]
    trials = pooled_trials([choice["trials"] for choice in choices], parameter) if parameter else []
    chosen = most_frequent(known) if known else None
    found = first | {
        "status": "finished" if len(finished) == len(choices) else "diverged",
        "diverged": next((choice["diverged"] for choice in choices if choice["status"] != "finished"), None),
        "chosen": chosen,
        "chosen_in_folds": values,
        "trial": next((trial["trial"] for trial in trials if trial.get(parameter) == chosen), None),
        "at_grid_edge": any(bool(choice["at_grid_edge"]) for choice in choices)
        if any(choice["at_grid_edge"] is not None for choice in choices)
        else None,
        "trials": trials,
        "member_trials": [trial for choice in choices for trial in choice.get("member_trials", choice["trials"])],
        "tuning_seconds": sum(choice["tuning_seconds"] for choice in choices),
    }
    write_json(out, found)


def pooled_trials(trials: list[list[dict]], parameter: str) -> list[dict]:
    """A trial for each value (and rung of a halving) that was tried in any fold, in the order of the folds."""
    by_value: dict[tuple, list[dict]] = {}
    for trial in (trial for fold in trials for trial in fold):
        by_value.setdefault((trial.get("rung", 0), trial.get(parameter)), []).append(trial)
    found = []
    for own in by_value.values():
        shown = next((trial for trial in own if trial.get("status") == "diverged"), own[0])
        found.append(shown | {name: mean(trial[name] for trial in own) for name in SCORES if name in shown})
    return found
