"""Operations counted around real steps, against counts by hand; what is charged to whom; latency and sizes."""

import numpy as np
import pytest
import small
import torch

from ftbench.base.files import read_json
from ftbench.data.images import Data, Images
from ftbench.evaluate.charges import charge_flops
from ftbench.measure import efficiency
from ftbench.measure.efficiency import count_steps, forward_flops, latency_ms, measure_cost
from ftbench.study.kinds import declared
from ftbench.study.tuning.equal_compute import FULL

CPU = torch.device("cpu")
BATCH, TRAIN, VALIDATION, WIDTH, CLASSES = 8, 42, 18, 64, 3
STEPS = TRAIN // BATCH  # per epoch


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return small.study(tmp_path_factory.mktemp("efficiency"))


@pytest.fixture(scope="module")
def data(inputs):
    return small.loop_data(inputs)


def by_hand() -> tuple[int, int]:
    """(operations of one image's forward pass, those of its first convolution): 2 · outputs · inputs of each output."""
    network, counts = small.backbone().network, []

    def count(module, _, output):
        counts.append(2 * output[0].numel() * module.weight[0].numel())

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, small.SIZE, small.SIZE))
    return sum(counts), counts[0]


def counted(kind: str, data, **recipe) -> dict:
    """count_steps of a strategy under a recipe without a learning rate, as the rules give it."""
    return count_steps(small.run(kind, recipe=recipe), data, CPU)


def step(kind: str, data, **recipe) -> int:
    flops = set(counted(kind, data, **recipe)["step_flops"])
    assert len(flops) == 1
    return flops.pop()


def test_a_forward_pass_counts_what_the_shapes_say(data):
    assert forward_flops(small.backbone(), data, small.run(), CPU) == by_hand()[0]


def test_a_step_of_full_training_is_three_forward_passes_without_the_gradient_of_the_image(data):
    forward, first = by_hand()
    found = counted("scratch", data)
    assert found == {"batch_size": BATCH, "steps": [STEPS] * 3, "step_flops": [BATCH * (3 * forward - first)] * 3}


def test_what_is_frozen_is_not_counted(data):
    forward = by_hand()[0]
    full, norms, last = (step(kind, data) for kind in ("finetune", "norm_bias", "last_block"))
    assert BATCH * forward < last < norms < full
    # Only normalization and the head get gradients of weights: gradients of activations remain.
    assert norms < BATCH * 2.1 * forward


def test_a_frozen_part_that_ran_once_counts_there_and_in_no_step(inputs, data, tmp_path):
    forward = by_hand()[0]
    whole, rest = (counted("last_block", data, cached_views=views) for views in (None, 2))
    once = rest["once_flops"]
    assert "once_flops" not in whole and 0 < once < forward
    assert whole["step_flops"][0] - rest["step_flops"][0] == BATCH * once
    cell = {
        "strategy": "last",
        "frozen": False,
        "run": small.run("last_block", recipe={"cached_views": 2}),
        "own_splits": False,
    }
    files = (inputs["images"], inputs["labels"], inputs["split"], inputs["classes"])
    measure_cost(small.run(), [cell], *files, str(tmp_path / "efficiency.json"))
    found = read_json(tmp_path / "efficiency.json")["cells"]["last"]
    assert found["feature_flops"] == (2 * TRAIN + VALIDATION) * once
    assert found["validation_flops"] == VALIDATION * (forward - once) and "once_flops" not in found


def test_operations_are_linear_in_the_batch_and_blind_to_most_of_the_recipe(data):
    full = step("scratch", data)
    assert step("scratch", data, batch_size=2 * BATCH) == 2 * full
    assert step("scratch", data, optimizer="sgd", label_smoothing=0.1, augmentation="none", ema_decay=0.9) == full
    assert step("scratch", data, accumulate=4) == full
    assert counted("scratch", data, batch_size=1000)["batch_size"] == TRAIN


def test_unfreezing_costs_more_from_epoch_to_epoch_and_ends_at_full_training(data):
    flops = counted("gradual_unfreeze", data, epochs=4)["step_flops"]
    assert len(flops) == 4 and sorted(flops) == flops and flops[0] < flops[1] < flops[-1] == step("finetune", data)


def test_added_matrices_count(data):
    small_rank, large_rank = (step("lora", data, rank=rank) for rank in (1, 4))
    assert step("norm_bias", data) < small_rank < large_rank


def test_steps_on_small_images_count_as_they_are_also_in_a_trial_that_is_shorter(data):
    found = counted("scratch", data, image_sizes=[4, 8], epochs=3)
    large, small_step = step("scratch", data), found["flops_at_sizes"][0][0]
    assert small_step < large / 2 and found["flops_at_sizes"] == [[small_step, large]] * 3
    early, late = 7, 8  # of 15 steps
    assert found["step_flops"] == [small_step, (2 * small_step + 3 * large) / STEPS, large]
    cell = found | {"validation_flops": 0, "feature_flops": 0}
    charged = charge_flops(cell, run(3), {"trials": [run(2) | {"share": 0.5}, run(1, {"epoch": 2, "step": 1})]})
    assert charged["train_flops"] == early * small_step + late * large == pytest.approx(15 * charged["step_flops"])
    assert charged["tuning_flops"] == STEPS * (small_step + large) + (STEPS + 1) * small_step


