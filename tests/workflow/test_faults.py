"""What can go wrong around a study, one fault at a time; docs/reliability.md lists them all with their tests."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from test_resume import PATIENCE, RUN, kill_group, long_run, start, training_process, wait_for_progress  # noqa: F401

from ftbench.study.driver import interrupt

MODEL = f"{RUN}/model.safetensors"
# A file of every stage; those of one line need none of each other.
STAGES = [
    ["data/digits/images.npy"],
    ["data/digits/split.npz"],
    [
        "features/digits/pretrained/train.npy",
        "tuning/digits/small/scratch/trial0/trial.json",
        "runs/digits/small/tutorial/seed0/val_logits.npz",
    ],
    ["runs/digits/small/tutorial/seed0/test_logits.npz"],
    ["runs/digits/small/tutorial/seed0/metrics.json"],
    ["tables/comparison.html"],
    ["plots/digits.pareto.svg"],
]


def edit(clone, module, old, new):
    """Change a line of the harness in the clone; it is in no job's code digest, so nothing runs again for it."""
    path = clone.root / "workflow/scripts/ftbench" / module
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("names", STAGES, ids=lambda names: Path(names[0]).name)
def test_a_full_disk_is_said_in_a_sentence_and_leaves_no_half_file(clone, names):
    """The files are written to /dev/full, where every write fails as on a full disk; with space again, the study goes on."""
    edit(
        clone,
        "base/files.py",
        "        yield temporary\n",
        "        if path.name in os.environ.get('FULL', '').split():\n            temporary.symlink_to('/dev/full')\n"
        "        yield temporary\n",
    )
    targets = [clone.path(name) for name in names]
    for target in targets:
        target.unlink()
    asked = [str(target.relative_to(clone.root)) for target in targets]
    full = " ".join(target.name for target in targets)
    printed = clone.snakemake(*asked, "--keep-going", fails=True, env={"FULL": full})
    assert "Traceback" not in printed
    for target, name in zip(targets, asked):
        assert f"No space left on the disk while writing {name}: free some space and start again." in printed
        assert not target.exists()
        assert [path.name for path in target.parent.iterdir() if ".tmp" in path.name] == []
    clone.snakemake(*asked)
    assert all(target.stat().st_size > 0 for target in targets)


def test_a_killed_job_goes_on_at_the_next_start(long_run):  # noqa: F811
    """SIGKILL to the training process alone: the driver reports it, and the next start resumes."""
    clone = long_run[0]
    begun = time.time()
    driver = start(clone)
    try:
        wait_for_progress(clone, driver, begun)
        training_process(driver).kill()
        assert driver.wait(PATIENCE) != 0
    finally:
        if driver.poll() is None:
            kill_group(driver)
    assert "Error in rule train" in (clone.root / "driver.txt").read_text()
    assert not (clone.root / MODEL).exists()
    clone.snakemake("--cores", "1", MODEL)
    assert '"resumes": 1' in (clone.root / RUN / "cost.json").read_text()


def test_a_second_driver_is_refused_and_a_stale_lock_is_named(long_run):  # noqa: F811
    clone = long_run[0]
    begun = time.time()
    driver = start(clone)
    try:
        wait_for_progress(clone, driver, begun)
        training_process(driver).suspend()  # so that it cannot be done before the second driver has started
        refused = clone.snakemake(MODEL, fails=True)
        assert "Directory cannot be locked" in refused
        assert driver.poll() is None  # the first goes on
    finally:
        kill_group(driver)
    stale = clone.snakemake(MODEL, fails=True)
    assert "It can be removed with the --unlock argument" in stale
    clone.snakemake("--unlock")
    clone.snakemake("--cores", "1", MODEL)
    assert (clone.root / MODEL).exists()


def test_the_users_images_are_only_read(clone):
    """Read-only images are enough, and nothing is written beside them."""
    photos = clone.root / "photos"
    before = {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
    for path in [*before, photos]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        clone.snakemake("--forcerun", "prepare_train", "prepare_test", "--until", "prepare_test")
        assert {path: path.stat().st_mtime_ns for path in photos.rglob("*")} == before
    finally:
        for path in [photos, *before]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_half_copied_study_is_completed_to_the_same_bits(clone):
    """Some files and all of Snakemake's own records did not arrive: nothing is repeated, and what is missing can be asked for."""
    before = clone.contents()
    runs = clone.path("runs/digits/small")
    lost = [runs / "scratch/seed1/model.safetensors", runs / "tutorial/seed0/test_logits.npz"]
    for path in lost:
        path.unlink()
    shutil.rmtree(clone.root / ".snakemake")
    clone.snakemake("--touch")  # what did arrive counts as up to date
    assert clone.plan() == []
    clone.snakemake(*(str(path.relative_to(clone.root)) for path in lost))
    after = clone.contents()
    measured = ("cost.json", "history.csv", "latency.json")  # seconds
    assert {name for name in before if after.get(name) != before[name] and not name.endswith(measured)} == set()
    assert set(after) == set(before)


@pytest.mark.parametrize("hours", [-2, 2])
def test_clocks_that_disagree_repeat_nothing(clone, hours):
    """Files whose times a node with a wrong clock wrote, hours before or after the others."""
    for path in (clone.root / "workflow").rglob("*"):
        os.utime(path, (time.time() - 86400,) * 2)  # the code is older than the study, as it is outside of tests
    shifted = time.time() + hours * 3600
    for path in clone.path("data/digits").iterdir():
        os.utime(path, (shifted, shifted))
    assert clone.plan() == []
    files = [path for path in clone.path("data/digits").iterdir() if path.is_file()]
    assert all(path.stat().st_mtime < time.time() + 1 for path in files)


def test_ctrl_c_is_one_line_and_everything_killed_at_once_needs_one_command(long_run):  # noqa: F811
    clone = long_run[0]
    begun = time.time()
    driver = start(clone)
    wait_for_progress(clone, driver, begun)
    said = (clone.root / "driver.txt").read_text()
    os.killpg(driver.pid, signal.SIGINT)  # to every process, as a terminal does
    assert driver.wait(PATIENCE) != 0
    assert (clone.root / "driver.txt").read_text().removeprefix(said).strip() == interrupt.LINE
    begun = time.time()
    driver = start(clone)
    wait_for_progress(clone, driver, begun)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait(PATIENCE)
    clone.snakemake("--unlock")
    clone.snakemake("--cores", "1", MODEL)
    assert '"resumes": 2' in (clone.root / RUN / "cost.json").read_text()
