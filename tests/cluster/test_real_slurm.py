"""The Slurm profile on a real Slurm: the whole demo study, then whatever can end a job or the driver before its time."""

import csv
import json
import os
import re
import signal
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import yaml
from safetensors.torch import load_file
from slurm import Cluster, Driver, command, edit, edit_profile, end_all_in, wait_for
from studies import Clone, environment

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]

# of the rules in the demo that ask for a GPU
GPU_RULES = {"train", "train_trial", "extract_features", "extract_test_features", "predict_test", "measure_cost"}
LONG = "results/tiny/runs/digits/small/long/seed{}"
GROUPS = ("scores", "tables", "figures")
EPOCHS = 50
SCENARIOS = {}  # {name of the test: what it does}


def scenario(body):
    """A test whose `body` runs beside those of all other scenarios, on a cluster of its own: most of their time they wait."""
    SCENARIOS[body.__name__] = body

    def test(outcomes):
        outcomes[body.__name__].result()

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test


@pytest.fixture(scope="module")
def outcomes(request, start_cluster, prepared, tmp_path_factory) -> dict[str, Future]:
    """{name: what comes of it} of the scenarios that were asked for, all of them started."""
    asked = [item.name for item in request.session.items if item.name in SCENARIOS]
    folder = tmp_path_factory.mktemp("scenarios")
    clones = {name: prepared.copy_to(folder / name) for name in ("reference", *asked)}
    clusters = {name: start_cluster() for name in asked}
    with ThreadPoolExecutor(len(clones)) as pool:
        reference = pool.submit(train_left_alone, clones["reference"])
        yield {name: pool.submit(play, SCENARIOS[name], clusters[name], clones[name], reference) for name in asked}


def play(body, slurm: Cluster, clone: Clone, reference: Future) -> None:
    """Run a scenario; the drivers that it starts and their jobs end with it, whatever happens."""
    started = []

    def drivers(clone: Clone, *arguments: str) -> Driver:
        started.append(Driver(clone, slurm.environment(), *arguments))
        return started[-1]

    try:
        body(slurm, clone, drivers, reference)
    finally:
        for driver in started:
            driver.kill()
        end_all_in(clone.root)


def train_left_alone(clone: Clone) -> SimpleNamespace:
    """The long run, trained here, without Slurm and without pauses."""
    add_long_run(clone)
    clone.snakemake(f"{LONG.format(0)}/model.safetensors")
    return results(clone)


def add_long_run(clone: Clone, seeds: int = 1) -> None:
    config = clone.read_config()
    config["seeds"] = list(range(seeds))
    config["strategies"] = {"long": {"kind": "scratch", "epochs": EPOCHS, "learning_rate": 0.01}}
    config["exclude"] = [{"backbone": "pretrained"}]
    clone.write_config(config)


def slow_down(clone: Clone, pause: float) -> None:
    """A pause of some seconds after every epoch, to interrupt at will, and a saved state; neither changes a number."""
    loop = clone.root / "workflow/scripts/ftbench/train/loop.py"
    edit(loop, (r"^EPOCH_SAVE_SECONDS = \S+", "EPOCH_SAVE_SECONDS = 0.0"))
    edit(loop, (r"^( +)self\.end_epoch\(\)$", rf"\1self.end_epoch()\n\1time.sleep({pause})"))


def results(clone: Clone, seed: int = 0) -> SimpleNamespace:
    folder = clone.root / LONG.format(seed)
    measured = 3  # the last columns: images_per_second, peak_memory_mb, seconds
    history = [line.split(",")[:-measured] for line in (folder / "history.csv").read_text().splitlines()]
    run, cost = (json.loads((folder / name).read_text()) for name in ("run.json", "cost.json"))
    return SimpleNamespace(model=load_file(folder / "model.safetensors"), history=history, run=run, cost=cost)


def assert_equal_runs(one: SimpleNamespace, other: SimpleNamespace) -> None:
    assert one.history == other.history
    assert [row[0] for row in one.history[1:]] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    assert one.model.keys() == other.model.keys()
    assert all(one.model[name].equal(other.model[name]) for name in one.model)
    assert one.run["digests"]["model"] == other.run["digests"]["model"]


def progress(clone: Clone, seed: int = 0) -> float:
    """When the run's state was last saved, in seconds since 1970; 0 where there is none."""
    state = clone.root / LONG.format(seed) / "model.safetensors.resume/state.pt"
    return state.stat().st_mtime if state.exists() else 0.0


def training_job(slurm: Cluster, clone: Clone) -> str | None:
    """The running job that trains, by its id."""
    running = [n for n, job in slurm.jobs_in(clone.root).items() if job["JobState"] == "RUNNING"]
    return running[0] if running else None


