"""The command `ftbench audit`: what it asks Snakemake for, and what it says of the files that this made."""

import subprocess
import sys

from ftbench.base.files import write_json
from ftbench.tools import audit

ABOUT = {
    "test_images": 2000,
    "test_images_with_a_training_duplicate": 3,
    "clusters": 4,
    "largest_cluster": 12,
    "labels_judged_by": "lite0",
    "judge_accuracy": 0.912,
    "suspected_labels": {"train": 1000, "validation": 100, "test": 7},
    "odd_images": {"blank": 2, "dark": 1},
    "training_against_test": {"by": "lite0", "auc": 0.55, "null_low": 0.47, "null_high": 0.53, "p": 0.01},
}
STUDY = {
    "study": "s",
    "datasets": {"d": {}},
    "backbones": {"b": {"weights": "x"}},
    "strategies": {"probe": {"kind": "linear_probe"}},
    "exclude": [],
}


def test_what_was_found_is_said_in_sentences(tmp_path):
    path = tmp_path / "results" / "s" / "data" / "d" / "audit" / "audit.json"
    path.parent.mkdir(parents=True)
    write_json(path, ABOUT)
    said = audit.told(STUDY, tmp_path)
    assert said[0] == (
        "d: 3 of 2,000 test images have a duplicate in training; 4 clusters of duplicates, the largest of 12 images."
    )
    assert "1,100 training and 7 test labels are suspected, by a probe on lite0 that is right on 91.2%." in said[1]
    assert said[2] == "  Odd images: 2 blank, 1 dark."
    assert "an AUC of 0.550; by chance it is 0.470 to 0.530" in said[3]
    write_json(path, ABOUT | {"labels_judged_by": None, "odd_images": {}, "training_against_test": None})
    said = audit.told(STUDY, tmp_path)
    assert "not judged" in said[1] and said[2] == "  Odd images: none." and len(said) == 4


def test_it_stops_before_anything_trains(monkeypatch):
    started = []
    monkeypatch.setattr(
        subprocess, "run", lambda command: started.append(command) or subprocess.CompletedProcess([], 0)
    )
    assert audit.run_audit("config/demo.yaml", "2") == 0
    (command,) = started
    assert command[:3] == [sys.executable, "-m", "snakemake"] and "--until" in command
    assert command[-2:] == ["--configfile", "config/demo.yaml"]
