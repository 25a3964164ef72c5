"""The order in which a study's runs start."""

import re

from studies import Clone, tiny


def test_the_longest_runs_start_first_and_trials_before_the_runs_that_wait_for_them(tmp_path):
    clone = Clone.of_repository(tmp_path / "clone", tiny())
    config = clone.read_config()
    config["datasets"] = {"digits": config["datasets"]["digits"]}
    config["backbones"] = {f"at{size}": {**config["backbones"]["small"], "image_size": size} for size in (8, 32)}
    config["strategies"] = {
        "short": {"kind": "scratch", "epochs": 2, "learning_rate": 0.01},
        "long": {"kind": "scratch", "epochs": 6, "learning_rate": [0.01, 0.03]},
    }
    config["exclude"] = []
    clone.write_config(config)
    printed = clone.snakemake("--dry-run")
    priorities = {}
    for block in printed.split("\n\n"):
        for job in re.split(r"\n(?=\[)", block):
            rule = re.search(r"^rule (train\w*):", job, re.M)
            if rule:
                names = re.search(r"backbone=(\w+), strategy=(\w+)", job).groups()
                priorities[rule[1], *names] = int(re.search(r"priority: (\d+)", job)[1])
    order = sorted(priorities, key=priorities.get, reverse=True)
    assert order == [
        ("train_trial", "at32", "long"),
        ("train", "at32", "long"),
        ("train", "at32", "short"),
        ("train_trial", "at8", "long"),
        ("train", "at8", "long"),
        ("train", "at8", "short"),
    ]
