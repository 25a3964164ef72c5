"""What stands beside the scores: measured operations, transferability, the audit, the cleaned test set, corrupted images."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from studies import cells

TRAINING = {"train", "train_trial", "fit_probe", "select_recipe", "extract_features", "prepare_train", "prepare_test"}
CORRUPTED = {"enabled": True, "kinds": ["gaussian_noise", "contrast"], "severities": [1, 5], "images": 40}


@pytest.fixture(scope="module")
def study(finished):
    return finished.clone


def read(path):
    return json.loads(path.read_text())


def test_operations_are_charged_to_every_cell(study):
    cost = pd.read_csv(study.path("tables/cost.csv")).set_index(["dataset", "backbone", "strategy"])
    assert set(cost.index) == cells()
    digits = cost.loc["digits", "pretrained"]
    forward = digits.forward_flops.iloc[0]
    assert digits.train_flops["linear_probe"] == 160 * forward  # 16 images of ten classes, once
    # lp_ft takes finetune's steps, and its probe read every training image once
    assert digits.train_flops["lp_ft"] == digits.train_flops["finetune"] + 160 * forward
    assert digits.train_flops["hopeless"] == 0 < digits.tuning_flops["hopeless"]
    assert (cost.total_flops == cost.train_flops + cost.tuning_flops).all()
    assert (cost.latency_ms_batch256 > cost.latency_ms_batch1).all()
    assert cost.energy_wh.isna().all()


def test_transferability_speaks_of_pretrained_backbones_alone(study):
    frame = pd.read_csv(study.path("tables/transferability.csv"))
    assert frame[["dataset", "backbone"]].to_numpy().tolist() == [["digits", "pretrained"]]
    assert frame.fine_tuned_strategy.isin(["finetune", "lp_ft"]).all()
    assert "1 of at least 4 backbones" in study.path("tables/transferability.html").read_text()


def test_the_audit_marks_and_the_cleaned_scores_follow(study):
    summary = read(study.path("data/digits/audit/audit.json"))
    assert summary["labels_judged_by"] == "pretrained"
    assert (summary["training_images"], summary["test_images"]) == (160, 597)
    assert read(study.path("data/photos/audit/audit.json"))["labels_judged_by"] is None
    marks = pd.read_csv(study.path("data/digits/audit/test_marks.csv"))
    clean = pd.read_csv(study.path("tables/clean_test.csv"))
    own = clean[(clean.dataset == "digits") & (clean.strategy == "linear_probe")].set_index("without")
    for mark, rows in marks.groupby("mark"):
        assert own.removed[mark] == rows.id.nunique() and own.images[mark] == 597 - rows.id.nunique()
    full = pd.read_csv(study.path("tables/comparison.csv"))
    probe = full[(full.dataset == "digits") & (full.strategy == "linear_probe")].iloc[0]
    assert np.allclose(own.accuracy_full, probe.accuracy_mean)


def test_a_users_list_changes_the_cleaned_table_and_nothing_else(clone):
    path = clone.root / "leave_out.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("id", "reason"), (0, "blurred"), (5, "cut off")])
    config = clone.read_config()
    config["datasets"]["photos"]["exclude_test"] = "leave_out.csv"
    clone.write_config(config)
    assert {job.rule for job in clone.plan()} <= {
        "report_clean_test",
        "report_summary",
        "record_study",
        "report_provenance",
        "record_environment",
    }
    target = "results/tiny/tables/clean_test.html"
    clone.snakemake(target)
    clean = pd.read_csv(clone.path("tables/clean_test.csv"))
    listed = clean[(clean.dataset == "photos") & (clean.without == "listed by the user")]
    assert (listed.removed == 2).all() and len(listed)
    path.write_text("id,reason\n99,gone\n")
    assert "'99', which is no test image; valid are ids from 0 to 11" in clone.snakemake(target, fails=True)


def test_corrupted_images_are_predicted_on_request_and_train_nothing(clone):
    assert not list(clone.path("runs").rglob("corrupted_logits.npz"))
    clone.write_config(clone.read_config() | {"corruptions": CORRUPTED})
    jobs = {job.rule for job in clone.plan()}
    assert jobs >= {"predict_corrupted", "predict_corrupted_features", "report_robustness", "plot_robustness"}
    assert not jobs & TRAINING
    folders = [clone.path(f"runs/digits/{cell}/seed0") for cell in ("pretrained/linear_probe", "small/scratch")]
    targets = [folder / "corrupted_logits.npz" for folder in folders]
    clone.snakemake(*(str(target.relative_to(clone.root)) for target in targets))
    for folder, target in zip(folders, targets):
        saved, clean = np.load(target), np.load(folder / "test_logits.npz")
        assert saved["logits"].shape == (2, 2, 40, 10) and saved["logits"].dtype == np.float16
        assert np.array_equal(saved["labels"], clean["labels"][saved["ids"]])
        accuracy = (saved["logits"].argmax(-1) == saved["labels"]).mean(-1)
        assert accuracy[0, 0] > 0.3  # mild noise leaves much of what the clean images gave