def rule_of(job: dict) -> str:
    """The rule that a job runs, or the group of the profile."""
    name = re.match(r"rule_(.+?)(_wildcards_|$)", job["Comment"]).group(1)
    return next((group for group in GROUPS if name.startswith(group)), name)


@scenario
def test_the_study_runs_through_slurm_and_refuses_a_second_driver(slurm, clone, drivers, reference):
    """The shipped demo, rehearsed: every strategy, table and figure of it, on one seed for one epoch with few images.

    One of its three training sizes: they are data sets like each other, and every job of them starts Snakemake twice more.
    Its networks are asked to train on a GPU, which no job finds behind the simulated ones.
    """
    demo = yaml.safe_load((clone.root / "config/demo.yaml").read_text())
    demo["datasets"]["digits"]["train_limit"] = 32
    clone.write_config(demo | {"smoke": True, "device": "auto"})
    edit_profile(clone)
    driver = drivers(clone)
    wait_for("submission", lambda: "has been submitted with SLURM jobid" in driver.printed())
    second = drivers(clone)
    assert "Directory cannot be locked" in second.finish(300, fails=True)
    assert "Traceback" not in second.printed()
    printed = driver.finish(1500)
    assert clone.plan() == []
    made = clone.root / "results/demo_smoke"
    assert (made / "tables/comparison.html").exists()
    with (made / "tables/runs.csv").open() as table:
        assert {row["strategy"] for row in csv.DictReader(table)} == set(demo["strategies"])

    jobs = slurm.jobs_in(clone.root)
    assert {job["JobState"] for job in jobs.values()} == {"COMPLETED"}
    submitted = {rule_of(job) for job in jobs.values()}
    assert submitted >= {*GPU_RULES, *GROUPS, "fit_probe", "collect_metrics", "compare_strategies"}
    assert not submitted & {"all", "select_recipe", "fetch_weights", "record_study", "record_environment"}  # local
    for job in jobs.values():
        asked = job.get("TresPerJob", "")
        assert ("gpu:1" in asked) == (rule_of(job) in GPU_RULES), job["Comment"]
        assert job["Partition"] == ("gpu" if rule_of(job) in GPU_RULES else "cpu"), job["Comment"]
        assert job["Requeue"] == "1"
    figures = [line for line in printed.splitlines() if line.strip().startswith(("rule plot_", "localrule plot_"))]
    assert len(figures) >= 9 > 4 >= sum(rule_of(job) == "figures" for job in jobs.values())  # grouped
    logs = [path.read_text() for path in made.glob("logs/train/*/resnet8/scratch/seed0.log")]
    assert logs and not any("leased" in log for log in logs)  # Slurm says which GPU it is


@scenario
def test_a_run_that_reaches_its_time_limit_goes_on_in_the_next_attempt(slurm, clone, drivers, reference):
    add_long_run(clone)
    slow_down(clone, 2.0)
    # Slurm looks every 30 s and sends the signal early rather than late: after 60 to 90 s of these two minutes.
    edit_profile(
        clone, (r"^    runtime: 240 \* attempt", "    runtime: 2 if attempt == 1 else 10"), (r"TERM@120", "TERM@30")
    )
    drivers(clone, f"{LONG.format(0)}/model.safetensors").finish()
    limits = [job["TimeLimit"] for job in slurm.jobs_in(clone.root).values() if rule_of(job) == "train"]
    assert limits == ["00:02:00", "00:10:00"]
    resumed = results(clone)
    assert resumed.cost["resumes"] == 1
    assert_equal_runs(resumed, reference.result())


