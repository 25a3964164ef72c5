"""A cell whose networks are weighted sums of finished runs' networks: the search on validation, and the files of its runs."""

import time
from collections.abc import Iterable

import numpy as np
from safetensors.torch import load_file

from ftbench.base.digests import refuse_damaged
from ftbench.base.files import read_json, write_npz
from ftbench.base.logits import load_logits, validation_scores
from ftbench.data.images import read_data
from ftbench.machine import devices
from ftbench.model import backbones
from ftbench.study.kinds import declared
from ftbench.train import start, strategies
from ftbench.train.combined.members import Members, read_members
from ftbench.train.combined.mix import Mixer, State
from ftbench.train.combined.record import write_cost, write_record, write_selection, write_tried
from ftbench.train.record import write_model

STARTS = ("weights", "record", "normalization", "probe_model", "probe_cost")  # files that a cell may start from itself


def combine_weights(run: dict, code: str, inputs: dict, selected: str, outputs: list[dict]) -> None:
    """Choose the coefficients on validation, and write the files of every run that they make.

    `run` is from `ftbench.study.settings.combined_run`. `inputs` are the files of `ftbench.study.inputs.member_files` (run, cost, model,
    val_logits, of_selected), images, split, and what the cell starts from itself. `outputs` has model, history, run, cost and val_logits
    of each made run: one of all seeds, or one per seed.
    """
    device = devices.set_up(run)
    files = start.input_files(dict(inputs) | {name: inputs.get(name) for name in STARTS})
    members, probe = read_members(inputs), read_json(files["probe"]["cost"]) if files["probe"] else None
    per_seed = declared(run["kind"])["stochastic"]
    own = [members.only(place) for place in range(len(members.records))] if per_seed else [members]
    if not members.finished:
        for each, paths in zip(own, outputs):
            _write(run, code, each, paths, probe, None, [], 0.0)
        write_selection(selected, run, members, [], None)
        return
    data = read_data(inputs, device)
    first = members.records[members.finished[0]]
    backbone = backbones.build(run["network"], data.classes, 0, None, first["normalization"])
    backbones.prepare(backbone, run, device)
    begin = [_start(run, files, data.classes)] if files["probe"] else []
    sources = [begin + _states(each) for each in own if each.finished]
    mixer, strategy = Mixer(backbone, data, run, sources), strategies.load(run["kind"])
    coefficients = strategy.search(mixer.score, len(sources[0]), run["options"])
    parameter, searched = declared(run["kind"])["tuned"], mixer.forward_images
    trials = _named(mixer.tried, parameter)
    best, made = mixer.best(coefficients), iter(sources)
    for each, paths in zip(own, outputs):
        begun, before = time.perf_counter(), mixer.forward_images
        result = None
        if each.finished:
            logits = mixer.make(next(made), coefficients, best["statistics"])
            passed = mixer.forward_images - before + searched
            result = (backbone.network.state_dict(), logits, passed, best)
        _write(run, code, each, paths, probe, result, trials, time.perf_counter() - begun)
    seconds = sum(row["seconds"] for row in trials)  # one search for all runs, charged to each
    chosen = coefficients[-1] if parameter else None
    kept = _named(map(mixer.best, dict.fromkeys(row["coefficients"] for row in mixer.tried)), parameter)
    write_selection(selected, run, members, kept, chosen, tuning_seconds=seconds, statistics=best["statistics"])
    said = f", with {best['statistics']} statistics of batch norms," if best["statistics"] else ""
    print(f"chose the weights {best['weights']}{said} of {mixer.combinations} that were tried")


def _named(tried: Iterable[dict], parameter: str | None) -> list[dict]:
    """Rows of a mixer as files have them: with the tuned value, if there is one, in the place of the coefficients."""
    return [
        {name: value for name, value in row.items() if name != "coefficients"}
        | ({parameter: row["coefficients"][-1]} if parameter else {})
        for row in tried
    ]


def _states(members: Members) -> list[State]:
    states = []
    for place in members.finished:
        refuse_damaged(members.models[place], members.records[place]["digests"]["model_file"])
        states.append(load_file(members.models[place]))
    return states


def _start(run: dict, files: dict, classes: int) -> State:
    """The pretrained network under the probe's head, on the CPU."""
    made = start.build(run | {"seed": 0}, files, classes, read_json(files["record"]))
    return {name: tensor.detach().clone() for name, tensor in made.network.state_dict().items()}


def _write(
    run: dict, code: str, members: Members, paths: dict, probe, result, trials: list[dict], seconds: float
) -> None:
    """The files of one made run; `result` is None if no member of it finished. All networks saw the same validation images."""
    scores, state, passed, weights, statistics = None, {}, 0, {}, None
    logits, labels, ids = load_logits(members.val_logits[0])
    if result:
        state, logits, passed, best = result
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        scores = validation_scores(logits, labels)
        coefficients, statistics = best["coefficients"], best["statistics"]
        names = ["start"] * (len(coefficients) - len(members.finished))
        names += [str(members.records[place]["seed"]) for place in members.finished]
        weights = dict(zip(names, coefficients))
    else:
        logits = np.full_like(logits, np.nan)
    digests, size = write_model(paths["model"], state, status="finished" if result else "diverged")
    write_npz(paths["val_logits"], logits=logits, labels=labels, ids=ids)
    write_tried(paths["history"], run, trials)
    own = {"weights_of_members": weights, "statistics": statistics, "networks": 1, "forward_images": passed}
    seed = members.records[0]["seed"] if declared(run["kind"])["stochastic"] else 0
    write_record(paths["run"], run, seed, members, scores, own, digests | {"code": code})
    write_cost(paths["cost"], run, members, seconds, probe, checkpoint_bytes=size)
