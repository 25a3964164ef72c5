"""A trial and a final run through files: what they write, and what happens when they cannot."""

import csv
import fcntl
import json
import time
from pathlib import Path

import numpy as np
import pytest
import small
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ftbench.base import digests, verified
from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.machine import devices
from ftbench.model import backbones
from ftbench.model.tensors import digest_of_tensors
from ftbench.train import checkpoint, loop, start
from ftbench.train import run as training
from ftbench.train.history import Outcome
from ftbench.train.loop import TrainingLoop
from ftbench.train.start import start_run
from ftbench.train.step import Step

CPU = torch.device("cpu")
RECIPE = {"epochs": 2, "batch_size": 20}


def train(
    folder, inputs, kind="scratch", seed=0, code="c" * 16, learning_rate=0.01, chosen=None, recipe=None, **changes
) -> dict:
    """Run train() into `folder`; returns the paths of its outputs."""
    run = small.run(kind, seed, RECIPE | (recipe or {}), **changes)
    recipe = small.selected(folder / "selected.json", run["recipe"], learning_rate, **(chosen or {}))
    outputs = small.outputs(folder)
    training.train(run=run, code=code, inputs=inputs, recipe=recipe, **outputs)
    return outputs


@pytest.fixture
def inputs(tmp_path):
    return small.study(tmp_path / "data")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(folder, inputs, outputs) of a finished scratch run; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    inputs = small.study(folder / "data")
    return folder, inputs, train(folder / "run", inputs)


@pytest.fixture
def pretrained(tmp_path, inputs):
    return inputs | small.weights(tmp_path)


# --- a finished run --------------------------------------------------------------------------------------------------


def test_the_outputs_are_all_there_and_nothing_else(finished):
    folder, _, outputs = finished
    assert {path.name for path in (folder / "run").iterdir()} == {
        *(Path(path).name for key, path in outputs.items() if key != "resume"), "selected.json", verified.RECORD}  # fmt: skip


def test_the_model_is_the_best_epochs_and_gives_the_saved_validation_logits(finished):
    _, inputs, outputs = finished
    saved, split = np.load(outputs["val_logits"]), np.load(inputs["split"])
    labels = np.load(inputs["labels"])
    assert saved["logits"].dtype == np.float32 and saved["logits"].shape == (len(split["validation"]), 3)
    assert np.array_equal(saved["ids"], split["validation"]) and saved["ids"].dtype == np.int64
    assert np.array_equal(saved["labels"], labels[split["validation"]]) and saved["labels"].dtype == np.int64
    backbone = backbones.build(small.NETWORK, 3, 99, None, small.STATISTICS)
    backbone.network.load_state_dict(load_file(outputs["model"]))
    images = torch.from_numpy(np.load(inputs["images"])[split["validation"]])
    logits, _ = backbones.predict(backbone, [images], torch.autocast("cpu", enabled=False))
    assert np.allclose(logits, saved["logits"], atol=1e-4)
    record = read_json(outputs["run_json"])
    assert record["validation_accuracy"] == np.mean(saved["logits"].argmax(1) == saved["labels"])
    with open(outputs["history"], newline="") as stream:
        rows = list(csv.DictReader(stream))
    best = rows[record["best_epoch"] - 1]
    assert float(best["validation_accuracy"]) == record["validation_accuracy"] == max(
        float(row["validation_accuracy"]) for row in rows)  # fmt: skip
    assert list(rows[0])[:4] == ["epoch", "train_loss", "learning_rate", "group_learning_rates"]
    assert {"validation_accuracy", "validation_nll", "images_per_second", "seconds"} < set(rows[0])
    assert len(rows) == record["epochs"] == 2


def test_the_record_says_what_ran(finished):
    _, inputs, outputs = finished
    record = read_json(outputs["run_json"])
    expected = {"dataset": "colours", "backbone": "resnet8", "strategy": "scratch", "kind": "scratch", "seed": 0,
                "status": "finished", "diverged": None, "stochastic": True, "tuned": True,
                "recipe": small.RECIPE | RECIPE | {"learning_rate": 0.01}, "device": "cpu", "precision": "float32",
                "threads": 1, "normalization": small.STATISTICS}  # fmt: skip
    assert expected.items() <= record.items()
    assert record["trainable_params"] == record["total_params"] == 78_042 - 7 * 65
    assert record["digests"]["code"] == "c" * 16 and record["digests"]["data"] == read_json(inputs["data"])["digest"]
    assert record["digests"]["weights"] is record["digests"]["probe"] is None
    assert record["digests"]["model"] == digest_of_tensors(load_file(outputs["model"]))
    assert torch.__version__.startswith(record["versions"]["torch"])
    with safe_open(outputs["model"], "pt") as model:
        assert model.metadata() == {"identity": record["identity"]}


