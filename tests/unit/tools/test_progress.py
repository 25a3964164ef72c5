"""What can be seen of a study while it runs: states, the live table, TensorBoard's event files."""

import fcntl
import io
import math
import os
from pathlib import Path

import pytest
import small
import torch
import yaml
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ftbench.base.files import write_json
from ftbench.study import config
from ftbench.tools import progress as runs
from ftbench.tools import tensorboard, watch
from ftbench.train import loop
from ftbench.train.history import finite, write_history


@pytest.fixture(scope="module")
def study():
    demo = yaml.safe_load((Path(__file__).parents[3] / "config" / "demo.yaml").read_text(encoding="utf-8"))
    demo["datasets"]["digits"]["train_limit"] = 64
    demo["strategies"]["tutorial"] = {"kind": "tutorial"}
    return config.resolve(demo)


def one(study, results, strategy, name):
    return next(run for run in runs.all_runs(study, results) if (run.cell.strategy, run.name) == (strategy, name))


def test_the_folder_of_an_unfinished_run_is_the_one_that_the_rules_name(study, tmp_path):
    folder = tmp_path / "runs" / "digits" / "efficientnet_lite0" / "finetune" / "seed0"
    assert one(study, tmp_path, "finetune", "seed0").resume == folder / "model.safetensors.resume"
    trial = tmp_path / "tuning" / "digits" / "efficientnet_lite0" / "finetune" / "trial1"
    assert one(study, tmp_path, "finetune", "trial1").resume == trial / "trial.json.resume"


def epoch(number, accuracy=0.5):
    return {"epoch": number, "train_loss": 1 / number, "validation_accuracy": accuracy, "images_per_second": 100.0, "seconds": 2.0 * number}  # fmt: skip


def test_every_trial_and_run_is_listed_once(study, tmp_path):
    listed = runs.all_runs(study, tmp_path)
    names = {(run.cell.strategy, run.name) for run in listed}
    assert len(listed) == len({run.record for run in listed}) == len({(run.cell, run.name) for run in listed})
    assert {("finetune", f"trial{k}") for k in (0, 1, 2)} | {("finetune", "seed0"), ("finetune", "seed1")} <= names
    assert {name for strategy, name in names if strategy == "linear_probe"} == {"seed0"}  # one job, nothing random
    assert {name for strategy, name in names if strategy == "tutorial"} == {
        f"seed{seed}" for seed in study["seeds"]
    }  # untuned


def test_with_splits_of_their_own_every_seed_has_its_trials(study, tmp_path):
    listed = runs.all_runs(study | {"splits": "per_seed"}, tmp_path)
    folder = tmp_path / "tuning" / "digits" / "efficientnet_lite0" / "finetune"
    of_trials = {run.record for run in listed if run.cell.strategy == "finetune" and "trial" in run.name}
    assert of_trials == {folder / f"seed{seed}/trial{k}/trial.json" for seed in study["seeds"] for k in (0, 1, 2)}
    assert {run.name for run in listed if run.cell.strategy == "linear_probe"} == {
        f"seed{seed}" for seed in study["seeds"]
    }


