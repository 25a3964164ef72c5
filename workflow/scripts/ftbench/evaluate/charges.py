"""What a run cost, and what a study cost: the two sums differ because shared work is charged in full to each user.

A strategy is charged everything that someone who wanted only that strategy would have to pay: its own loop, the feature
file it reads, the probe it starts from, and the finished runs that it is made of. The study as a whole paid for a shared feature file once.
"""

import math

import pandas as pd

from ftbench.study.checks.image_sizes import flops_of_steps


def charge(cost: dict, tuning_seconds: float) -> dict:
    """The seconds charged to one run.

    `cost` is the run's cost.json, which may have view_seconds (the making of the cached views that it reads), whose "probe" is {"cost", "tuning_seconds"} of the probe that an LP-FT run started from,
    else None, and whose "used" is {"train_seconds", "feature_seconds", "tuning_seconds"} of all that a cell made of finished runs
    stands on, if it is one; `tuning_seconds` covers all trials of the cell, the losing ones too.

    Returns loop_seconds (this run's own training), feature_seconds (the feature file, once even if the probe read it too, and cached views),
    view_seconds (these alone), borrowed_seconds (the probe's own fit, the runs that it is made of), train_seconds (their sum), own_tuning_seconds and tuning_seconds
    (with theirs).
    """
    loop, features, borrowed, tuning = cost["train_seconds"], cost["feature_seconds"], 0.0, tuning_seconds
    views = cost.get("view_seconds", 0.0)
    probe, used = cost["probe"], cost.get("used")
    for other in filter(None, (probe and probe["cost"] | {"tuning_seconds": probe["tuning_seconds"]}, used)):
        borrowed += other["train_seconds"]
        features = max(features, other["feature_seconds"])
        views = max(views, other.get("view_seconds", 0.0))
        tuning += other["tuning_seconds"]
    return {
        "loop_seconds": loop,
        "feature_seconds": features + views,
        "view_seconds": views,
        "borrowed_seconds": borrowed,
        "train_seconds": loop + features + views + borrowed,
        "own_tuning_seconds": tuning_seconds,
        "tuning_seconds": tuning,
    }


def stated(cost: dict, tuning_seconds: float | None) -> dict:
    """The same of predictions from outside, with the operations: what their owner states of training, all else None.

    It stands in train_seconds, and in borrowed_seconds, since no run of this study took it: the study's total does not hold it.
    """
    unknown = (
        "loop_seconds",
        "feature_seconds",
        "view_seconds",
        "own_tuning_seconds",
        "step_flops",
        "train_flops",
        "tuning_flops",
    )
    seconds = cost["train_seconds"]
    known = {"borrowed_seconds": seconds, "train_seconds": seconds, "tuning_seconds": tuning_seconds}
    return dict.fromkeys(unknown) | known


def charge_flops(counted: dict, run: dict, selected: dict, forward_flops: int = 0) -> dict:
    """The operations charged to one run, on the same terms as the seconds.

    `counted` is the cell's part of efficiency.json. Returns step_flops (the mean step of the planned run; NaN where none is
    planned), train_flops (the run's own steps, one pass over the validation images per epoch, and the features that it reads or
    that its probe read) and tuning_flops (all trials; a diverged one up to where it stopped). A run that is made of others has their steps and
    their trials, and the passes of its own making, of `forward_flops` per image. Fits on features are not counted: they take
    seconds on a processor. A run that is pooled of folds has all of it of every fold.
    """
    planned = sum(counted["steps"])
    total = sum(steps * flops for steps, flops in zip(counted["steps"], counted["step_flops"]))
    # no run where every trial diverged
    trained = sum(_loop_flops(counted, one) for one in run.get("members", [run]) if one["images_seen"])
    trained += run.get("forward_images", 0) * forward_flops
    trials = selected.get("member_trials", selected["trials"]) if planned else []
    return {
        "step_flops": total / planned if planned else float("nan"),
        "train_flops": counted["feature_flops"] * len(run.get("folds", [run])) + trained,
        "tuning_flops": sum(_loop_flops(counted, trial) for trial in trials),
    }


def _loop_flops(counted: dict, run: dict) -> int:
    """Operations of a run or trial, which has `epochs`, those that it completed, and `diverged`: where it stopped, or None.

    A trial that is `share` as long as a run passes through the same steps in fewer epochs. A run on a split of its own may have an epoch
    more than the data set's split plans, where `examples` counts; it takes the steps of the last planned one.
    """
    share, planned = run.get("share", 1.0), len(counted["steps"])
    begun = run["epochs"] + bool(run["diverged"])
    passed = [min(int(epoch / share), planned - 1) for epoch in range(max(math.ceil(planned * share), begun))]
    lengths = [counted["steps"][epoch] for epoch in passed]
    starts, total = [sum(lengths[:number]) for number in range(len(lengths))], sum(lengths)

    def trained(number: int, steps: int) -> int:
        first = starts[number]
        return flops_of_steps(counted, passed[number], range(first, first + steps), total)

    done = range(len(passed[: run["epochs"]]))
    flops = sum(trained(number, lengths[number]) + counted["validation_flops"] for number in done)
    if run["diverged"]:
        flops += trained(run["diverged"]["epoch"] - 1, run["diverged"]["step"])
    return flops


def study_total(runs: pd.DataFrame) -> dict:
    """Seconds that the whole study took, from the frame that `ftbench.evaluate.collect` writes.

    Every run's own loop, every cell's own trials once, and one feature file per data set and backbone, and each file of cached views. A probe that runs start from
    is a row of its own, or `exclude` keeps it out of the table: then it counts once, from what was charged to those runs.
    Returns loop_seconds, tuning_seconds, feature_seconds, total_seconds.
    """
    place = ["dataset", "backbone"]
    rows = runs.set_index([*place, "strategy"]).index
    users = runs[runs["probe"].notna()]
    unseen = users[~pd.MultiIndex.from_frame(users[[*place, "probe"]]).isin(rows)]
    unseen = unseen.drop_duplicates(
        [*place, "probe", "borrowed_seconds"]
    )  # with splits of their own, one for each seed
    loop = float(runs["loop_seconds"].sum() + unseen["borrowed_seconds"].sum())
    # All runs of a cell show the seconds of the same trials; with splits of their own each shows those of its own.
    tuning = float(runs.drop_duplicates([*place, "strategy", "own_tuning_seconds"])["own_tuning_seconds"].sum())
    tuning += float((unseen["tuning_seconds"] - unseen["own_tuning_seconds"]).sum())
    shared = runs["feature_seconds"] - runs["view_seconds"]
    features = float(shared.groupby([runs[name] for name in place]).max().sum())
    # Cells that read other views (of another augmentation or number) show other seconds.
    features += float(runs.drop_duplicates([*place, "view_seconds"])["view_seconds"].sum())
    return {
        "loop_seconds": loop,
        "tuning_seconds": tuning,
        "feature_seconds": features,
        "total_seconds": loop + tuning + features,
    }
