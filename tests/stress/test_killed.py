"""Kill -9 at random moments, checkpoint writes among them: the run that comes out is the one that nothing interrupted."""

import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
import small

from ftbench.base.files import read_json

KILLS = 20
SETTINGS = {"epochs": 12, "batch_size": 8, "augmentation": "crop_flip_rotate", "ema_decay": 0.9, "mixup": 0.2}


def work(inputs: dict, folder: Path) -> None:
    """A training process, which saves its state after every step."""
    import torch

    from ftbench.train import loop
    from ftbench.train import run as training

    torch.set_num_threads(1)
    loop.SAVE_SECONDS = loop.EPOCH_SAVE_SECONDS = -1.0
    run, outputs = small.run(recipe=SETTINGS), small.outputs(folder)
    recipe = small.selected(folder / "recipe.json", run["recipe"])
    training.train(run=run, code="c", inputs=inputs, recipe=recipe, **outputs)


@pytest.fixture
def start(monkeypatch, tmp_path):
    """start(folder): a new training process. All are forked off one that has imported what they need: they begin at once."""
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(sys.path)
    )  # the server knows no other way to this module and the package
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["test_killed", "ftbench.train.run", "ftbench.train.strategies.scratch", "torch._dynamo"]
    )
    inputs = small.study(tmp_path / "data")

    def start(folder):
        process = context.Process(target=work, args=(inputs, folder))
        process.start()
        return process

    return start


def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(tmp_path, start):
    for name in ("first", "whole"):  # the first one waits for the server's imports
        begun, process = time.monotonic(), start(tmp_path / name)
        process.join()
        assert process.exitcode == 0
        length = time.monotonic() - begun
    expected = read_json(tmp_path / "whole" / "run.json")
    chance, kills, runs, resumes = random.Random(11), 0, 0, 0
    while kills < KILLS:
        folder, longest = tmp_path / f"killed{runs}", length / 2
        runs += 1
        finished = False  # a kill may still fall between the record of the run and the end of its unfinished state
        while not finished:
            process = start(folder)
            process.join(chance.uniform(0.0, longest))
            longest *= 1.1  # or else a machine that has grown slower would never get beyond the start
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                kills += process.exitcode == -signal.SIGKILL
            else:
                finished = True
                assert process.exitcode == 0
        record = read_json(folder / "run.json")
        assert record["digests"]["model"] == expected["digests"]["model"]
        assert record == expected
        assert (folder / "val_logits.npz").read_bytes() == (tmp_path / "whole" / "val_logits.npz").read_bytes()
        resumes += read_json(folder / "cost.json")["resumes"]
        assert not (folder / "model.resume").exists()
    assert resumes > 0  # not all of them began from the start