def test_what_was_measured_is_in_the_cost_and_not_in_the_record(finished):
    _, _, outputs = finished
    cost, record = read_json(outputs["cost"]), Path(outputs["run_json"]).read_text()
    assert cost["train_seconds"] > 0 and cost["images_per_second"] > 0 and cost["peak_memory_mb"] > 10
    assert (cost["resumes"], cost["threads"], cost["feature_seconds"], cost["probe"]) == (0, 1, 0.0, None)
    assert cost["checkpoint_bytes"] == Path(finished[2]["model"]).stat().st_size
    for word in ("seconds", "memory", "per_second", "resumes", "time"):
        assert word not in record


def test_two_equal_runs_write_the_same_bytes(finished, tmp_path):
    _, inputs, outputs = finished
    again = train(tmp_path / "run", inputs)
    for key in ("run_json", "model", "val_logits"):
        assert Path(outputs[key]).read_bytes() == Path(again[key]).read_bytes(), key


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"code": "d" * 16}, {"learning_rate": 0.02}, {"precision": "bfloat16"}]
)
def test_anything_that_may_change_the_result_changes_the_identity(finished, tmp_path, monkeypatch, changes):
    _, inputs, outputs = finished
    monkeypatch.setattr(loop, "fit", lambda *_: Outcome(status="diverged", diverged={}))
    other = train(tmp_path / "run", inputs, **changes)
    assert read_json(other["run_json"])["identity"] != read_json(outputs["run_json"])["identity"]


def test_sizes_that_grow_are_the_runs_own_and_one_that_the_network_cannot_take_stops_the_job(finished, tmp_path):
    _, inputs, outputs = finished
    grown = train(tmp_path, inputs, recipe={"image_sizes": [4, small.SIZE]})
    record, other = read_json(grown["run_json"]), read_json(outputs["run_json"])
    assert record["recipe"]["image_sizes"] == [4, small.SIZE] and record["identity"] != other["identity"]
    assert record["digests"]["model"] != other["digests"]["model"]
    vit = small.run(network={"source": "timm", "model": "vit_tiny_patch16_224", "image_size": 64})
    with pytest.raises(InputError, match="'vit_tiny_patch16_224' cannot run at size 48 of image_sizes"):
        start_run(vit, "c", inputs, small.recipe(image_sizes=[48, 64]))


def test_kept_statistics_are_proven_to_be_those_of_the_start_and_one_image_at_a_time_is_enough(pretrained, tmp_path):
    inputs = pretrained
    kept = {"norm_statistics": "frozen", "batch_size": 8, "accumulate": 8}
    outputs = train(tmp_path, inputs, kind="finetune", recipe=kept)
    model, start = load_file(outputs["model"]), load_file(inputs["weights"])
    statistics = [name for name in start if name.endswith(("running_mean", "running_var"))]
    assert len(statistics) == 18 and all(torch.equal(model[name], start[name]) for name in statistics)
    assert not torch.equal(model["bn1.weight"], start["bn1.weight"])
    with pytest.raises(InputError, match=r"or let the batch norms keep their statistics \(norm_statistics: frozen\)"):
        start_run(small.run("finetune"), "c", inputs, small.recipe(**kept | {"norm_statistics": "batch"}))


def test_new_data_a_new_split_and_new_weights_change_the_identity(pretrained, tmp_path):
    def identity():
        return start_run(small.run("finetune"), "c", pretrained, small.recipe()).identity

    found = [identity()]
    split = dict(np.load(pretrained["split"])) | {"digest": np.str_("e" * 64)}
    np.savez(pretrained["split"], **split)
    found.append(identity())
    np.savez(pretrained["split"], **split | {"train": split["train"][1:]})
    found.append(identity())
    small.weights(tmp_path, seed=8)
    found.append(identity())
    assert len(set(found)) == 4


# --- other strategies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, moved", [("finetune", 77_587), ("last_block", 57_923), ("norm_bias", 867)])
def test_a_pretrained_run_starts_from_the_weights_and_moves_what_the_strategy_says(pretrained, tmp_path, kind, moved):
    outputs = train(tmp_path / "run", pretrained, kind)
    record, start, end = (read_json(outputs["run_json"]), load_file(pretrained["weights"]), load_file(outputs["model"]))
    assert (record["trainable_params"], record["total_params"]) == (moved, 77_587)
    assert record["digests"]["weights"] == read_json(pretrained["record"])["sha256"]
    changed = {name for name in end if name not in ("fc.weight", "fc.bias") and not torch.equal(end[name], start[name])}
    if kind == "last_block":
        assert changed and all(name.startswith("layer3.") for name in changed)
    if kind == "norm_bias":
        assert changed and not any("conv" in name for name in changed)


