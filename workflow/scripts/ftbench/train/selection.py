"""Choose a strategy's learning rate by its trials' validation scores."""

from ftbench.base.files import read_json, write_json


def promote_trials(trials: list[str], places: int, selection_metric: str, out: str) -> None:
    """Write which `places` of the trials (trial.json files of one rung) go on, in the order of their numbers.

    Those that diverged come last: with so few others, one of them may go on all the same.
    """
    tried = [read_json(path) for path in trials]
    best = sorted(tried, key=lambda trial: _rank(trial, selection_metric), reverse=True)[:places]
    promoted = sorted(best, key=lambda trial: trial["trial"])
    write_json(out, {"trials": [{key: trial[key] for key in ("trial", "learning_rate")} for trial in promoted]})
    print(f"learning rates that go on: {', '.join(str(trial['learning_rate']) for trial in promoted)}")


def _rank(trial: dict, metric: str) -> tuple:
    """What the best trial has the highest of: finished before diverged, the longer rung, the score, the smaller learning rate."""
    finished = trial["status"] == "finished"
    score = trial[f"validation_{metric}"] if finished else 0.0
    return finished, trial["rung"], score, -trial["learning_rate"]


def select_recipe(run: dict, trials: list[str], out: str, recipe: str) -> None:
    """Write the recipe of the best trial (`recipe`, what the final runs read) and how it was chosen (`out`).

    Two files, so that a grid extended by a worse value repeats no final run: Snakemake compares small files by content.

    `trials` are the trial.json files, none for an untuned strategy, whose recipe is taken as
    it is. Trials of a longer rung come before all others; a value that diverged, on whichever rung, is skipped; ties go to the
    smaller learning rate; a choice at the edge of the grid is flagged, since the best value may lie beyond it. Where all trials diverged,
    `status` says so.
    """
    tried = [read_json(path) for path in trials]
    failed_at_some_length = {trial["trial"] for trial in tried if trial["status"] == "diverged"}
    finished = [trial for trial in tried if trial["trial"] not in failed_at_some_length]
    best = max(finished, key=lambda trial: _rank(trial, run["selection_metric"]), default=None)
    rates = [trial["learning_rate"] for trial in tried if trial["rung"] == 0]
    chosen = best["learning_rate"] if best else run["learning_rate"] if not tried else None
    failed = bool(tried) and not best
    diverged = [trial for trial in tried if trial["status"] == "diverged"]
    chosen_for_runs = {
        "status": "diverged" if failed else "finished",
        "diverged": min(diverged, key=lambda trial: trial["learning_rate"])["diverged"] if failed else None,
        "tuned": bool(tried),
        "recipe": run["recipe"] | {"learning_rate": chosen},
    }
    write_json(recipe, chosen_for_runs)
    keep = (
        "trial",
        "rung",
        "share",
        "learning_rate",
        "status",
        "diverged",
        "validation_accuracy",
        "validation_balanced_accuracy",
        "validation_nll",
        "best_epoch",
        "epochs",
    )
    write_json(
        out,
        {
            "status": chosen_for_runs["status"],
            "diverged": chosen_for_runs["diverged"],
            "tuned": bool(tried),
            "parameter": "learning_rate" if tried else None,
            "chosen": chosen,
            "trial": best["trial"] if best else None,
            "at_grid_edge": chosen in (min(rates), max(rates)) if best and len(rates) > 1 else None,
            "selection_metric": run["selection_metric"],
            "trials": [{key: trial[key] for key in keep} for trial in tried],
            "recipe": chosen_for_runs["recipe"],
            "tuning_seconds": sum(trial["cost"]["train_seconds"] for trial in tried),
        },
    )
    print(f"chose learning rate {chosen} of {rates or 'no grid'}")
