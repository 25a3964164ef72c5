"""A training run that is killed again and again ends as one that was left alone."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import time

import psutil
import pytest
from safetensors.torch import load_file
from studies import Clone, environment

RUN = "results/tiny/runs/digits/small/long/seed0"
EPOCHS = 60
PATIENCE = 120.0  # seconds to wait for any one event
KILLS = 2


def heeding_ctrl_c() -> None:
    """Tests that a script put into the background ignore SIGINT, and so would all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(clone: Clone) -> subprocess.Popen:
    log = (clone.root / "driver.txt").open("a")
    return subprocess.Popen(
        clone.command("--cores", "1", f"{RUN}/model.safetensors"),
        cwd=clone.root,
        env=environment(),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a process group of its own, to be killed as a whole
        preexec_fn=heeding_ctrl_c,
    )


def wait_for_progress(clone: Clone, driver: subprocess.Popen, after: float) -> None:
    """Until the training process has saved a state later than `after`, in seconds since 1970."""
    state = clone.root / f"{RUN}/model.safetensors.resume/state.pt"
    deadline = time.time() + PATIENCE
    while time.time() < deadline:
        with contextlib.suppress(FileNotFoundError):
            if state.stat().st_mtime > after:
                return
        assert driver.poll() is None, (clone.root / "driver.txt").read_text()
        time.sleep(0.02)
    raise AssertionError(f"no state in {PATIENCE} seconds:\n{(clone.root / 'driver.txt').read_text()}")


def offspring(driver: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(driver.pid).children(recursive=True)


def training_process(driver: subprocess.Popen) -> psutil.Process:
    """The process that trains, below the driver."""
    (found,) = (
        process for process in offspring(driver) if any(part.endswith(".train.py") for part in process.cmdline())
    )
    return found


def kill_group(driver: subprocess.Popen) -> None:
    processes = offspring(driver)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait(PATIENCE)
    gone, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert alive == []


@pytest.fixture
def long_run(finished, tmp_path):
    """Two copies of the study with one strategy more, which trains for some ten seconds and saves after every epoch."""
    clones = [finished.clone.copy_to(tmp_path / name) for name in ("alone", "killed")]
    for clone in clones:
        config = clone.read_config()
        config["strategies"]["long"] = {"kind": "scratch", "epochs": EPOCHS, "learning_rate": 0.01}
        clone.write_config(config)
        loop = clone.root / "workflow/scripts/ftbench/train/loop.py"
        often, count = re.subn(r"(?m)^EPOCH_SAVE_SECONDS = \S+", "EPOCH_SAVE_SECONDS = 0.0", loop.read_text())
        assert count == 1
        loop.write_text(often)
    return clones


def test_a_killed_run_equals_an_uninterrupted_one(long_run):
    alone, killed = long_run
    undisturbed = start(alone)
    moments = random.Random()
    drivers = [undisturbed]
    try:
        for _ in range(KILLS):
            begun = time.time()
            drivers.append(start(killed))
            wait_for_progress(killed, drivers[-1], begun)
            time.sleep(moments.uniform(0, 0.6))
            kill_group(drivers[-1])
            assert not (killed.root / f"{RUN}/run.json").exists(), "the run ended before it was killed: raise EPOCHS"
            killed.snakemake("--unlock")
        begun = time.time()
        drivers.append(start(killed))
        wait_for_progress(killed, drivers[-1], begun)
        os.kill(training_process(drivers[-1]).pid, signal.SIGTERM)
        assert drivers[-1].wait(PATIENCE) != 0
        kept = (killed.root / "results/tiny/logs/train/digits/small/long/seed0.log").with_suffix(".log.failed")
        told = (killed.root / "driver.txt").read_text() + (kept.read_text() if kept.exists() else "")
        assert f"signal {signal.SIGTERM:d}: state saved" in told
        assert (killed.root / f"{RUN}/model.safetensors.resume/state.pt").exists()
        assert not (killed.root / f"{RUN}/model.safetensors").exists()
        killed.snakemake("--cores", "1", f"{RUN}/model.safetensors")
        assert undisturbed.wait(PATIENCE) == 0, (alone.root / "driver.txt").read_text()
    finally:
        for driver in drivers:
            if driver.poll() is None:
                kill_group(driver)

    one, other = (load_file(clone.root / RUN / "model.safetensors") for clone in long_run)
    assert one.keys() == other.keys()
    assert all(one[name].equal(other[name]) for name in one)
    assert (alone.root / RUN / "run.json").read_text() == (killed.root / RUN / "run.json").read_text()
    costs = [json.loads((clone.root / RUN / "cost.json").read_text()) for clone in long_run]
    assert [cost["resumes"] for cost in costs] == [0, KILLS + 1]
    assert not (killed.root / RUN / "model.safetensors.resume").exists()
    histories = [(clone.root / RUN / "history.csv").read_text().splitlines() for clone in long_run]
    assert len(histories[0]) == 1 + EPOCHS
    measured = 3  # the last columns: images_per_second, peak_memory_mb, seconds
    deterministic = [[line.split(",")[:-measured] for line in history] for history in histories]
    assert deterministic[0] == deterministic[1]


def test_another_process_that_trains_the_run_is_waited_for(long_run):
    """A driver killed alone leaves its training process alive: the next start waits for it and does not train twice."""
    clone = long_run[0]
    log = clone.root / "results/tiny/logs/train/digits/small/long/seed0.log"
    begun = time.time()
    first, second = start(clone), None
    wait_for_progress(clone, first, begun)
    orphan = training_process(first)
    try:
        orphan.suspend()  # it shall not end before the second start finds it
        os.kill(first.pid, signal.SIGKILL)
        first.wait(PATIENCE)
        clone.snakemake("--unlock")
        second = start(clone)
        deadline = time.time() + PATIENCE
        while "another process trains this run" not in (log.read_text() if log.exists() else ""):
            assert second.poll() is None, (clone.root / "driver.txt").read_text()
            assert time.time() < deadline
            time.sleep(0.05)
        orphan.resume()
        assert second.wait(PATIENCE) == 0, (clone.root / "driver.txt").read_text()
    finally:
        for driver in filter(None, (first, second)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)  # what is left of the group
    assert "has finished this very run" in log.read_text()
    assert json.loads((clone.root / RUN / "run.json").read_text())["status"] == "finished"
    assert json.loads((clone.root / RUN / "cost.json").read_text())["resumes"] == 0