def test_a_strategy_that_changes_a_frozen_tensor_stops_the_job(pretrained, tmp_path, monkeypatch):
    original = loop.fit

    def fit(backbone, *rest):
        outcome = original(backbone, *rest)
        backbone.network.bn1.running_mean += 1e-6
        return outcome

    monkeypatch.setattr(loop, "fit", fit)
    with pytest.raises(RuntimeError, match="frozen tensors of last_block changed"):
        train(tmp_path / "run", pretrained, "last_block")
    assert not (tmp_path / "run" / "run.json").exists()


# --- stopping and resuming -------------------------------------------------------------------------------------------


def test_a_stopped_run_leaves_its_state_and_no_output_and_the_next_start_ends_with_the_same_bytes(
    finished, tmp_path, monkeypatch
):
    _, inputs, outputs = finished
    original = TrainingLoop.leave_if_asked

    def leave_if_asked(self):
        self.stop.number = 15 if (self.epoch, self.done) == (1, 1) and not self.outcome.resumes else None
        original(self)

    monkeypatch.setattr(TrainingLoop, "leave_if_asked", leave_if_asked)
    with pytest.raises(SystemExit):
        train(tmp_path / "run", inputs)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"selected.json", "model.resume", verified.RECORD}
    again = train(tmp_path / "run", inputs)
    for key in ("run_json", "model", "val_logits"):
        assert Path(outputs[key]).read_bytes() == Path(again[key]).read_bytes(), key
    cost = read_json(again["cost"])
    assert cost["resumes"] == 1 and cost["train_seconds"] > 0
    assert not Path(again["resume"]).exists()


def test_a_damaged_state_costs_time_and_nothing_else(finished, tmp_path, capsys):
    _, inputs, outputs = finished
    state = tmp_path / "run" / "model.resume" / checkpoint.STATE
    state.parent.mkdir(parents=True)
    state.write_bytes(b"half a file")
    again = train(tmp_path / "run", inputs)
    assert "cannot be read" in capsys.readouterr().out
    assert Path(outputs["run_json"]).read_bytes() == Path(again["run_json"]).read_bytes()


def _hold(folder: Path, monkeypatch, meanwhile):
    """Hold the run's lock until its waiter has slept once; `meanwhile()` happens before it is let go."""
    folder.mkdir(parents=True)
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)

    def nap(_):
        meanwhile()
        lock.close()

    monkeypatch.setattr(time, "sleep", nap)


def test_a_run_that_another_process_finishes_meanwhile_is_not_trained_again(finished, tmp_path, monkeypatch, capsys):
    _, inputs, outputs = finished

    def other_process():
        for path in outputs.values():
            if Path(path).is_file():
                (tmp_path / "run" / Path(path).name).write_bytes(Path(path).read_bytes())

    _hold(tmp_path / "run" / "model.resume", monkeypatch, other_process)
    monkeypatch.setattr(loop, "fit", None)
    train(tmp_path / "run", inputs)
    assert "nothing left to do" in capsys.readouterr().out
    assert not (tmp_path / "run" / "model.resume").exists()


def test_a_run_that_is_asked_for_again_is_trained_again(finished, tmp_path, monkeypatch):
    _, inputs, _ = finished
    calls, original = [], loop.fit
    monkeypatch.setattr(loop, "fit", lambda *arguments: calls.append(1) or original(*arguments))
    for _ in range(2):  # nobody had to be waited for
        train(tmp_path / "run", inputs)
    assert len(calls) == 2


@pytest.mark.parametrize("left", ["nothing", "another run"])
def test_a_run_that_the_other_process_did_not_finish_is_trained(finished, tmp_path, monkeypatch, left):
    _, inputs, outputs = finished

    def other_process():
        for path in outputs.values():
            if Path(path).is_file() and left == "another run":
                text = Path(path).read_bytes()
                if path.endswith("run.json"):
                    text = json.dumps(json.loads(text) | {"identity": "other"}).encode()
                (tmp_path / "run" / Path(path).name).write_bytes(text)

    _hold(tmp_path / "run" / "model.resume", monkeypatch, other_process)
    again = train(tmp_path / "run", inputs)
    assert Path(outputs["run_json"]).read_bytes() == Path(again["run_json"]).read_bytes()


