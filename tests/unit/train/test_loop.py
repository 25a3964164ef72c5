"""The training loop on a ResNet-8 and sixty images of eight pixels: nine steps, a fraction of a second."""

import functools
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import small
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from torch import nn

from ftbench.base.logits import validation_scores
from ftbench.machine import devices
from ftbench.model import backbones, freezing
from ftbench.train import loop, recipes, strategies
from ftbench.train.loop import TrainingLoop
from ftbench.train.step import Step

CPU = torch.device("cpu")
STEPS, EPOCHS, BATCH = 3, 3, 13  # an epoch takes 39 of the 42 training images


@pytest.fixture
def inputs(tmp_path):
    return small.study(tmp_path / "data")


def network(seed=0, kind="scratch"):
    """A ResNet-8 with dropout, so that torch's own random state matters as well."""
    backbone = small.backbone(seed, kind)
    backbone.network.pool = nn.Sequential(backbone.network.pool, nn.Dropout(0.3))
    return backbone


def fit(inputs, resume, seed=0, identity="x", kind="scratch", backbone=None, recipe=None, **changes):
    backbone = backbone or network(seed, kind)
    recipe = small.recipe(augmentation="crop_flip_rotate", batch_size=BATCH) | (recipe or {})
    run = small.run(kind, seed, **changes)
    if recipe["norm_statistics"] == "frozen":
        freezing.keep_statistics(backbone.network)  # as a run does before its first step
    return loop.fit(backbone, small.loop_data(inputs), run, recipe, CPU, resume, identity)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """`whole(**recipe)`: the outcome of a run that nothing interrupts; each recipe runs once."""
    folder = tmp_path_factory.mktemp("whole")
    inputs = small.study(folder / "data")
    return functools.cache(lambda **recipe: fit(inputs, folder / "r", identity=repr(recipe), recipe=recipe))


def measured_apart(history):
    """The history without what a clock says."""
    return [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_second", "peak_memory_mb")} for row in history
    ]


def assert_same(one, other):
    assert measured_apart(one.history) == measured_apart(other.history)
    assert (one.status, one.diverged, one.best_epoch, one.best) == (
        other.status, other.diverged, other.best_epoch, other.best)  # fmt: skip
    assert one.best_state.keys() == other.best_state.keys()
    for name, tensor in one.best_state.items():
        assert torch.equal(tensor, other.best_state[name]), name


# --- the same bits ---------------------------------------------------------------------------------------------------


def test_a_run_learns_and_writes_every_epoch_down(inputs, tmp_path, capsys):
    outcome = fit(inputs, tmp_path / "r", recipe={"epochs": 8})
    assert outcome.status == "finished" and outcome.diverged is None
    assert [row["epoch"] for row in outcome.history] == list(range(1, 9))
    assert outcome.history[-1]["train_loss"] < outcome.history[0]["train_loss"]
    assert outcome.best["validation_accuracy"] > 0.6  # of three classes
    assert outcome.trained_images == 8 * STEPS * BATCH
    seconds = [row["seconds"] for row in outcome.history]
    assert seconds[0] > 0 and seconds == sorted(seconds) and outcome.train_seconds >= seconds[-1]
    assert 0 < outcome.step_seconds < outcome.train_seconds
    assert all(row["images_per_second"] > 0 for row in outcome.history)
    assert f"epoch 8/8 step {STEPS}/{STEPS}: loss" in capsys.readouterr().out


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_one_seed_gives_the_same_bits_twice_whatever_the_process_drew_before(inputs, tmp_path, whole, optimizer):
    backbone = network()
    torch.manual_seed(123)
    np.random.seed(5)
    assert_same(whole(optimizer=optimizer), fit(inputs, tmp_path, backbone=backbone, recipe={"optimizer": optimizer}))


def test_another_seed_is_another_run_even_from_the_same_weights(inputs, tmp_path, whole):
    other = fit(inputs, tmp_path, 1, backbone=network(0))
    assert not torch.equal(whole().best_state["fc.weight"], other.best_state["fc.weight"])