def test_a_run_waits_runs_stops_and_finishes(study, tmp_path):
    run = one(study, tmp_path, "finetune", "seed0")
    assert runs.state(run) == {"status": "waiting", "epochs": [], "progress": None}
    run.resume.mkdir(parents=True)
    write_history([epoch(1)], run.resume / "history.csv")
    write_json(run.resume / "progress.json", {"epoch": 2})
    handle = os.open(run.resume / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    now = runs.state(run)
    assert (now["status"], len(now["epochs"]), now["progress"]) == ("running", 1, {"epoch": 2})
    os.close(handle)
    assert runs.state(run)["status"] == "stopped"
    write_json(run.record, {"status": "finished"})
    write_history([epoch(1), epoch(2, 0.75)], run.history)
    now = runs.state(run)
    assert now["status"] == "finished" and [row["validation_accuracy"] for row in now["epochs"]] == ["0.5", "0.75"]


def test_a_finished_trial_has_its_epochs_in_its_record(study, tmp_path):
    run = one(study, tmp_path, "finetune", "trial1")
    run.record.parent.mkdir(parents=True)
    broken = epoch(2) | {"train_loss": math.inf, "gradient_norm": math.nan}
    write_json(run.record, {"status": "finished", "history": finite([epoch(1), broken])})
    first, second = runs.state(run)["epochs"]
    write_history([epoch(1)], tmp_path / "same.csv")
    assert first.items() <= runs.rows(tmp_path / "same.csv")[0].items()
    assert (second["epoch"], second["train_loss"], second["gradient_norm"]) == ("2", "", "")


def test_looking_at_a_run_does_not_disturb_it(study, tmp_path):
    """The lock of a stopped run is free again after the look."""
    run = one(study, tmp_path, "finetune", "seed0")
    run.resume.mkdir(parents=True)
    (run.resume / "lock").touch()
    assert runs.state(run)["status"] == "stopped"
    handle = os.open(run.resume / "lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


def test_the_loop_leaves_what_the_watcher_reads(tmp_path):
    inputs = small.study(tmp_path / "data")
    loop.fit(
        small.backbone(), small.loop_data(inputs), small.run(), small.recipe(), torch.device("cpu"), tmp_path / "r", "x"
    )
    (tmp_path / "r" / "lock").touch()
    now = runs.state(runs.Run(("d", "b", "s"), "seed0", tmp_path / "none.json", tmp_path / "r"))
    assert [row["epoch"] for row in now["epochs"]] == ["1", "2", "3"] and float(now["epochs"][0]["gradient_norm"]) > 0
    assert now["progress"]["epoch"] == now["progress"]["epochs"] == 3 and now["progress"]["seconds_left"] == 0


def test_the_table_says_how_far_each_run_is_and_a_small_terminal_sees_the_running_ones(study, tmp_path):
    listed = runs.all_runs(study, tmp_path)
    busy = one(study, tmp_path, "scratch", "seed1")
    busy.resume.mkdir(parents=True)
    write_history([epoch(1)], busy.resume / "history.csv")
    progress = {
        "epoch": 2,
        "epochs": 10,
        "step": 3,
        "steps": 20,
        "loss": 0.321,
        "images_per_second": 250.0,
        "seconds_left": 90.0,
    }
    write_json(busy.resume / "progress.json", progress)
    handle = os.open(busy.resume / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    texts = []
    for height, width in ((None, 200), (3, 200), (None, 80)):
        console = Console(width=width, height=60, record=True, file=io.StringIO())
        console.print(watch.table("demo", listed, height))
        texts.append(console.export_text())
    os.close(handle)
    for text in texts:
        assert f"demo: 1 running, {len(listed) - 1} waiting" in text
        row = next(one for one in text.splitlines() if "running" in one and "seed1" in one)
        for part in ("scra", "2/10, 3/20", "0.321", "50.0", "250", "1.5 min"):
            assert part in row
    assert len(texts[0].splitlines()) > len(listed) and len(texts[1].splitlines()) < 12


def test_event_files_hold_every_epoch_of_finished_and_running_ones(study, tmp_path):
    done, busy = (one(study, tmp_path, "finetune", name) for name in ("seed0", "trial1"))
    done.record.parent.mkdir(parents=True), busy.resume.mkdir(parents=True)
    write_json(done.record, {"status": "finished"})
    write_history([epoch(1), epoch(2, 0.75)], done.history)
    write_history([epoch(1, 0.25)], busy.resume / "history.csv")
    for _ in range(2):  # a second time starts anew instead of adding
        assert tensorboard.write_events(study, tmp_path) == 2
    read = {}
    for run in (done, busy):
        events = EventAccumulator(str(tmp_path / "tensorboard" / Path(*run.cell) / run.name))
        events.Reload()
        read[run.name] = [(scalar.step, scalar.value) for scalar in events.Scalars("validation_accuracy")]
    assert read == {"seed0": [(1, 0.5), (2, 0.75)], "trial1": [(1, 0.25)]}


def test_every_groups_learning_rate_is_a_scalar_of_its_own():
    row = {
        "epoch": "3",
        "seconds": "9",
        "learning_rate": "0.1",
        "gradient_norm": "",
        "group_learning_rates": "0.1 0.05",
    }
    assert tensorboard.scalars(row) == {
        "learning_rate": 0.1,
        "group_learning_rate/1": 0.1,
        "group_learning_rate/2": 0.05,
    }


@pytest.mark.parametrize("content", ["", "{", '{"status": "fin', "[1]", "null", "\x00"])
def test_half_written_files_are_waited_for(study, tmp_path, content):
    """A study may be looked at while a copy of it arrives, or on a disk that shows names before contents."""
    run = one(study, tmp_path, "finetune", "seed0")
    run.resume.mkdir(parents=True)
    for path in (run.record, run.resume / "progress.json"):
        path.write_text(content)
    assert runs.state(run)["status"] == "waiting"
    watch.table("demo", runs.all_runs(study, tmp_path))
