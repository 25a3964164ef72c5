import json

import numpy as np
import pytest

from ftbench.errors import InputError
from ftbench.evaluation import SCORES, evaluate


@pytest.fixture
def run(tmp_path):
    def make(logits, labels, status="finished", classes=("a", "b", "c")):
        np.savez(tmp_path / "l.npz", logits=logits, labels=labels, ids=np.arange(len(labels)))
        (tmp_path / "run.json").write_text(json.dumps({"status": status}))
        (tmp_path / "classes.json").write_text(json.dumps(classes))
        evaluate(tmp_path / "l.npz", tmp_path / "run.json", tmp_path / "classes.json", tmp_path / "m.json")
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
        "f1": pytest.approx(2 / 3),
        "support": 2,
    }


def test_diverged_has_the_same_keys_and_no_scores(run):
    good = run(np.eye(3, dtype=np.float32), np.arange(3))
    bad = run(np.full((3, 3), np.nan, np.float32), np.arange(3), "diverged")
    assert set(good) == set(bad)
    assert bad["status"] == "diverged"
    assert all(bad[name] is None for name in SCORES)
    assert bad["images"] == 3


def test_bad_input_is_named(run):
    with pytest.raises(InputError, match="not finite"):
        run(np.full((3, 3), np.nan, np.float32), np.arange(3))
    with pytest.raises(InputError, match="3 classes"):
        run(np.eye(3, dtype=np.float32), np.arange(3), classes=("a", "b"))
    with pytest.raises(InputError, match="labels from 0 to 7"):
        run(np.eye(3, dtype=np.float32), np.array([0, 1, 7]))
