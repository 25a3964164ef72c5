"""The shipped configs and entry points parse, quickly and alone."""

import subprocess
import sys

import pytest
import yaml
from studies import REPOSITORY, Clone
from studies import environment as clean_environment

HEAVY = ("torch", "torchvision", "timm", "sklearn", "matplotlib")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A clone in which nothing ran yet, and an environment in which importing a heavy package fails."""
    folder = tmp_path_factory.mktemp("fresh")
    clone = Clone.of_repository(folder / "clone")
    (folder / "poison").mkdir()
    for name in HEAVY:
        (folder / "poison" / f"{name}.py").write_text(f"raise RuntimeError('parsing imports {name}')\n")
    return clone, {"PYTHONPATH": str(folder / "poison")}


def cells(jobs):
    return {
        (job.wildcards["dataset"], job.wildcards["backbone"], job.wildcards["strategy"])
        for job in jobs
        if {"dataset", "backbone", "strategy"} <= set(job.wildcards)
    }


@pytest.mark.parametrize("name", ["config", "full", "cifar10_cpu", "demo", "foundation"])
def test_shipped_configs_dry_run_without_torch_and_with_their_own_tables_only(fresh, name):
    """Snakemake merges a config file with the default one, tables included: each must train its own backbones only."""
    clone, environment = fresh
    config = yaml.safe_load((REPOSITORY / f"config/{name}.yaml").read_text())
    jobs = clone.plan("--configfile", f"config/{name}.yaml", env=environment)
    # A data set with a list of training sizes becomes one data set per size, named <data set>-<size>.
    assert {cell[0].rsplit("-", 1)[0] for cell in cells(jobs)} == set(config["datasets"])
    for number, table in enumerate(("backbones", "strategies"), start=1):
        assert {cell[number] for cell in cells(jobs)} == set(config[table])
    trained = [job for job in jobs if job.rule == "train"]
    assert {int(job.wildcards["seed"]) for job in trained} == set(config["seeds"])
    downloads = [job for job in jobs if job.rule == "download_dataset"]
    assert len(downloads) == (0 if name == "demo" else 1)
    assert len([job for job in jobs if job.rule == "record_study"]) == 1


def test_without_a_config_file_the_default_study_is_meant(fresh):
    clone, environment = fresh
    printed = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--dry-run"],
        cwd=clone.root,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
    )
    assert printed.returncode == 0, printed.stderr
    assert "results/cifar10/tables/comparison.csv" in printed.stdout + printed.stderr


def test_the_catalog_entry_point_gives_the_same_jobs(fresh):
    clone, environment = fresh
    arguments = ("--configfile", "config/demo.yaml")
    expected = clone.plan(*arguments, env=environment)
    found = clone.plan("--snakefile", "workflow/Snakefile", *arguments, env=environment)
    key = lambda job: (job.rule, *sorted(job.wildcards.items()))  # noqa: E731
    assert sorted(map(key, found)) == sorted(map(key, expected))


def test_the_workflow_is_a_module_for_others(fresh, tmp_path):
    clone, environment = fresh
    (tmp_path / "Snakefile").write_text(
        "import yaml\n\n"
        "module bench:\n"
        f"    snakefile: {str(clone.root / 'workflow/Snakefile')!r}\n"
        f"    config: yaml.safe_load(open({str(clone.root / 'config/demo.yaml')!r}))\n\n"
        "use rule * from bench as bench_*\n"
    )
    printed = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--dry-run"],
        cwd=tmp_path,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
    )
    assert printed.returncode == 0, printed.stderr
    assert "rule bench_train:" in printed.stdout + printed.stderr


def test_results_may_lie_in_another_folder_than_the_clone(fresh, tmp_path):
    clone, environment = fresh
    config = clone.root / "config/demo.yaml"
    elsewhere = Clone(tmp_path)
    jobs = elsewhere.plan("--snakefile", str(clone.root / "Snakefile"), "--configfile", str(config), env=environment)
    assert "train" in {job.rule for job in jobs}
    assert not (clone.root / "results").exists()


def test_smoke_is_a_rehearsal_under_another_name(fresh):
    clone, environment = fresh
    jobs = clone.plan("--configfile", "config/demo.yaml", "--config", "smoke=true", env=environment)
    assert {job.wildcards["seed"] for job in jobs if job.rule == "train"} == {"0"}
    assert {job.wildcards["trial"] for job in jobs if job.rule == "train_trial"} == {"0"}
    assert {job.rule for job in jobs} >= {"fit_probe", "predict_test", "evaluate", "report_comparison", "plot_pareto"}


def test_lint_passes(fresh):
    clone, _ = fresh
    printed = clone.snakemake("--lint", "--configfile", "config/demo.yaml")
    assert "good condition" in printed
