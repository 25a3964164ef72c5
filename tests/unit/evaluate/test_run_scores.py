import json

import numpy as np
import pytest

from ftbench.base.errors import InputError
from ftbench.evaluate.metrics import SCORES
from ftbench.evaluate.run_scores import evaluate


@pytest.fixture
def run(tmp_path):
    def make(logits, labels, status="finished", classes=("a", "b", "c"), validation=None):
        np.savez(tmp_path / "l.npz", logits=logits, labels=labels, ids=np.arange(len(labels)))
        validation = (logits, labels) if validation is None else validation
        np.savez(tmp_path / "v.npz", logits=validation[0], labels=validation[1], ids=np.arange(len(validation[1])))
        (tmp_path / "run.json").write_text(json.dumps({"status": status}))
        (tmp_path / "classes.json").write_text(json.dumps(classes))
        files = [tmp_path / name for name in ("l.npz", "v.npz", "run.json", "classes.json", "m.json")]
        evaluate(*files)
        return json.loads((tmp_path / "m.json").read_text())

    return make


def test_finished(run):
    labels = np.array([0, 1, 2, 2])
    result = run(np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], labels)
    assert result["accuracy"] == 0.75
    assert result["worst_class"] == "c"
    assert result["confusion"] == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert [one["class"] for one in result["per_class"]] == ["a", "b", "c"]
    assert result["per_class"][2] == {
        "class": "c",
        "precision": 1.0,
        "recall": 0.5,
        "recall_low": pytest.approx(0.0945, abs=1e-4),
        "recall_high": pytest.approx(0.9055, abs=1e-4),
        "f1": pytest.approx(2 / 3),
        "support": 2,
    }


def test_diverged_has_the_same_keys_and_no_scores(run):
    good = run(np.eye(3, dtype=np.float32), np.arange(3))
    bad = run(np.full((3, 3), np.nan, np.float32), np.arange(3), "diverged")
    assert set(good) == set(bad)
    assert bad["status"] == "diverged"
    assert all(bad[score.name] is None for score in SCORES)
    assert bad["images"] == 3


def test_bad_input_is_named(run):
    with pytest.raises(InputError, match="not finite"):
        run(np.full((3, 3), np.nan, np.float32), np.arange(3))
    with pytest.raises(InputError, match="3 classes"):
        run(np.eye(3, dtype=np.float32), np.arange(3), classes=("a", "b"))
    with pytest.raises(InputError, match="labels from 0 to 7"):
        run(np.eye(3, dtype=np.float32), np.array([0, 1, 7]))


def test_the_temperature_comes_from_validation_and_changes_no_prediction(run):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    honest = rng.normal(0, 1, (400, 3)) + 1.5 * np.eye(3)[labels]
    sure = (5 * honest).astype(np.float32)
    result = run(sure[:200], labels[:200], validation=(sure[200:], labels[200:]))
    plain = run(sure[:200], labels[:200], validation=((honest[200:]).astype(np.float32), labels[200:]))
    assert result["temperature"] == pytest.approx(5 * plain["temperature"], rel=1e-3)
    assert result["nll_scaled"] < result["nll"]
    assert result["ece_scaled"] < result["ece"]
    assert result["accuracy"] == plain["accuracy"]
    assert result["reliability_scaled"]["images"] != result["reliability"]["images"]
    for bins in (result["reliability"], result["reliability_scaled"]):
        right = sum(n * a for n, a in zip(bins["images"], bins["accuracy"]) if n)
        assert right == pytest.approx(200 * result["accuracy"])
        assert [n == 0 for n in bins["images"]] == [c is None for c in bins["confidence"]]
    assert result["risk_coverage"][-1] == pytest.approx(1 - result["accuracy"])
    assert len(result["risk_coverage"]) == 100


def test_validation_logits_that_are_not_finite_are_named(run):
    with pytest.raises(InputError, match=r"v.npz holds values that are not finite"):
        run(np.eye(3, dtype=np.float32), np.arange(3), validation=(np.full((3, 3), np.nan, np.float32), np.arange(3)))
