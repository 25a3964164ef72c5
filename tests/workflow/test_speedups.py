"""What speedups.smk replaces: it is still asked for, it still has an effect, and a workflow that uses this one keeps its own."""

import json
import subprocess
import sys

import pytest
from studies import Clone, environment, settings

# A dry run in this process, which counts how often the functions in question are called.
DRIVER = """
import collections, gc, inspect, json, sys
import smart_open
import snakemake.cli, snakemake.common
own = (gc.get_threshold()[0], smart_open.parse_uri)
asked, signatures = collections.Counter(), collections.Counter()
plain, signature = snakemake.common.get_function_params, inspect.signature

def counting(function):
    asked[getattr(function, "__name__", "")] += 1
    return plain(function)

def signing(function, *given, **named):
    signatures[getattr(function, "__name__", "")] += 1
    return signature(function, *given, **named)

for module in [module for name, module in sys.modules.items() if name.startswith("snakemake")]:
    if getattr(module, "get_function_params", None) is plain:
        module.get_function_params = counting
inspect.signature = signing
parsed = collections.Counter()
whole = smart_open.parse_uri

def parsing(path, *given, **named):
    parsed[path] += 1
    return whole(path, *given, **named)

smart_open.parse_uri = parsing
try:
    snakemake.cli.main(sys.argv[2:])
except SystemExit as end:
    failed = end.code
cache = getattr(smart_open.parse_uri, "cache_info", None)
json.dump({
    "failed": failed, "threshold": gc.get_threshold()[0], "usual_threshold": own[0], "collects": gc.isenabled(),
    "frozen": gc.get_freeze_count(), "cached": cache and cache()._asdict(), "parsed": parsed, "asked": asked, "signatures": signatures,
}, open(sys.argv[1], "w"))
"""
# A run in this process, which counts how often the scheduler looks for jobs to start, and the timers that make it look again.
SCHEDULED = """
import json, sys, threading
import snakemake.cli
from snakemake.scheduling.job_scheduler import JobScheduler
looks, waiting = 0, [0]
look = JobScheduler.job_selector

def looking(self, jobs):
    global looks
    looks += 1
    return look(self, jobs)

class Timer(threading.Timer):
    def start(self):
        super().start()
        waiting.append(sum(isinstance(thread, Timer) for thread in threading.enumerate()))

JobScheduler.job_selector, threading.Timer = looking, Timer
try:
    snakemake.cli.main(sys.argv[2:])
except SystemExit as end:
    failed = end.code
json.dump({"failed": failed, "looks": looks, "timers": len(waiting) - 1, "at_once": max(waiting)}, open(sys.argv[1], "w"))
"""
MODULE = """
import yaml

module bench:
    snakefile: {snakefile!r}
    config: yaml.safe_load(open({config!r}))

use rule * from bench as bench_*
"""
PLANNED = ("get_run", "get_trial_run", "get_start", "get_priority", "get_resume")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return Clone.of_repository(tmp_path_factory.mktemp("speedups") / "clone")


def counted(clone, folder, *arguments) -> dict:
    driver, out = folder / "driver.py", folder / "counted.json"
    driver.write_text(DRIVER)
    done = subprocess.run(
        [sys.executable, str(driver), str(out), "--cores", "2", "--dry-run", "--quiet", "all", *arguments],
        cwd=folder if "--snakefile" in arguments else clone.root,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found["failed"] in (0, None), done.stderr
    return found


@pytest.fixture(scope="module")
def main(clone, tmp_path_factory):
    """A dry run of the demo study, as a user starts it."""
    return counted(clone, tmp_path_factory.mktemp("main"), "--configfile", "config/demo.yaml")


def test_paths_are_taken_apart_once_each(main):
    assert main["cached"], "smart_open.parse_uri is not the one of speedups.smk"
    assert max(main["parsed"].values()) <= 2  # once before the workflow is read, once after
    jobs = 84  # of the demo study, more or less
    assert main["cached"]["hits"] > jobs, "Snakemake asks no more: the line can go"


def test_the_collector_is_patient_and_still_there(main):
    assert main["threshold"] == 50_000 > main["usual_threshold"]
    assert main["collects"] and not main["frozen"], "Snakemake holds the collector back itself: the line can go"


@pytest.mark.parametrize("name", PLANNED)
def test_snakemake_asks_for_the_parameters_of_a_planned_function_and_finds_them(main, name):
    assert main["asked"][name] > 10, "Snakemake asks no more: planned() can go"
    assert main["signatures"][name] == 1  # by planned()


def test_the_scheduler_is_woken_once_a_second_and_not_once_more_for_every_job(tmp_path):
    names = [f"own{number}" for number in range(6)]
    clone = Clone.of_repository(
        tmp_path / "clone", settings(strategies={name: {"kind": "scratch", "learning_rate": 0.01} for name in names})
    )
    (tmp_path / "driver.py").write_text(SCHEDULED)
    targets = [f"results/tiny/tuning/digits/small/{name}/selected.json" for name in names]
    options = ["--cores", "1", "--quiet", "all", "--configfile", "study.yaml"]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "driver.py"), str(tmp_path / "counted.json"), *targets, *options],
        cwd=clone.root,
        env=environment(),
        capture_output=True,
        text=True,
    )
    found = json.loads((tmp_path / "counted.json").read_text())
    assert found["failed"] in (0, None), done.stderr
    assert found["at_once"] == 1
    assert found["looks"] > found["timers"] > 0, "Snakemake asks for one timer at a time: look_again() can go"


def test_a_workflow_that_uses_this_one_keeps_its_process_as_it_is(clone, tmp_path):
    (tmp_path / "Snakefile").write_text(
        MODULE.format(snakefile=str(clone.root / "workflow/Snakefile"), config=str(clone.root / "config/demo.yaml"))
    )
    found = counted(clone, tmp_path, "--snakefile", "Snakefile")
    assert found["cached"] is None and found["threshold"] == found["usual_threshold"]
    assert (
        found["asked"]["get_run"] > 10 and found["signatures"]["get_run"] == 1
    )  # its own functions are marked all the same
