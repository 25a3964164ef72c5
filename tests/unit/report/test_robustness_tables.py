"""Predictions on corrupted images, for networks and for what is fitted on features, and the tables and figure of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small
import torch
from runs_to_predict import seed_run
from safetensors.torch import load_file
from unit.synthetic import write_study

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.model import backbones
from ftbench.pixels.corrupt import corrupt, generator_of
from ftbench.predict.corrupted import chosen_rows, predict_corrupted
from ftbench.report.result.robustness_figure import robustness
from ftbench.report.result.robustness_tables import corruption_pages, corruption_tables, robustness_pages

SETTINGS = {"kinds": ["contrast", "gaussian_noise"], "severities": [1, 5], "images": 9, "seed": 3}


def predicted(folder, runs, settings=SETTINGS, **more):
    paths = [str(folder / name) for name in ("test_images.npy", "test_labels.npy", "classes.json")]
    out = [str(folder / f"corrupted{number}.npz") for number in range(len(runs))]
    records, models = [record for _, _, record, _ in runs], [model for _, model, _, _ in runs]
    predict_corrupted(
        small.run(**more.pop("run", {})), settings, more.pop("kind", None), *paths, records, models, out, **more
    )
    return [np.load(path) for path in out]


def test_logits_are_the_networks_own_on_the_corrupted_images(test_part):
    folder, pixels, labels = test_part
    runs = [seed_run(folder, 0), seed_run(folder, 1, "diverged")]
    saved, diverged = predicted(folder, runs)
    rows = chosen_rows(14, 9, 3)
    assert saved["logits"].shape == (2, 2, 9, 3) and saved["logits"].dtype == np.float16
    assert saved["kinds"].tolist() == SETTINGS["kinds"] and saved["severities"].tolist() == [1, 5]
    assert np.array_equal(saved["ids"], rows) and np.array_equal(saved["labels"], labels[rows])
    for k, kind in enumerate(SETTINGS["kinds"]):
        for s, severity in enumerate(SETTINGS["severities"]):
            bad = corrupt(torch.from_numpy(pixels[rows]), kind, severity, generator_of(kind, severity, 3))
            expected, _ = backbones.predict(runs[0][0], [bad], torch.autocast("cpu", enabled=False))
            assert np.allclose(saved["logits"][k, s], expected, atol=2e-2), (kind, severity)
    assert np.isnan(diverged["logits"]).all() and diverged["logits"].shape == (2, 2, 9, 3)


def test_another_list_of_kinds_changes_no_condition(test_part):
    folder, *_ = test_part
    runs = [seed_run(folder, 0)]
    first = predicted(folder, runs)[0]["logits"]
    other = SETTINGS | {"kinds": ["gaussian_noise", "brightness", "contrast"], "severities": [5]}
    again = predicted(folder, runs, other)[0]["logits"]
    assert np.array_equal(again[0, 0], first[1, 1]) and np.array_equal(again[2, 0], first[0, 1])


def test_chosen_images_are_sorted_distinct_and_the_same_for_all():
    rows = chosen_rows(1000, 30, 0)
    assert len(rows) == 30 and (np.diff(rows) > 0).all() and rows.dtype == np.int64
    assert np.array_equal(rows, chosen_rows(1000, 30, 0)) and not np.array_equal(rows, chosen_rows(1000, 30, 1))
    assert np.array_equal(chosen_rows(5, 2000, 0), np.arange(5))


def test_what_is_fitted_on_features_sees_the_features_of_corrupted_images(test_part, tmp_path):
    """The head of a fitted probe put into the network must say the same."""
    folder, pixels, _ = test_part
    inputs = small.study(tmp_path / "study") | small.weights(tmp_path)
    paths = small.probe_job(tmp_path / "probe", inputs)
    run = (None, paths["model"], paths["run_json"], None)
    given = {"kind": "linear_probe", "weights": inputs["weights"], "record": inputs["record"]}
    saved = predicted(folder, [run], **given)[0]
    network = backbones.build(small.NETWORK, 3, 0, Path(inputs["weights"]), read_json(inputs["record"]))
    network.network.load_state_dict(load_file(paths["model"]), strict=False)
    bad = corrupt(torch.from_numpy(pixels[chosen_rows(14, 9, 3)]), "contrast", 5, generator_of("contrast", 5, 3))
    expected, _ = backbones.predict(network, [bad], torch.autocast("cpu", enabled=False))
    assert np.allclose(saved["logits"][0, 1], expected, atol=2e-2)


@pytest.fixture
def study(tmp_path):
    """A study whose corrupted logits are right on all images, on half, on none and on none, by kind and severity."""
    study = write_study(tmp_path, strategies=("linear_probe", "finetune"), seeds=(0,), images=40, diverged_run=False)
    for entry in study["runs"]:
        saved = np.load(entry["test_logits"])
        clean, labels, ids = saved["logits"], saved["labels"], np.arange(0, 40, 2)
        if np.isfinite(clean).all():
            clean = np.eye(4, dtype=np.float32)[labels]
            np.savez(entry["test_logits"], logits=clean, labels=labels, ids=saved["ids"])
        right = np.eye(4)[labels[ids]]
        wrong = np.roll(right, 1, axis=1)
        half = np.where(np.arange(20)[:, None] < 10, right, wrong)
        logits = np.array([[right, half], [wrong, wrong]], np.float16)
        entry["corrupted_logits"] = entry["test_logits"].replace("test_logits", "corrupted_logits")
        np.savez(entry["corrupted_logits"], logits=logits, kinds=np.array(["fog", "contrast"]), severities=np.array([1, 5]),
                 labels=labels[ids], ids=ids)  # fmt: skip
    return study


def test_tables_by_hand(study, tmp_path):
    corruption_tables(study["runs"], study["cells"], tmp_path / "d.csv", tmp_path / "s.csv")
    detail, summary = pd.read_csv(tmp_path / "d.csv"), pd.read_csv(tmp_path / "s.csv")
    own = detail[(detail["backbone"] == "lite0") & (detail["strategy"] == "finetune")]
    assert own["corruption"].tolist() == ["fog", "fog", "contrast", "contrast"] and own["severity"].tolist() == [
        1,
        5,
        1,
        5,
    ]
    assert own["accuracy"].tolist() == [1.0, 0.5, 0.0, 0.0] and own["relative_drop"].tolist() == [0.0, 0.5, 1.0, 1.0]
    assert own["family"].tolist() == ["weather"] * 2 + ["digital"] * 2 and (own["images"] == 20).all()
    row = summary[(summary["backbone"] == "lite0") & (summary["strategy"] == "finetune")].iloc[0]
    assert (row["accuracy_clean"], row["accuracy_corrupted"], row["relative_drop"]) == (1.0, 0.375, 0.625)
    assert (row["accuracy_weather"], row["accuracy_digital"], row["worst_corruption"]) == (0.75, 0.0, "contrast")
    diverged = summary[summary["seeds"] == 0]
    assert len(diverged) == 1 and diverged["accuracy_clean"].isna().all() and len(detail) == 12
    corruption_pages(tmp_path / "d.csv", {"html": tmp_path / "k.html", "markdown": tmp_path / "k.md"})
    assert "| 75.0 | 0.0 |" in (tmp_path / "k.md").read_text()  # fog: all and half; contrast: none
    assert "mean over severities (1, 5)" in (tmp_path / "k.html").read_text()
    robustness_pages(tmp_path / "s.csv", {"html": tmp_path / "t.html"})
    assert "Weather, %" in (tmp_path / "t.html").read_text() and "contrast (0.0)" in (tmp_path / "t.html").read_text()
    robustness(tmp_path / "d.csv", "shapes", study["strategies"], study["backbones"], tmp_path / "a.svg")
    robustness(tmp_path / "d.csv", "shapes", study["strategies"], study["backbones"], tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "weather (1 kind)" in (tmp_path / "a.svg").read_text()


def test_images_that_the_clean_logits_lack_are_refused(study, tmp_path):
    entry = study["runs"][0]
    saved = dict(np.load(entry["corrupted_logits"]))
    saved["ids"] = saved["ids"] + 100
    np.savez(entry["corrupted_logits"], **saved)
    with pytest.raises(InputError, match="predict again"):
        corruption_tables(study["runs"], study["cells"], tmp_path / "d.csv", tmp_path / "s.csv")


def test_a_study_whose_runs_all_diverged_has_tables_and_a_figure_that_says_so(study, tmp_path):
    for entry in study["runs"]:
        write_json(entry["run"], {"status": "diverged"})
    corruption_tables(study["runs"], study["cells"], tmp_path / "d.csv", tmp_path / "s.csv")
    robustness_pages(tmp_path / "s.csv", {"html": tmp_path / "t.html"})
    robustness(tmp_path / "d.csv", "shapes", study["strategies"], study["backbones"], tmp_path / "a.svg")
    assert "No run on shapes finished" in (tmp_path / "a.svg").read_text()


def test_a_study_that_is_never_right_has_a_figure_that_says_so(study, tmp_path):
    """As a rehearsal on twenty images of a hundred classes may be."""
    for entry in study["runs"]:
        saved = np.load(entry["test_logits"])
        wrong = np.roll(np.eye(4, dtype=np.float32)[saved["labels"]], 1, axis=1)
        np.savez(entry["test_logits"], logits=wrong, labels=saved["labels"], ids=saved["ids"])
        corrupted = dict(np.load(entry["corrupted_logits"]))
        np.savez(entry["corrupted_logits"], **corrupted | {"logits": np.broadcast_to(wrong[::2], (2, 2, 20, 4))})
    corruption_tables(study["runs"], study["cells"], tmp_path / "d.csv", tmp_path / "s.csv")
    assert pd.read_csv(tmp_path / "s.csv")["relative_drop"].isna().all()
    robustness(tmp_path / "d.csv", "shapes", study["strategies"], study["backbones"], tmp_path / "a.svg")
    robustness_pages(tmp_path / "s.csv", {"html": tmp_path / "t.html"})
    assert (tmp_path / "a.svg").stat().st_size > 10_000