@pytest.mark.parametrize("key, value", [("learning_rate", 0.02), ("weight_decay", 0.3), ("label_smoothing", 0.2),
                                        ("augmentation", "crop"), ("schedule", "constant"), ("batch_size", 7),
                                        ("norm_momentum", 0.5), ("optimizer", "sgd"), ("warmup_steps", 0),
                                        ("schedule", "linear"), ("mixup", 0.5), ("cutmix", 1.0), ("ema_decay", 0.9),
                                        ("clip_norm", 0.1), ("examples", 64), ("accumulate", 2),
                                        ("image_sizes", (4, 8)), ("norm_statistics", "frozen")])  # fmt: skip
def test_every_key_of_a_recipe_changes_the_run(whole, key, value):
    first, other = whole(epochs=2, batch_size=8), whole(**({"epochs": 2, "batch_size": 8} | {key: value}))
    assert any(not torch.equal(tensor, other.best_state[name]) for name, tensor in first.best_state.items())


def test_a_recipe_without_image_sizes_is_the_same_run_to_the_bit_as_one_that_lacks_the_key(inputs, tmp_path, whole):
    recipe = {key: value for key, value in small.recipe(batch_size=BATCH).items() if key != "image_sizes"}
    recipe |= {"augmentation": "crop_flip_rotate"}
    run = small.run("scratch", 0)
    assert_same(whole(), loop.fit(network(), small.loop_data(inputs), run, recipe, CPU, tmp_path / "r", "x"))


def test_images_grow_step_by_step_and_validation_sees_the_own_size(inputs, tmp_path, capsys):
    backbone, sides = network(), {True: [], False: []}
    backbone.network.register_forward_pre_hook(lambda module, given: sides[module.training].append(given[0].shape[-1]))
    fit(inputs, tmp_path / "r", backbone=backbone, recipe={"image_sizes": [4, 6, 8], "epochs": 4})
    assert sides == {True: [4] * 4 + [6] * 4 + [8] * 4, False: [8] * 4}
    assert "training images grow: 4 px for 4 steps, then 6 px for 4 steps, then 8 px for 4" in capsys.readouterr().out


def test_the_learning_rate_follows_the_schedule_over_all_steps(inputs, tmp_path, monkeypatch):
    used, original = [], Step.take

    def take(self, ids, epoch, number):
        taken = original(self, ids, epoch, number)
        used.append({group["lr"] for group in self.optimizer.param_groups})
        return taken

    monkeypatch.setattr(Step, "take", take)
    outcome = fit(inputs, tmp_path / "r")
    total = EPOCHS * STEPS
    expected = [{recipes.learning_rate(small.recipe(), step, total)} for step in range(total)]
    assert used == expected
    assert [{row["learning_rate"]} for row in outcome.history] == expected[STEPS - 1 :: STEPS]
    assert all(float(row["group_learning_rates"]) == pytest.approx(row["learning_rate"]) for row in outcome.history)


def test_the_history_has_the_learning_rate_of_every_group(inputs, tmp_path):
    recipe = {"learning_rate": 0.08, "schedule": "constant", "warmup_steps": 0, "layer_decay": 0.5, "epochs": 1}
    (row,) = fit(inputs, tmp_path / "r", kind="layerwise_decay", recipe=recipe).history
    expected = [0.08 * 0.5**depth for depth in range(1 + len(small_stages()))]  # the head, then stage below stage
    assert [float(rate) for rate in row["group_learning_rates"].split()] == pytest.approx(expected)


def test_a_batch_larger_than_the_training_part_is_the_whole_part(inputs, tmp_path):
    outcome = fit(inputs, tmp_path / "r", recipe={"batch_size": 1000, "epochs": 1})
    assert outcome.trained_images == 42


def test_bfloat16_trains_and_keeps_float32_weights(inputs, tmp_path):
    outcome = fit(inputs, tmp_path / "r", precision="bfloat16")
    assert outcome.status == "finished" and outcome.best_state["fc.weight"].dtype == torch.float32


def test_frozen_parts_stay_through_a_whole_run(inputs, tmp_path):
    backbone = network(kind="last_block")
    before = {name: tensor.clone() for name, tensor in backbone.network.state_dict().items()}
    outcome = fit(inputs, tmp_path / "r", kind="last_block", backbone=backbone)
    for state in (outcome.best_state, backbone.network.state_dict()):
        changed = {name for name in state if not torch.equal(state[name], before[name])}
        assert changed and all(name.startswith(("layer3.", "fc.")) for name in changed)


# --- killed and resumed ----------------------------------------------------------------------------------------------


