"""A study whose learning rates are searched by successive halving, as a static graph of jobs."""

import json

import pytest
from studies import Clone, settings

RATES = [0.0003, 0.03, 0.01, 0.003, 1e9]
TARGETS = ["results/tiny/runs/digits/small/scratch/seed0/run.json", "results/tiny/plots/digits.tuning.svg"]


@pytest.fixture(scope="module")
def halved(tmp_path_factory) -> Clone:
    config = settings(
        datasets={"digits": {"source": "digits", "train_limit": 20, "validation_fraction": 0.5, "flip": False}},
        training={"epochs": 6, "batch_size": 16, "optimizer": "sgd", "warmup_steps": 0, "augmentation": "none"},
        strategies={"scratch": {"kind": "scratch", "learning_rate": RATES}},
        tuning={"trials": len(RATES), "search": "successive_halving"},
    )
    clone = Clone.of_repository(tmp_path_factory.mktemp("halved"), config)
    clone.snakemake(*TARGETS)
    return clone


def read(clone, name) -> dict:
    return json.loads(clone.path(f"tuning/digits/small/scratch/{name}").read_text())


def test_all_are_tried_for_a_third_and_the_best_third_for_the_whole(halved):
    short = [read(halved, f"trial{k}/rung0/trial.json") for k in range(5)]
    long = [read(halved, f"trial{k}/rung1/trial.json") for k in range(2)]
    assert [trial["learning_rate"] for trial in short] == RATES
    assert {trial["epochs"] for trial in short if trial["status"] == "finished"} == {2}
    assert short[4]["status"] == "diverged"
    finished = sorted(short[:4], key=lambda trial: (-trial["validation_accuracy"], trial["learning_rate"]))
    promoted = sorted(trial["trial"] for trial in finished[:2])
    assert [trial["trial"] for trial in long] == promoted
    assert {trial["epochs"] for trial in long if trial["status"] == "finished"} == {6}
    selected = read(halved, "selected.json")
    best = max(long, key=lambda trial: (trial["validation_accuracy"], -trial["learning_rate"]))
    assert selected["chosen"] == best["learning_rate"] and len(selected["trials"]) == 7
    run = json.loads(halved.path("runs/digits/small/scratch/seed0/run.json").read_text())
    assert run["recipe"]["learning_rate"] == best["learning_rate"] and run["recipe"]["epochs"] == 6
    assert halved.plan(*TARGETS) == []


def test_step_by_step_a_worse_value_more_costs_its_own_trial_and_no_other(halved, tmp_path):
    """Within one start, Snakemake repeats whatever follows a repeated job; between two it compares the small files."""
    clone = halved.copy_to(tmp_path / "clone")
    config = clone.read_config()
    config["strategies"]["scratch"]["learning_rate"] = [*RATES, 1e8]
    config["tuning"]["trials"] = len(RATES) + 1
    clone.write_config(config)
    clone.snakemake("--until", "promote_trials", *TARGETS)
    assert read(clone, "rung1.json") == read(halved, "rung1.json")
    assert "train_trial" not in [job.rule for job in clone.plan(*TARGETS)]
    clone.snakemake("--until", "select_recipe", *TARGETS)
    assert len(read(clone, "selected.json")["trials"]) == 8
    assert read(clone, "recipe.json") == read(halved, "recipe.json")
    assert {job.rule for job in clone.plan(*TARGETS)} == {"plot_tuning"}