def test_a_budget_of_examples_ends_within_an_epoch(data):
    assert counted("scratch", data, examples=BATCH * (STEPS + 2))["steps"] == [STEPS, 2]


def test_counting_leaves_no_state_behind(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counted("scratch", data)
    assert list(tmp_path.iterdir()) == []


def measured(inputs, folder, monkeypatch):
    """measure_cost of a plain, a probe and an LP-FT cell."""
    monkeypatch.setattr(efficiency, "MOST", 3)
    cells = []
    for name, kind, frozen in (("plain", "finetune", False), ("probe", None, True), ("lp_ft", "lp_ft", True)):
        cells.append({"strategy": name, "frozen": frozen, "run": small.run(kind) if kind else None})
    files = (inputs["images"], inputs["labels"], inputs["split"], inputs["classes"])
    measure_cost(small.run(), cells, *files, str(folder / "efficiency.json"))
    return read_json(folder / "efficiency.json")


def run(epochs, diverged=None, seen=100):
    return {"epochs": epochs, "diverged": diverged, "images_seen": seen}


def test_every_run_is_charged_for_what_it_did_and_uses(inputs, data, tmp_path, monkeypatch):
    cells = measured(inputs, tmp_path, monkeypatch)["cells"]
    forward, full = by_hand()[0], step("finetune", data)
    an_epoch = STEPS * full + VALIDATION * forward
    features = (TRAIN + VALIDATION) * forward
    stopped = {"epoch": 2, "step": 3}
    none, tuned = {"trials": []}, {"trials": [run(3), run(1, stopped)]}
    charged = charge_flops(cells["plain"], run(3), tuned)
    assert charged == {"step_flops": full, "train_flops": 3 * an_epoch, "tuning_flops": 4 * an_epoch + 3 * full}
    assert charge_flops(cells["plain"], run(2), none)["train_flops"] == 2 * an_epoch  # out of patience
    assert charge_flops(cells["plain"], run(1, stopped), none)["train_flops"] == an_epoch + 3 * full
    assert charge_flops(cells["plain"], run(0, stopped, seen=0), none)["train_flops"] == 0  # every trial diverged
    assert charge_flops(cells["lp_ft"], run(3), none)["train_flops"] == 3 * an_epoch + features
    halved = {"trials": [run(1) | {"share": 1 / 3}, run(0, {"epoch": 1, "step": 2}) | {"share": 1 / 3}]}
    assert charge_flops(cells["plain"], run(3), halved)["tuning_flops"] == an_epoch + 2 * full
    longer = charge_flops(
        cells["plain"], run(3, {"epoch": 4, "step": 2}), none
    )  # on a split of its own: three were planned
    assert longer["train_flops"] == 3 * an_epoch + 2 * full
    penalties = {"trials": [{"l2": 0.1}, {"l2": 1.0}]}
    probe = charge_flops(cells["probe"], run(0), penalties)
    assert probe["train_flops"] == features and probe["tuning_flops"] == 0 and np.isnan(probe["step_flops"])


def test_sizes_and_latencies(inputs, tmp_path, monkeypatch):
    result = measured(inputs, tmp_path, monkeypatch)
    state = small.backbone().network.state_dict()
    assert result["model_bytes"] == sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    assert result["latency_ms_batch1"] > 0 and result["latency_ms_batch256"] > 0
    assert result["threads"] == 1 and result["device"] == "cpu" and result["device_name"]


def test_latency_is_the_median_of_the_passes_after_the_warm_up(inputs, monkeypatch):
    ticks = iter(np.cumsum([0, 9, 0.2, 1, 0.1, 1, 0.6]))  # the warm-up, then passes of .2, .1 and .6 s
    monkeypatch.setattr(efficiency.time, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(efficiency, "MOST", 3)
    images = Images(inputs["images"], CPU)
    data = Data(images, np.zeros(60, int), np.arange(5), np.arange(2), CLASSES)
    shapes = []
    backbone = small.backbone()
    backbone.network.register_forward_hook(lambda module, given, out: shapes.append((given[0].shape, module.training)))
    assert latency_ms(backbone, data, 7, small.run(), CPU) == pytest.approx(200)
    assert shapes == [((7, 3, small.SIZE, small.SIZE), False)] * 4  # five images, repeated


def test_a_bank_of_features_is_charged(inputs, data):
    """Whatever a prediction needs costs: nearest neighbours carry all training features along."""
    backbone = small.backbone()
    with torch.no_grad():
        width = backbone.features_and_logits(data.images.batch(data.train[:1]))[0].shape[1]
    found = efficiency.bank_cost("knn", backbone, data)
    assert found["forward_flops"] == 2 * TRAIN * width
    assert found["total_params"] == TRAIN * width
    assert found["model_bytes"] >= 2 * TRAIN * width + 8 * TRAIN  # half precision, and a label each
    assert found["latency_ms_batch1"] > 0


@pytest.mark.parametrize("kind", [kind for kind in small.KINDS if declared(kind)["engine"] == "loop"])
def test_the_passes_that_a_kind_declares_are_about_those_that_are_counted(kind, data):
    """ResNet-8 at 8 pixels is far from the networks that people use: within a fifth, and for LoRA the cost of its small products besides."""
    found = counted(kind, data)
    taken = np.average(found["step_flops"], weights=found["steps"]) / BATCH / by_hand()[0]
    assert taken == pytest.approx(declared(kind).get("training_passes", FULL), rel=0.2)