def stop_at(monkeypatch, steps, number=signal.SIGTERM):
    """Send this process a signal in the middle of the given steps, counted over all processes of a run."""
    original, done = Step.take, iter(range(1, 1000))

    def take(self, *given):
        if next(done) in steps:
            os.kill(os.getpid(), number)
        return original(self, *given)

    monkeypatch.setattr(Step, "take", take)


RANDOM_STEPS = sorted(np.random.default_rng(17).choice(np.arange(2, 9), 3, replace=False).tolist())
KILLS = [[1], [STEPS], [STEPS + 1], [2 * STEPS], [EPOCHS * STEPS], [2, 3, 8]]


@pytest.mark.parametrize(
    "optimizer, steps",
    [*(("adamw", steps) for steps in KILLS), ("adamw", RANDOM_STEPS), ("sgd", RANDOM_STEPS)],
    ids=str,
)
def test_a_run_killed_at_any_step_ends_with_the_same_bits(
    inputs, tmp_path, whole, monkeypatch, capsys, optimizer, steps
):
    stop_at(monkeypatch, steps)
    for kill in range(len(steps)):
        with pytest.raises(SystemExit) as stopped:
            fit(inputs, tmp_path / "killed", recipe={"optimizer": optimizer})
        assert stopped.value.code == 128 + signal.SIGTERM
        assert "signal 15: state saved" in capsys.readouterr().out
        torch.manual_seed(kill)  # another process starts from another random state
    resumed = fit(inputs, tmp_path / "killed", recipe={"optimizer": optimizer})
    assert "resuming after epoch" in capsys.readouterr().out
    monkeypatch.undo()
    assert_same(whole(optimizer=optimizer), resumed)
    assert resumed.resumes == len(steps)
    assert resumed.trained_images == EPOCHS * STEPS * BATCH  # no step is counted twice or not at all
    assert all(row["images_per_second"] > 0 for row in resumed.history)