@scenario
def test_cancelled_requeued_preempted_and_orphaned_jobs_lose_nothing(slurm, clone, drivers, reference):
    add_long_run(clone)
    slow_down(clone, 1.0)
    (clone.root / "profiles/slurm/partitions.yaml").unlink()
    edit_profile(
        clone,
        (r"^slurm-partition-config: .*\n", ""),
        (r"^default-resources:$", "default-resources:\n  slurm_partition: scavenge"),
    )
    driver = drivers(clone, f"{LONG.format(0)}/model.safetensors")

    def interrupted(interrupt) -> str:
        begun = time.time()
        wait_for("saved state", lambda: progress(clone) > begun)
        number = wait_for("running job", lambda: training_job(slurm, clone))
        restarts = slurm.jobs()[number]["Restarts"]
        interrupt(number)
        left = lambda job: job["JobState"] != "RUNNING" or job["Restarts"] != restarts  # noqa: E731
        wait_for("job to leave its node", lambda: left(slurm.jobs()[number]))
        wait_for("next start", lambda: training_job(slurm, clone) and progress(clone) > time.time() - 2)
        return number

    first = interrupted(lambda number: slurm.call("scancel", number))
    second = interrupted(lambda number: slurm.call("scontrol", "requeue", number))
    assert first != second  # a cancelled job is submitted again, a requeued one keeps its id

    def lose_node(number: str) -> None:
        node = slurm.jobs()[number]["NodeList"]
        slurm.kill_node(node)
        wait_for("dead node", lambda: slurm.call("sinfo", "-h", "-n", node, "-o", "%T").startswith("down"))
        wait_for("requeue", lambda: slurm.jobs()[number]["JobState"] == "PENDING")
        slurm.up()

    assert interrupted(lose_node) == second

    def preempt(number: str) -> None:
        node = slurm.jobs()[number]["NodeList"]
        partition = node.rstrip("0123456789")
        slurm.call("sbatch", "-p", partition, "-n1", "-c4", "-t1", "-o/dev/null", "--wrap=sleep 3")

    before = int(slurm.jobs()[second]["Restarts"])
    begun = time.time()
    wait_for("saved state", lambda: progress(clone) > begun)
    preempt(second)
    wait_for("preemption", lambda: int(slurm.jobs()[second]["Restarts"]) > before)
    driver.finish()
    ends = (slurm.folder / "log/jobcomp.txt").read_text()
    assert re.search(rf"^JobId={second} .* JobState=NODE_FAIL ", ends, re.M)
    resumed = results(clone)
    assert resumed.cost["resumes"] == 4
    assert_equal_runs(resumed, reference.result())


@scenario
def test_after_an_outage_a_new_driver_repeats_no_finished_job(slurm, clone, drivers, reference):
    add_long_run(clone, seeds=2)
    slow_down(clone, 1.0)
    edit_profile(clone)
    targets = [f"{LONG.format(seed)}/model.safetensors" for seed in (0, 1)]
    driver = drivers(clone, *targets)
    wait_for("both runs", lambda: all(progress(clone, seed) > driver.begun for seed in (0, 1)))
    (other,) = (n for n, job in slurm.jobs_in(clone.root).items() if job["Comment"].endswith("long_1"))
    slurm.call("scancel", other)  # seed 1 is stopped: the driver submits it again, so the two end at different times
    states = lambda: sorted(job["JobState"] for job in slurm.jobs_in(clone.root).values())  # noqa: E731
    wait_for("second attempt", lambda: states() == ["CANCELLED", "RUNNING", "RUNNING"])
    slurm.stop_controller()
    try:
        wait_for("finished run", lambda: (clone.root / LONG.format(0) / "run.json").exists())
        os.killpg(driver.process.pid, signal.SIGINT)
        try:
            driver.process.wait(10)
        except subprocess.TimeoutExpired:
            driver.kill()
    finally:
        slurm.up()
    finished = (clone.root / LONG.format(0) / "run.json").stat().st_mtime_ns
    wait_for("end of what the old driver had submitted", lambda: not training_job(slurm, clone))

    env = environment(slurm.environment())
    subprocess.run(command("--unlock"), cwd=clone.root, env=env, check=True)
    before = set(slurm.jobs_in(clone.root))
    drivers(clone, *targets).finish()
    repeated = [job["Comment"] for number, job in slurm.jobs_in(clone.root).items() if number not in before]
    assert not any(comment.endswith("long_0") for comment in repeated)
    assert (clone.root / LONG.format(0) / "run.json").stat().st_mtime_ns == finished
    assert_equal_runs(results(clone, 0), reference.result())
    assert results(clone, 1).run["status"] == "finished"

    # What ended unseen has no record of its parameters; --touch writes one, so that a later change is noticed again.
    unrecorded = "missing provenance/metadata"
    assert unrecorded in clone.snakemake("--dry-run", *targets)
    clone.snakemake(*targets, "--touch", "--forcerun", "train")
    assert unrecorded not in clone.snakemake("--dry-run", *targets)
    config = clone.read_config()
    config["strategies"]["long"]["learning_rate"] = 0.02
    clone.write_config(config)
    assert [job.rule for job in clone.plan(*targets) if job.rule == "train"] == ["train", "train"]


@scenario
def test_a_failed_job_says_why_and_its_logs_are_kept(slurm, clone, drivers, reference):
    config = clone.read_config()
    config["datasets"]["photos"] = {"source": "imagefolder", "path": "nowhere", "image_size": 8}
    clone.write_config(config)
    edit_profile(clone)
    target = "results/tiny/data/photos/train.json"
    printed = drivers(clone, "--retries", "0", target).finish(300, fails=True)
    sentence = "path: nowhere is not a folder"
    assert sentence in clone.path("logs/prepare_train/photos.log.failed").read_text()
    (log,) = (clone.root / ".snakemake/slurm_logs/rule_prepare_train/photos").glob("*.log")
    assert sentence in log.read_text()
    assert str(log) in printed