# --- divergence ------------------------------------------------------------------------------------------------------


def assert_diverged(outputs, inputs, where):
    record, saved = read_json(outputs["run_json"]), np.load(outputs["val_logits"])
    assert record["status"] == "diverged" and record["diverged"] == where
    assert record["best_epoch"] is record["validation_accuracy"] is record["validation_nll"] is None
    assert record["total_params"] == 77_587 and record["epochs"] < 2  # those that ended
    validation = np.load(inputs["split"])["validation"]
    assert saved["logits"].shape == (len(validation), 3) and np.isnan(saved["logits"]).all()
    assert np.array_equal(saved["ids"], validation)
    with safe_open(outputs["model"], "pt") as model:
        assert list(model.keys()) == [] and model.metadata() == {"identity": record["identity"]}
    assert not Path(outputs["resume"]).exists()


def test_a_diverged_run_is_a_result(inputs, tmp_path, monkeypatch):
    where = {"epoch": 1, "step": 2, "learning_rate": 5.0, "loss": None}
    losses = iter([1.0, float("nan")])
    monkeypatch.setattr(Step, "take", lambda *_: (torch.tensor(next(losses)), None))
    monkeypatch.setattr("ftbench.train.recipes.learning_rate", lambda *_: 5.0)
    outputs = train(tmp_path / "run", inputs)
    assert_diverged(outputs, inputs, where)
    cost = read_json(outputs["cost"])
    assert cost["train_seconds"] > 0


def test_a_learning_rate_of_a_million_diverges_and_ends_normally(inputs, tmp_path):
    outputs = train(tmp_path / "run", inputs, learning_rate=1e6, recipe={"optimizer": "sgd"})
    record = read_json(outputs["run_json"])
    assert set(record["diverged"]) == {"epoch", "step", "learning_rate", "loss"}
    assert_diverged(outputs, inputs, record["diverged"])


def test_a_cell_whose_trials_all_diverged_is_recorded_without_training(inputs, tmp_path, monkeypatch):
    where = {"epoch": 2, "step": 1, "learning_rate": 0.1, "loss": 1e9}
    monkeypatch.setattr(loop, "fit", None)
    chosen = {"status": "diverged", "diverged": where}
    outputs = train(tmp_path / "run", inputs, learning_rate=None, chosen=chosen)
    assert_diverged(outputs, inputs, where)
    assert read_json(outputs["run_json"])["recipe"]["learning_rate"] is None
    assert read_json(outputs["cost"])["images_per_second"] is None


# --- trials ----------------------------------------------------------------------------------------------------------


def trial(folder, inputs, slot=1, learning_rate=0.01, recipe=None, seed=1000, rung=0, promoted=None):
    run, outputs = small.run("scratch", seed, RECIPE | (recipe or {})), small.outputs(folder)
    point = {"slot": slot, "rung": rung, "share": 1.0, "learning_rate": learning_rate}
    training.train_trial(run=run, code="c", inputs=inputs, trial=point, promoted=promoted,
                         out=outputs["run_json"], resume=outputs["resume"])  # fmt: skip
    record = read_json(outputs["run_json"])
    return record, record.pop("history"), record.pop("cost")


def test_a_trial_writes_its_scores_its_history_and_its_cost_into_one_file(inputs, tmp_path):
    record, history, cost = trial(tmp_path / "trial1", inputs)
    assert (record["trial"], record["learning_rate"], record["status"]) == (1, 0.01, "finished")
    assert record["epochs"] == 2 and record["best_epoch"] in (1, 2)
    assert 0 <= record["validation_accuracy"] <= 1 and record["validation_nll"] > 0
    assert cost["train_seconds"] > 0
    assert [row["epoch"] for row in history] == [1, 2]
    assert {path.name for path in (tmp_path / "trial1").iterdir()} == {"run.json", verified.RECORD}


def test_a_trial_and_a_run_at_the_same_rate_and_seed_are_the_same_training(finished, tmp_path):
    _, inputs, outputs = finished
    one, other = trial(tmp_path / "t", inputs, seed=0)[0], read_json(outputs["run_json"])
    for key in ("validation_accuracy", "validation_nll", "best_epoch"):
        assert one[key] == other[key]


def test_above_the_first_rung_a_trial_is_whichever_was_promoted(inputs, tmp_path):
    promoted = {"trials": [{"trial": 2, "learning_rate": 0.3}, {"trial": 5, "learning_rate": 0.02}]}
    write_json(tmp_path / "rung1.json", promoted)
    record, _, _ = trial(tmp_path / "t", inputs, slot=1, learning_rate=None, rung=1, promoted=tmp_path / "rung1.json")
    same, _, _ = trial(tmp_path / "same", inputs, slot=5, learning_rate=0.02)
    assert (record["trial"], record["learning_rate"], record["rung"]) == (5, 0.02, 1)
    assert record == same | {"rung": 1}