OPTIONS = {
    "gradual_unfreeze": {"examples": 5 * BATCH, "ema_decay": 0.9},  # the budget ends within the second epoch
    "finetune": {
        "norm_statistics": "frozen",
        "image_sizes": [4, 6, 8],
        "examples": 7 * BATCH,
        "mixup": 0.3,
    },  # sizes change within epochs
    "l2_sp": {"accumulate": 3, "clip_norm": 0.5, "class_weights": "balanced"},
    "layerwise_decay": {"mixup": 0.4, "cutmix": 1.0, "augmentation": "trivial_augment"},
    "lora": {"patience": 1, "learning_rate": 1e-12, "ema_decay": 0.9, "optimizer": "sgd"},
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_no_option_of_a_recipe_or_strategy_is_lost_in_a_state(inputs, tmp_path, monkeypatch, kind):
    recipe = small.recipe(augmentation="crop_flip_rotate", batch_size=BATCH) | OPTIONS[kind]

    def run(folder):
        backbone, strategy = network(kind=kind), strategies.load(kind)
        strategy.adapt(backbone, recipe)
        freezing.freeze(backbone, strategy.trainable(backbone))
        return fit(inputs, tmp_path / folder, kind=kind, backbone=backbone, recipe=recipe)

    whole = run("whole")
    stop_at(monkeypatch, [2, 3, 4])
    for _ in range(3):
        with pytest.raises(SystemExit):
            run("killed")
    resumed = run("killed")
    assert_same(whole, resumed)
    assert (resumed.resumes, resumed.trained_images) == (3, whole.trained_images)


@pytest.mark.parametrize("kept", [True, False])
def test_the_scale_of_float16_outlives_a_kill_inside_an_epoch(inputs, tmp_path, monkeypatch, kept):
    """With one that grows at every second step, and so that it rounds: a lost one is another run. float32 computes, since float16 is slow
    on a CPU."""
    scaler = functools.partial(torch.amp.GradScaler, "cpu", init_scale=3.0, growth_factor=1.7, growth_interval=2)
    monkeypatch.setattr(devices, "gradient_scaler", lambda *_: scaler())
    whole = fit(inputs, tmp_path / "whole")
    if not kept:
        monkeypatch.setattr(torch.amp.GradScaler, "load_state_dict", lambda *_: None)
    stop_at(monkeypatch, [2, 5])
    for _ in range(2):
        with pytest.raises(SystemExit):
            fit(inputs, tmp_path / "killed")
    resumed = fit(inputs, tmp_path / "killed")
    assert (measured_apart(resumed.history) == measured_apart(whole.history)) is kept
    if kept:
        assert_same(whole, resumed)


def test_ctrl_c_is_a_stop_like_any_other(inputs, tmp_path, whole, monkeypatch):
    stop_at(monkeypatch, [2], signal.SIGINT)
    with pytest.raises(SystemExit) as stopped:
        fit(inputs, tmp_path / "r")
    assert stopped.value.code == 130
    assert_same(whole(), fit(inputs, tmp_path / "r"))


@pytest.mark.parametrize("at", [1, 3, 2 * EPOCHS], ids="batch {}".format)
def test_a_signal_during_validation_is_not_kept_waiting_and_costs_no_step(inputs, tmp_path, monkeypatch, at):
    """The 18 validation images in batches of 10: two of them in an epoch. The average's weights are not what is saved."""
    monkeypatch.setattr(backbones, "BATCH", 10)
    recipe, predict, batches, steps = {"ema_decay": 0.9}, backbones.predict, [], []

    def counted(backbone, images, *rest):
        def one_by_one():
            for batch in images:
                batches.append(len(batch))
                if len(batches) == at:
                    os.kill(os.getpid(), signal.SIGTERM)
                yield batch

        return predict(backbone, one_by_one(), *rest)

    take = Step.take
    monkeypatch.setattr(backbones, "predict", counted)
    monkeypatch.setattr(Step, "take", lambda self, *given: steps.append(1) or take(self, *given))
    with pytest.raises(SystemExit):
        fit(inputs, tmp_path / "r", recipe=recipe)
    assert len(batches) == at  # not a batch more
    resumed = fit(inputs, tmp_path / "r", recipe=recipe)
    assert len(steps) == EPOCHS * STEPS and resumed.resumes == 1
    monkeypatch.undo()
    monkeypatch.setattr(
        backbones, "BATCH", 10
    )  # on some processors another batch size rounds the logits in another way
    assert_same(fit(inputs, tmp_path / "whole", recipe=recipe), resumed)


@pytest.mark.parametrize(
    "inside, between, lost",
    [(1e9, 1e9, STEPS + 2), (1e9, -1.0, 2), (-1.0, -1.0, 0)],
    ids=["never saved", "saved at epochs", "saved at every step"],
)
def test_a_run_without_a_warning_goes_on_from_the_last_save(
    inputs, tmp_path, whole, monkeypatch, inside, between, lost
):
    """SIGKILL or a power cut: no signal handler runs."""
    monkeypatch.setattr(loop, "SAVE_SECONDS", inside)
    monkeypatch.setattr(loop, "EPOCH_SAVE_SECONDS", between)
    original, done = Step.take, []

    def take(self, *given):
        if len(done) == STEPS + 2:
            done.append("killed")
            raise KeyboardInterrupt  # stands in for the end of the process
        done.append(1)
        return original(self, *given)

    monkeypatch.setattr(Step, "take", take)
    with pytest.raises(KeyboardInterrupt):
        fit(inputs, tmp_path / "r")
    done_before = len(done)
    resumed = fit(inputs, tmp_path / "r")
    assert len(done) - done_before == EPOCHS * STEPS - (STEPS + 2) + lost
    assert_same(whole(), resumed)


def test_a_finished_run_whose_outputs_were_not_written_trains_no_further_step(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "EPOCH_SAVE_SECONDS", -1.0)
    first = fit(inputs, tmp_path / "r")
    monkeypatch.setattr(Step, "take", None)
    assert_same(first, fit(inputs, tmp_path / "r"))


def test_a_state_of_another_identity_is_left_aside_and_said_so(inputs, tmp_path, whole, monkeypatch, capsys):
    stop_at(monkeypatch, [5])
    with pytest.raises(SystemExit):
        fit(inputs, tmp_path / "r", identity="old")
    outcome = fit(inputs, tmp_path / "r", identity="new")
    assert "is of another recipe, data, code or device; training starts afresh" in capsys.readouterr().out
    assert outcome.resumes == 0
    assert_same(whole(), outcome)


# --- the best epoch --------------------------------------------------------------------------------------------------


def script_scores(monkeypatch, accuracies, balanced=None):
    """Let the epochs of the next run have these validation scores; returns the state after each epoch."""
    states, scores = [], iter(zip(accuracies, balanced or accuracies))
    monkeypatch.setattr(
        loop,
        "validation_scores",
        lambda *_: dict(zip(("validation_accuracy", "validation_balanced_accuracy", "validation_nll"), (*next(scores), 1.0))),
    )  # fmt: skip
    original = TrainingLoop.end_epoch

    def end_epoch(self):
        original(self)
        states.append({name: tensor.clone() for name, tensor in self.backbone.network.state_dict().items()})

    monkeypatch.setattr(TrainingLoop, "end_epoch", end_epoch)
    return states


@pytest.mark.parametrize("accuracies, best", [([0.5, 0.7, 0.6], 2), ([0.5, 0.5, 0.5], 1), ([0.1, 0.9, 0.9], 2), ([0.1, 0.2, 0.3], 3)])  # fmt: skip
def test_the_best_epoch_is_the_earliest_with_the_best_score_and_its_network_is_kept(
    inputs, tmp_path, monkeypatch, accuracies, best
):
    states = script_scores(monkeypatch, accuracies)
    outcome = fit(inputs, tmp_path / "r")
    assert outcome.best_epoch == best and outcome.best["validation_accuracy"] == accuracies[best - 1]
    assert all(torch.equal(tensor, states[best - 1][name]) for name, tensor in outcome.best_state.items())
    assert not all(torch.equal(t, states[best % EPOCHS][name]) for name, t in outcome.best_state.items())


def test_the_selection_metric_chooses(inputs, tmp_path, monkeypatch):
    for metric, best in (("accuracy", 1), ("balanced_accuracy", 3)):
        script_scores(monkeypatch, [0.9, 0.8, 0.7], [0.1, 0.2, 0.3])
        outcome = fit(inputs, tmp_path / metric, identity=metric, selection_metric=metric)
        assert outcome.best_epoch == best


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 3], 200, p=[0.7, 0.2, 0.1])  # class 2 does not occur
    logits = rng.normal(size=(200, 4)).astype(np.float32)
    logits[np.arange(200), labels] += 1
    scores = validation_scores(logits, labels)
    probabilities = torch.from_numpy(logits).double().softmax(1).numpy()
    assert scores["validation_accuracy"] == accuracy_score(labels, logits.argmax(1))
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = balanced_accuracy_score(labels, logits.argmax(1))
    assert scores["validation_balanced_accuracy"] == pytest.approx(expected)
    assert scores["validation_nll"] == pytest.approx(log_loss(labels, probabilities, labels=range(4)))


