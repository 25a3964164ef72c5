"""What the Slurm profile asks for, from the command lines that it hands to sbatch. Needs no Slurm."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from slurm import command, edit_profile, small_study
from studies import WEIGHTS, Clone, environment

HERE = Path(__file__).parent
PROFILE = HERE.parents[1] / "profiles/slurm/profile.yaml"


@pytest.fixture(scope="module")
def touched(tmp_path_factory) -> Clone:
    """The small study with every file there, all of them empty: whatever is forced is ready to be submitted."""
    clone = Clone.of_repository(tmp_path_factory.mktemp("touched") / "clone", small_study())
    (clone.root / WEIGHTS).touch()
    now = time.time()
    for name in [WEIGHTS, *(output for node in clone.graph() for output in node.outputs)]:
        path = clone.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (now, now))  # all of one age: none is newer than what was made from it
    edit_profile(clone)
    return clone


@pytest.fixture
def submit(touched, tmp_path):
    """Force the jobs of rules and return the arguments of every sbatch call, in the order of submission."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "records").mkdir()
    for name in ("sbatch", "squeue", "scontrol", "sinfo", "scancel"):
        (programs / name).write_text(f"#!{sys.executable}\n" + (HERE / "fake_slurm.py").read_text())
        (programs / name).chmod(0o755)
    clone = touched.copy_to(tmp_path / "clone")  # a failed job loses its outputs
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "FAKE_SLURM": str(tmp_path / "records")}

    def run(*rules: str, retries: int = 0, more: tuple = ()) -> list[list[str]]:
        arguments = ("--retries", str(retries), *more, "--until", *rules, "--forcerun", *rules)
        done = subprocess.run(
            command(*arguments),
            cwd=clone.root,
            env=environment(env),
            capture_output=True,
            text=True,
            timeout=300,
        )
        records = sorted((tmp_path / "records").glob("*.json"), key=lambda path: int(path.stem))
        assert records or done.returncode == 0, done.stdout + done.stderr
        return [json.loads(record.read_text()) for record in records]

    return run


def value(arguments: list[str], option: str) -> str | None:
    """The value of --option VALUE or --option=VALUE."""
    for position, argument in enumerate(arguments):
        if argument == option:
            return arguments[position + 1]
        if argument.startswith(option + "="):
            return argument.split("=", 1)[1]
    return None


def test_a_training_job_asks_for_a_gpu_and_for_more_at_every_attempt(submit):
    attempts = submit("train", retries=1)
    assert [value(arguments, "--mem") for arguments in attempts] == ["16000", "32000"]
    assert [value(arguments, "-t") for arguments in attempts] == ["240", "480"]
    for arguments in attempts:
        assert value(arguments, "--gpus") == "1"
        assert value(arguments, "-p") == "gpu"
        assert value(arguments, "--cpus-per-task") == "1"
        assert value(arguments, "--signal") == "TERM@120"
        assert "--requeue" in arguments
        assert not any(argument.startswith(("--ntasks-per-gpu", "--account", "-A")) for argument in arguments)


def test_every_job_that_runs_a_network_on_a_gpu_asks_for_one(submit):
    jobs = submit("train_trial", "extract_features", "extract_test_features")
    assert len(jobs) == 2 + 1 + 1
    assert {value(arguments, "--gpus") for arguments in jobs} == {"1"}
    assert {value(arguments, "-p") for arguments in jobs} == {"gpu"}


def test_without_a_gpu_in_the_config_none_is_asked_for(submit):
    (arguments,) = submit("predict_test", more=("--config", "device=cpu"))
    assert value(arguments, "--gpus") is None
    assert value(arguments, "-p") == "cpu"


def test_small_jobs_share_an_allocation_and_ask_for_the_sum(submit):
    (arguments,) = submit("evaluate", "evaluate_once")
    assert "evaluate" in arguments[-1]
    assert value(arguments, "--mem") == "4000"
    assert value(arguments, "--cpus-per-task") == "2"
    assert value(arguments, "-p") == "cpu"
    assert value(arguments, "--gpus") is None


def test_downloads_and_choices_stay_on_the_login_node(submit):
    assert submit("record_study") == []


def test_every_rule_of_the_profile_exists_and_every_long_one_is_in_it():
    profile = yaml.safe_load(PROFILE.read_text())
    rules = (HERE.parents[1] / "workflow/rules").glob("*.smk")
    text = "\n".join(path.read_text() for path in rules)
    names = set(re.findall(r"^rule (\w+):", text, re.M)) | set(re.findall(r"^use rule \w+ as (\w+)", text, re.M))
    assert set(profile["set-resources"]) | set(profile["groups"]) <= names
    assert set(profile["group-components"]) == set(profile["groups"].values())
    blocks = re.split(r"^(?=rule |use rule )", text, flags=re.M)
    on_a_gpu = {block.split(":")[0].removeprefix("rule ") for block in blocks if re.search(r"gpu=(RUN_)?GPUS", block)}
    derived = re.findall(r"^use rule (\w+) as (\w+)", text, re.M)
    on_a_gpu |= {new for old, new in derived if old in on_a_gpu}  # which inherits its resources
    assert {"train", "train_trial", "predict_test_flipped"} <= on_a_gpu
    assert on_a_gpu <= set(profile["set-resources"])
    assert not on_a_gpu & set(profile["groups"])  # a group asks for the sum of its GPUs
    assert "keep-incomplete" not in profile
    assert "retries:" not in text  # a rule's own would also run inside the allocation


def test_every_key_of_the_profile_is_explained():
    """A comment stands above every key, or above the block of keys that it is in."""
    lines = PROFILE.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[a-z-]+:", line):
            above = number - 1
            while above >= 0 and re.match(r"[a-z-]+:|  ", lines[above]):
                above -= 1
            assert "#" in line or lines[above].startswith("#"), line


@pytest.mark.parametrize("profile", ["slurm", "generic-cluster"])
def test_a_profile_passes_a_dry_run(touched, profile):
    """Which validates its keys against the executor's own."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "snakemake",
            "-n",
            "--workflow-profile",
            f"profiles/{profile}",
            "--configfile",
            "study.yaml",
        ],
        cwd=touched.root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_job_of_the_generic_profile_carries_what_it_asks_for(touched, tmp_path):
    """The submit command, filled in, from a qsub that writes it down and refuses."""
    clone = touched.copy_to(tmp_path / "clone")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "qsub").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexit 1\n')
    (programs / "qsub").chmod(0o755)
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/generic-cluster", "--retries", "0"]
        + ["--forcerun", "train", "--until", "train", "--configfile", "study.yaml"],
        cwd=clone.root,
        env=environment({"PATH": f"{programs}:{os.environ['PATH']}"}),
        capture_output=True,
        timeout=300,
    )
    asked = (tmp_path / "asked").read_text()
    assert "-N train" in asked
    assert "select=1:ncpus=1:mem=16000mb:ngpus=1" in asked
    assert "walltime=00:240:00" in asked
