"""What a change makes Snakemake run again: what depends on it, and nothing else."""

import json
import os
import shutil

import pytest
import yaml
from studies import FIGURES, REPOSITORY

PACKAGE = "workflow/scripts/ftbench"
PLOTS = {f"plot_{name}" for name in FIGURES} | {"plot_audit", "report_pairwise"}  # the last draws the ranks
TRAINING = {"train", "train_trial", "fit_probe", "extract_features", "prepare_train", "split_dataset"}
NEW_STRATEGY = '''"""The head and the last stage move."""

DECLARES = {"start": "any", "engine": "loop", "tuned": None, "stochastic": True, "recipe": {"epochs": 1}}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters() if name.startswith(("layer3.", "fc."))]
'''


def rules(jobs):
    return {job.rule for job in jobs}


def of(jobs, rule):
    """Wildcards of the jobs of one rule, as sorted tuples of their values."""
    return sorted(tuple(job.wildcards.values()) for job in jobs if job.rule == rule)


def edit(clone, module, old, new):
    path = clone.root / PACKAGE / module
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_swapped_values_of_two_settings_retrain(clone):
    """Snakemake compares a job's parameters as a set of values: inside one dict a swap is still seen."""
    config = clone.read_config()
    entry = config["strategies"]["lp_ft"]
    entry["learning_rate"], entry["weight_decay"] = entry["weight_decay"], entry["learning_rate"]
    clone.write_config(config)
    jobs = clone.plan()
    assert of(jobs, "train") == [("digits", "pretrained", "lp_ft", "0"), ("digits", "pretrained", "lp_ft", "1")]
    assert rules(jobs) & TRAINING == {"train"}


def test_touched_modules_rerun_nothing(clone):
    for path in (clone.root / "workflow/scripts").rglob("*.py"):  # the entry scripts among them, as in a fresh clone
        os.utime(path)
    assert clone.plan() == []


def test_results_copied_without_snakemakes_records_are_not_believed_under_other_settings(clone):
    shutil.rmtree(clone.root / ".snakemake" / "metadata")
    assert clone.plan() == []  # the settings are those of study.json
    config = clone.read_config()
    config["strategies"]["neighbours"] = {"kind": "knn"}
    clone.write_config(config)
    printed = clone.snakemake("--dry-run", fails=True)
    assert "was made with other settings than this config has (strategies.neighbours)" in printed
    jobs = clone.plan("--forcerun", "record_study", "collect_metrics")
    assert {job.wildcards["strategy"] for job in jobs if job.rule in TRAINING} == {"neighbours"}
    assert {"record_study", "collect_metrics", "compare_strategies", "report_summary"} <= rules(jobs)


def test_an_edited_entry_script_reruns_its_jobs(clone):
    path = clone.root / "workflow/scripts/plot_pareto.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    assert rules(clone.plan()) == {"plot_pareto", "report_summary"}  # the summary shows this figure


@pytest.mark.parametrize("profile", ["default", "slurm", "generic-cluster", "kubernetes"])
def test_no_profile_lets_the_times_of_scripts_decide(profile):
    text = (REPOSITORY / "profiles" / profile / "profile.yaml").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("rerun-triggers:")]
    assert yaml.safe_load(line)["rerun-triggers"] == ["mtime", "params", "input", "software-env"]


def test_a_comment_and_a_docstring_rerun_nothing(clone):
    edit(clone, "train/run.py", '"""', '"""Said differently. ')
    edit(clone, "train/loop.py", "REPORT_SECONDS", "# another comment\n\nREPORT_SECONDS")
    assert clone.plan() == []


def test_an_edited_plot_redraws_and_trains_nothing(clone):
    edit(clone, "report/cost/pareto_figure.py", "\nimport", "\nUNUSED = 1\nimport")
    jobs = clone.plan()
    assert rules(jobs) == {"plot_pareto", "report_summary"}  # the summary shows this figure
    assert len(of(jobs, "plot_pareto")) == 2  # data sets
    edit(clone, "report/layout/style.py", "\nimport", "\nUNUSED = 1\nimport")
    redrawn = rules(clone.plan())
    assert len(redrawn) > 2 and redrawn <= PLOTS | {"report_summary"}


def test_an_edited_loop_retrains(clone):
    edit(clone, "train/loop.py", "REPORT_SECONDS = 10.0", "REPORT_SECONDS = 11.0")
    jobs = clone.plan()
    assert len(of(jobs, "train")) == 12
    assert len(of(jobs, "train_trial")) == 8
    assert not rules(jobs) & {"prepare_train", "split_dataset", "compute_normalization"}


def test_a_new_strategy_file_reruns_nothing_and_works_at_once(clone):
    (clone.root / PACKAGE / "train/strategies/last_stage.py").write_text(NEW_STRATEGY)
    assert clone.plan() == []
    config = clone.read_config()
    config["strategies"]["upper"] = {"kind": "last_stage", "learning_rate": 0.003}
    config["exclude"].append({"strategy": "upper", "dataset": "photos"})
    clone.write_config(config)
    jobs = clone.plan()
    cells = {(backbone, "upper") for backbone in ("pretrained", "small")}
    assert {(job.wildcards["backbone"], job.wildcards["strategy"]) for job in jobs if job.rule in TRAINING} == cells
    run = clone.path("runs/digits/pretrained/upper/seed0/run.json")
    clone.snakemake(str(run.relative_to(clone.root)))
    record = json.loads(run.read_text())
    assert record["status"] == "finished"
    assert record["epochs"] == 1
    assert 650 < record["trainable_params"] < record["total_params"]


def test_a_new_seed_trains_only_its_own_runs(clone):
    config = clone.read_config()
    config["seeds"] = [0, 1, 7]
    clone.write_config(config)
    jobs = clone.plan()
    assert {job.wildcards["seed"] for job in jobs if job.rule == "train"} == {"7"}
    assert len(of(jobs, "train")) == 6
    assert rules(jobs) & TRAINING == {"train"}


def test_a_longer_grid_tries_only_the_new_values(clone):
    config = clone.read_config()
    config["tuning"]["trials"] = 3
    for name, value in (("finetune", 2.0e9), ("hopeless", 2.0e10), ("scratch", 0.1)):
        config["strategies"][name]["learning_rate"].append(value)
    clone.write_config(config)
    jobs = clone.plan()
    assert of(jobs, "train_trial") == [
        ("digits", "pretrained", "finetune", "2"),
        ("digits", "pretrained", "hopeless", "2"),
        ("digits", "small", "scratch", "2"),
        ("photos", "small", "scratch", "2"),
    ]
    assert "fit_probe" not in rules(jobs)


def test_the_planners_machine_reruns_no_job_that_measures(clone):
    config = clone.read_config()
    config["hardware"] = {"teraflops": 3.0}
    clone.write_config(config)
    assert rules(clone.plan()) == {"record_study", "record_environment", "report_provenance", "report_summary"}


def test_a_policy_retrains_only_the_strategies_that_use_it(clone):
    config = clone.read_config()
    config["strategies"]["tutorial"]["augmentation"] = "none"
    clone.write_config(config)
    jobs = clone.plan()
    assert {job.wildcards["strategy"] for job in jobs if job.rule == "train"} == {"tutorial"}
    assert rules(jobs) & TRAINING == {"train"}