# --- divergence ------------------------------------------------------------------------------------------------------


def test_a_learning_rate_beyond_all_reason_is_recorded_as_diverged(inputs, tmp_path, capsys):
    outcome = fit(inputs, tmp_path / "r", recipe={"optimizer": "sgd", "learning_rate": 1e6, "warmup_steps": 0})
    assert outcome.status == "diverged"
    assert outcome.best is outcome.best_epoch is outcome.best_state is None
    where = outcome.diverged
    assert 1 <= where["epoch"] <= EPOCHS and 1 <= where["step"] <= STEPS and where["learning_rate"] <= 1e6
    assert where["loss"] is None or where["loss"] > 100
    assert outcome.train_seconds > 0 and "diverged: {'epoch'" in capsys.readouterr().out


@pytest.mark.parametrize("loss, recorded", [(float("nan"), None), (float("inf"), None), (1e5, 1e5)])
@pytest.mark.parametrize("at", [1, STEPS, STEPS + 2])
def test_the_first_bad_loss_is_named_by_epoch_step_and_rate(inputs, tmp_path, monkeypatch, at, loss, recorded):
    calls = []

    def take(self, ids, epoch, number):
        calls.append(self.rate(epoch, number))
        return torch.tensor(loss if len(calls) == at else 1.0), None

    monkeypatch.setattr(Step, "take", take)
    outcome = fit(inputs, tmp_path / "r")
    assert len(calls) == at  # not a step more
    assert outcome.diverged == {
        "epoch": (at - 1) // STEPS + 1,
        "step": (at - 1) % STEPS + 1,
        "learning_rate": calls[-1],
        "loss": recorded,
    }
    assert len(outcome.history) == (at - 1) // STEPS