def test_a_diverged_trial_is_a_result(inputs, tmp_path):
    record, _, _ = trial(tmp_path / "t", inputs, learning_rate=1e6, recipe={"optimizer": "sgd"})
    assert record["status"] == "diverged" and record["validation_accuracy"] is None
    assert set(record["diverged"]) == {"epoch", "step", "learning_rate", "loss"}
    assert 1 <= record["diverged"]["epoch"] <= 2 and record["diverged"]["step"] >= 1


# --- small parts -----------------------------------------------------------------------------------------------------


def test_inputs_that_a_cell_lacks_are_none_and_the_probes_two_files_one_entry():
    given = {"images": "i", "weights": [], "record": "r", "probe_model": "m", "probe_cost": "c"}
    assert start.input_files(given) == {"images": "i", "weights": None, "record": "r", "probe": {"model": "m", "cost": "c"}}  # fmt: skip
    assert start.input_files(given | {"probe_model": [], "probe_cost": []})["probe"] is None
    assert given["probe_model"] == "m"


def test_a_digest_of_tensors_sees_every_bit_name_shape_and_type_but_no_order():
    one = {"a": torch.zeros(2, 3), "b": torch.ones(2, 3)}
    digest = digest_of_tensors
    assert digest(one) == digest(dict(reversed(one.items())))
    flipped = one["a"].clone()
    flipped[1, 2] = -0.0  # one bit
    others = [
        {"a": one["b"], "b": one["a"]},
        {"a": one["a"]},
        one | {"a": flipped},
        one | {"a": one["a"].view(3, 2)},
        one | {"a": one["a"].half()},
        {"a": one["a"], "c": one["b"]},
    ]
    assert len({digest(other) for other in [one, *others]}) == 7
    assert digest({"x": torch.arange(6).view(2, 3).T}) == digest({"x": torch.arange(6).view(2, 3).T.contiguous()})
    arrays = digests.digest_of_arrays
    assert arrays({"x": np.arange(6)}) != arrays({"x": np.arange(6).astype(np.int32)})
    assert digest({"x": torch.tensor(3)}) and digest({"x": torch.zeros(3, dtype=torch.bfloat16)})


def test_a_compiled_network_trains_to_the_same_result(finished, inputs, tmp_path, monkeypatch):
    """With torch.compile's plainest backend, which needs no C++ compiler."""
    compiled = []

    def compile_eagerly(self, dynamic):
        compiled.append(self)
        self._compiled_call_impl = torch.compile(self._call_impl, backend="eager", dynamic=dynamic)

    monkeypatch.setattr(torch.nn.Module, "compile", compile_eagerly)
    outputs = small.outputs(tmp_path / "run")
    run = small.run("scratch", 0, RECIPE, compile=True, crop_kernels=True)
    recipe = small.selected(tmp_path / "recipe.json", run["recipe"], 0.01)
    training.train(run=run, code="c", inputs=inputs, recipe=recipe, **outputs)
    assert compiled
    one, other = read_json(outputs["run_json"]), read_json(finished[2]["run_json"])
    assert one["validation_nll"] == pytest.approx(other["validation_nll"], rel=1e-4)


def test_more_processes_than_gpus_are_refused(inputs, monkeypatch):
    begun = start_run(small.run(gpus_per_run=4), "c", inputs, small.recipe())
    begun.device = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="gpus_per_run is 4, but this job has 1 GPU.*FTBENCH_GPUS"):
        training.fit(begun, Path("nowhere"))


@pytest.mark.parametrize("count", [1, 2])
def test_the_process_that_starts_others_leaves_the_memory_of_the_device_to_them(inputs, count):
    begun = start_run(small.run(gpus_per_run=count), "c", inputs, small.recipe())
    assert begun.data.images.resident is (count == 1)


def test_an_operation_without_determinism_is_explained():
    run = {"network": {"model": "vgg16_bn"}}
    refusal = "adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but you set ..."
    sentence = "deterministic is true, but vgg16_bn.*adaptive_avg_pool2d_backward_cuda"
    with pytest.raises(InputError, match=sentence), devices.determinism_explained(run):
        raise RuntimeError(refusal)
    with pytest.raises(RuntimeError, match="something else"), devices.determinism_explained(run):
        raise RuntimeError("something else")
