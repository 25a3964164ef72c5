"""A study's records as runs of a tracker: what is told of a run, and that each tracker gets all of it."""

import sys
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ftbench.base.errors import InputError
from ftbench.base.files import write_json, write_text
from ftbench.tools import trackers

RECORD = {
    "status": "finished",
    "kind": "finetune",
    "network": {"model": "resnet8", "weights": None},
    "recipe": {"learning_rate": 0.01, "tuned": None},
    "validation_accuracy": 0.75,
    "total_params": 78042,
    "identity": "abc",
}
HISTORY = "epoch,seconds,train_loss,group_learning_rates\n1,0.5,2.0,0.1 0.2\n2,1.0,1.5,0.1 0.2\n"


@pytest.fixture
def study(tmp_path, monkeypatch):
    folder = tmp_path / "results/s/runs/digits/small/finetune"
    write_json(folder / "seed0/run.json", RECORD)
    write_text(folder / "seed0/history.csv", HISTORY)
    write_json(folder / "seed0/cost.json", {"train_seconds": 12.5, "device": "cpu"})
    write_json(folder / "seed0/metrics.json", {"accuracy": 0.5, "worst_class": "3", "per_class": []})
    write_json(folder / "seed1/run.json", RECORD | {"status": "diverged", "validation_accuracy": None})
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results/s"


def test_a_run_is_told_whole(study):
    first, second = trackers.logged(study)
    assert first.name == "digits/small/finetune/seed0"
    assert first.metrics == {"validation_accuracy": 0.75, "test_accuracy": 0.5, "train_seconds": 12.5}
    assert first.parameters["recipe.learning_rate"] == 0.01 and "recipe.tuned" not in first.parameters
    assert first.curves == [(1, {"seconds": 0.5, "train_loss": 2.0}), (2, {"seconds": 1.0, "train_loss": 1.5})]
    assert [path.name for path in first.files] == ["run.json", "cost.json", "history.csv", "metrics.json"]
    assert second.tags["status"] == "diverged" and second.metrics == {} and second.curves == []


def test_tensorboard_gets_curves_scores_and_parameters_once(study):
    for _ in range(2):  # written anew
        assert trackers.log("s", "tensorboard")[0] == 2
    events = EventAccumulator(str(study / "tensorboard_runs/digits/small/finetune/seed0"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train_loss")] == [(1, 2.0), (2, 1.5)]
    assert events.Scalars("test_accuracy")[0].value == 0.5
    assert b"recipe.learning_rate: 0.01" in events.Tensors("run/text_summary")[0].tensor_proto.string_val[0]


class Recorder(SimpleNamespace):
    """Stands in for a tracker's package: every call is kept with its arguments."""

    def __init__(self):
        super().__init__(calls=[])

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*given, **named):
            self.calls.append((name, given, named))
            return self

        return call

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.calls.append(("end", (), {}))


def test_mlflow_gets_one_run_for_each(study, monkeypatch):
    fake = Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    assert trackers.log("s", "mlflow")[0] == 2
    names = [name for name, _, _ in fake.calls]
    assert names[:2] == ["set_experiment", "start_run"] and names.count("end") == 2
    assert ("log_metrics", ({"seconds": 1.0, "train_loss": 1.5},), {"step": 2}) in fake.calls
    tags = next(given[0] for name, given, _ in fake.calls if name == "set_tags")
    assert tags["file.metrics.json"].endswith("seed0/metrics.json") and tags["status"] == "finished"


def test_trackio_gets_one_run_for_each(study, monkeypatch):
    fake = Recorder()
    monkeypatch.setitem(sys.modules, "trackio", fake)
    count, where = trackers.log(str(study), "trackio")
    names = [name for name, _, _ in fake.calls]
    assert count == 2 and names.count("init") == names.count("finish") == 2 and "project s" in where
    assert ("log", ({"epoch": 1, "seconds": 0.5, "train_loss": 2.0},), {}) in fake.calls


def test_a_missing_package_or_study_is_one_sentence(study, monkeypatch):
    for name in ("mlflow", "trackio"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(
            InputError, match=rf"ftbench log --to {name} needs {name}==\S+; install it: pip install {name}=="
        ):
            trackers.log("s", name)
    with pytest.raises(
        InputError, match="STUDY: t is no study below results/ and no folder with runs; studies there: s"
    ):
        trackers.log("t", "tensorboard")
