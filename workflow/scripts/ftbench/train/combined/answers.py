"""A cell whose networks answer together: its validation logits from those of the finished runs. No network runs here."""

import time

import numpy as np

from ftbench.base.digests import sha256_of_file
from ftbench.base.files import write_npz
from ftbench.base.logits import load_logits, validation_scores
from ftbench.train import strategies
from ftbench.train.combined.members import Members, read_members
from ftbench.train.combined.record import write_cost, write_record, write_selection, write_tried
from ftbench.train.strategies import Strategy


def combine_answers(
    run: dict, code: str, inputs: dict, selected: str, history: str, run_json: str, cost: str, val_logits: str
) -> None:
    """Write the files of one run that answers with all finished runs of a cell.

    `run` is from `ftbench.study.settings.combined_run`, `inputs` are the files of `ftbench.study.inputs.member_files`: run, cost,
    val_logits and of_selected. There is no model file: the models are those of the members.
    """
    begun = time.perf_counter()
    members = read_members(inputs)
    logits, labels, ids = _validation(members, strategies.load(run["kind"]))
    scores = validation_scores(logits, labels) if members.finished else None
    write_npz(val_logits, logits=logits, labels=labels, ids=ids)
    seconds, finished = time.perf_counter() - begun, members.finished
    weights = {str(members.records[place]["seed"]): 1 / len(finished) for place in finished}
    tried = [{"weights": _said(weights), "statistics": None, **scores, "seconds": seconds}] if scores else []
    write_tried(history, run, tried)
    write_selection(selected, run, members, [], None)
    own = {
        "weights_of_members": weights,
        "statistics": None,
        "networks": max(1, len(finished)),
        "forward_images": 0,
    }
    digests = {"code": code, "val_logits": [sha256_of_file(path) for path in inputs["val_logits"]]}
    write_record(run_json, run, 0, members, scores, own, digests)
    saved = sum(members.costs[place]["checkpoint_bytes"] for place in finished)
    write_cost(cost, run, members, seconds, None, checkpoint_bytes=saved)
    print(f"{len(finished)} of {len(members.records)} runs of {run['of']} answer together: {scores}")


def _validation(members: Members, strategy: Strategy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not members.finished:
        return load_logits(members.val_logits[0])  # NaN
    logits, labels, ids = members.validation()
    return strategy.answers(logits), labels, ids


def _said(weights: dict[str, float]) -> str:
    """ "0: 0.5 1: 0.5": seeds and their weights."""
    return " ".join(f"{seed}: {weight:.6g}" for seed, weight in weights.items())