def test_logits_that_are_not_numbers_are_a_divergence_too(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "validation_logits", lambda *_: np.full((18, 3), np.inf, np.float32))
    outcome = fit(inputs, tmp_path / "r")
    assert outcome.status == "diverged" and outcome.history == []
    assert outcome.diverged | {"learning_rate": 0} == {"epoch": 1, "step": STEPS, "learning_rate": 0, "loss": None}


def test_a_high_but_harmless_loss_is_no_divergence(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(Step, "take", lambda *_: (torch.tensor(99 * np.log(3)), None))
    assert fit(inputs, tmp_path / "r").status == "finished"


@pytest.mark.parametrize("key, value", [("momentum", 0.5), ("nesterov", False)])
def test_sgds_own_keys_change_the_run(whole, key, value):
    assert measured_apart(whole(optimizer="sgd", **{key: value}).history) != measured_apart(
        whole(optimizer="sgd").history
    )


# --- early stopping, class weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [1, 3])
def test_a_run_ends_when_its_patience_does(inputs, tmp_path, capsys, patience):
    still = {"learning_rate": 1e-12, "weight_decay": 0.0, "norm_momentum": 0.0, "epochs": 40, "patience": patience}
    outcome = fit(inputs, tmp_path / "r", recipe=still)
    assert (outcome.best_epoch, len(outcome.history)) == (1, 1 + patience)
    assert f"no better epoch than 1 within {patience}" in capsys.readouterr().out


def test_an_interrupted_run_has_the_patience_of_the_whole_one(inputs, tmp_path, monkeypatch):
    recipe = {"epochs": 40, "patience": 2, "learning_rate": 0.02}
    whole = fit(inputs, tmp_path / "whole", recipe=recipe)
    assert len(whole.history) == whole.best_epoch + 2 < 40
    train_epoch = TrainingLoop.train_epoch

    def interrupted(self):
        if self.epoch == whole.best_epoch:  # the first epoch that is no better
            raise SystemExit(143)
        train_epoch(self)

    monkeypatch.setattr(loop, "EPOCH_SAVE_SECONDS", -1.0)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(TrainingLoop, "train_epoch", interrupted)
        fit(inputs, tmp_path / "r", recipe=recipe)
    assert_same(fit(inputs, tmp_path / "r", recipe=recipe), whole)


def test_patience_waits_until_everything_moves(inputs, tmp_path):
    still = {"learning_rate": 1e-12, "weight_decay": 0.0, "norm_momentum": 0.0, "epochs": 9, "patience": 1}
    outcome = fit(inputs, tmp_path / "r", kind="gradual_unfreeze", recipe=still)
    opened = len(small_stages())  # one more per epoch after the head's own
    assert len(outcome.history) == opened + 1


def small_stages():
    from ftbench.model.stages import stages

    backbone = network()
    return stages(backbone.network, backbone.head)


def test_balanced_class_weights_count_in_an_unbalanced_run(inputs, tmp_path):
    data, losses = small.loop_data(inputs), []
    data.labels[data.train[: len(data.train) // 2]] = 0
    for number, weights in enumerate(("none", "balanced")):
        recipe = small.recipe(batch_size=BATCH, class_weights=weights)
        outcome = loop.fit(network(), data, small.run("scratch", 0), recipe, CPU, tmp_path / str(number), "x")
        losses.append([row["train_loss"] for row in outcome.history])
    assert losses[0] != losses[1]


@pytest.mark.parametrize("precision, mean", [("float16", 3.0), ("float32", float("inf"))])
def test_steps_that_float16_left_out_are_said_and_left_out_of_the_mean_norm(capsys, precision, mean):
    """In float32 an infinite gradient is a fault of the run and stays one; a zero is a step whose norm was not measured."""
    half_way = SimpleNamespace(
        step=SimpleNamespace(scaler=devices.gradient_scaler(torch.device("cpu"), precision)),
        norms=torch.tensor([float("inf"), 2.0, float("nan"), 4.0, 0.0]),
        done=4,
    )
    assert float(TrainingLoop.measured_norms(half_way).mean()) == mean
    assert ("in 2 of 4 steps the gradients overflowed" in capsys.readouterr().out) is (precision == "float16")
