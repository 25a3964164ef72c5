"""The files of a run that is made of finished runs: run.json, cost.json, selected.json and history.csv, as a trained run has them."""

from ftbench.base.digests import digest
from ftbench.base.files import write_json
from ftbench.study.kinds import declared
from ftbench.train.combined.members import COUNTED, Members, used
from ftbench.train.history import Outcome, write_history
from ftbench.train.record import SCORES, cost_record, run_record

# As a trained run has them.
SETTINGS = ("network", "precision", "channels_last", "crop_kernels", "compile", "deterministic", "threads", "gpus_per_run")  # fmt: skip
TRIED = ("weights", "statistics", *SCORES, "seconds")  # columns of history.csv, behind the tuned value if there is one


def write_record(
    path: str, run: dict, seed: int, members: Members, scores: dict | None, own: dict, digests: dict
) -> None:
    """Write run.json of one made run. `scores` are those of validation, None if no member finished.

    `own` is what its maker knows: weights_of_members, statistics (of batch norms, if weights were mixed: see
    `ftbench.train.combined.mix`), networks (how many answer), forward_images (that passed through a network while it was made).
    """
    first, finished = members.records[0], [members.records[place] for place in members.finished]
    stochastic = declared(run["kind"])["stochastic"]
    outcome = Outcome(best=scores) if finished else Outcome(status="diverged", diverged=first["diverged"])
    trained = {name: first["digests"][name] for name in ("data", "split", "weights", "probe")}
    params = tuple(first[name] * own["networks"] for name in ("trainable_params", "total_params"))
    digests = trained | {"members": [one["digests"]["model"] for one in finished]} | digests
    record = run_record(
        run,
        SETTINGS,
        outcome,
        params,
        seed=seed,
        stochastic=stochastic,
        of_recipe=stochastic,  # else its intervals speak of these very networks
        of=run["of"],
        tuned=first["tuned"],
        recipe=members.recipe,
        members=[{name: one[name] for name in COUNTED} for one in members.records],
        normalization=first["normalization"],
        device=first["device"],
        device_name=first["device_name"],
        digests=digests,
        cleaning=first["cleaning"],
        identity=digest({"run": run, "seed": seed, "digests": digests}),
        **own,
    )
    write_json(path, record)


def write_cost(path: str, run: dict, members: Members, seconds: float, probe: dict | None, **measured) -> None:
    """Write cost.json: `seconds` of this run's own making, and all that it uses. `measured` has checkpoint_bytes, and what else differs."""
    first = members.costs[0]
    record = cost_record(
        train_seconds=seconds,
        images_per_second=None,
        peak_memory_mb=max(measured.pop("peak_memory_mb", 0.0), *(cost["peak_memory_mb"] for cost in members.costs)),
        threads=run["threads"],
        device=first["device"],
        device_name=first["device_name"],
        used=used(members, probe, run["same_probe"]),
        **measured,
    )
    write_json(path, record)


def write_selection(path: str, run: dict, members: Members, trials: list[dict], chosen: float | None, **rest) -> None:
    """Write selected.json. `trials` are what was tried here, `chosen` the tuned value; member_trials are those of the members' recipe."""
    parameter = declared(run["kind"])["tuned"]
    grid = run["options"].get(parameter, [])
    inner = bool(trials) and chosen is not None and 0 < chosen < 1  # nothing lies beyond 0 and 1
    selection = {
        "status": "finished" if members.finished else "diverged",
        "diverged": None if members.finished else members.records[0]["diverged"],
        "tuned": bool(parameter and trials),
        "parameter": parameter,
        "chosen": chosen,
        "trial": next((trial["trial"] for trial in trials if trial.get(parameter) == chosen), None)
        if parameter
        else None,
        "at_grid_edge": inner and len(grid) > 1 and chosen in (min(grid), max(grid)) if parameter else None,
        "selection_metric": run["selection_metric"],
        "trials": trials if parameter else [],
        "member_trials": members.selected["trials"],
        "recipe": members.recipe,
        "tuning_seconds": 0.0,
    }
    write_json(path, selection | rest)


def write_tried(path: str, run: dict, trials: list[dict]) -> None:
    """Write history.csv: a row per combination that was tried on validation, and per way to its batch norms' statistics."""
    parameter = declared(run["kind"])["tuned"]
    columns = (parameter, *TRIED) if parameter else TRIED
    write_history([{name: trial[name] for name in columns} for trial in trials], path, columns)
