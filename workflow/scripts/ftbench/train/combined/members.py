"""The finished runs that a cell is made of: what they hold, and what they took.

Whoever wants the made cell alone has to pay for every run below it, with its tuning, and for the probe that those runs start from, once.
A seed that diverged was paid for too: it is charged, and takes no part.
"""

from dataclasses import dataclass

import numpy as np

from ftbench.base.files import read_json
from ftbench.base.logits import load_logits

COUNTED = ("seed", "status", "epochs", "diverged", "images_seen")  # what the operations of a member are counted from


@dataclass
class Members:
    """The runs of one cell, by the order of their seeds, and how their recipe was chosen."""

    records: list[dict]  # run.json
    costs: list[dict]  # cost.json
    models: list[str]
    val_logits: list[str]
    selected: dict  # selected.json of their cell

    @property
    def finished(self) -> list[int]:
        """The places of those that did not diverge."""
        return [place for place, record in enumerate(self.records) if record["status"] == "finished"]

    @property
    def recipe(self) -> dict:
        """Of the recipe that they share, what a made run repeats in its own record."""
        return {name: self.records[0]["recipe"][name] for name in ("learning_rate", "augmentation")}

    def only(self, place: int) -> "Members":
        """The same with one run alone."""
        parts = (self.records, self.costs, self.models, self.val_logits)
        return Members(*([part[place]] if part else [] for part in parts), self.selected)

    def validation(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logits (K, N, C) of the finished runs on the validation images, their labels (N,) and ids (N,)."""
        saved = [load_logits(self.val_logits[place]) for place in self.finished]
        return np.stack([logits for logits, _, _ in saved]), saved[0][1], saved[0][2]


def read_members(files: dict) -> Members:
    """From the files of `ftbench.study.inputs.member_files`."""
    records, costs = ([read_json(path) for path in files[name]] for name in ("run", "cost"))
    return Members(records, costs, files.get("model", []), files["val_logits"], read_json(files["of_selected"]))


def used(members: Members, probe: dict | None, same_probe: bool) -> dict:
    """{"train_seconds", "feature_seconds", "tuning_seconds"} of all that a made cell uses beside its own work, and view_seconds if its members read cached
    views.

    `probe` is the cost.json of the probe that it starts from itself; with `same_probe` its members start from that one too.
    """
    borrowed = members.costs[0]["probe"]
    probes = [borrowed] if borrowed else []
    if probe and not (same_probe and borrowed):
        probes.append({"cost": probe, "tuning_seconds": probe["tuning_seconds"]})
    features = [cost["feature_seconds"] for cost in (*members.costs, *(one["cost"] for one in probes))]
    views = [cost["view_seconds"] for cost in members.costs if "view_seconds" in cost]
    return {
        "train_seconds": sum(cost["train_seconds"] for cost in (*members.costs, *(one["cost"] for one in probes))),
        "feature_seconds": max(features),
        **({"view_seconds": max(views)} if views else {}),
        "tuning_seconds": members.selected["tuning_seconds"] + sum(one["tuning_seconds"] for one in probes),
    }
