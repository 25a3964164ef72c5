"""Operations counted around real steps, against counts by hand; what is charged to whom; latency and sizes."""

import numpy as np
import pytest
import small
import torch

from ftbench import efficiency, loop
from ftbench.arrays import Images
from ftbench.efficiency import forward_flops, latency_ms, measure_cost, step_flops
from ftbench.files import read_json, write_json

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


def steps_of(kind: str, data) -> int:
    return step_flops(small.run(kind), small.recipe(), data, CPU)[0]


def test_a_forward_pass_counts_what_the_shapes_say(data):
    assert forward_flops(small.backbone(), data, small.run(), CPU) == by_hand()[0]


def test_a_step_of_full_training_is_three_forward_passes_without_the_gradient_of_the_image(data):
    forward, first = by_hand()
    assert step_flops(small.run(), small.recipe(), data, CPU) == (BATCH * (3 * forward - first), BATCH)


def test_what_is_frozen_is_not_counted(data):
    forward = by_hand()[0]
    full, norms, last = (steps_of(kind, data) for kind in ("finetune", "norm_bias", "last_block"))
    assert BATCH * forward < last < norms < full
    # Only normalization and the head get gradients of weights: gradients of activations remain.
    assert norms < BATCH * 2.1 * forward


def test_operations_are_linear_in_the_batch_and_blind_to_the_recipe(data):
    twice = step_flops(small.run(), small.recipe(batch_size=2 * BATCH), data, CPU)
    assert twice == (2 * steps_of("scratch", data), 2 * BATCH)
    other = small.recipe(optimizer="sgd", label_smoothing=0.1, augmentation="none")
    assert step_flops(small.run(), other, data, CPU)[0] == steps_of("scratch", data)
    assert step_flops(small.run(), small.recipe(batch_size=1000), data, CPU)[1] == TRAIN


def test_counting_leaves_no_state_behind(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps_of("scratch", data)
    assert list(tmp_path.iterdir()) == []


def cell(strategy, kind, engine="loop", probe=None):
    run = small.run(kind) if engine == "loop" else None
    return {"strategy": strategy, "engine": engine, "probe": probe, "run": run}


def measured(inputs, folder, monkeypatch):
    """measure_cost of a tuned, an untuned, a hopeless, a probe and an LP-FT cell."""
    monkeypatch.setattr(efficiency, "MOST", 3)
    recipe = small.recipe()
    stopped = {"epoch": 2, "step": 3, "learning_rate": 1.0, "loss": None}
    tuned = [{"diverged": None}, {"diverged": stopped}]
    probe = [{"iterations": 10}, {"iterations": 30}]
    files = {
        "tuned": ({"status": "finished", "trials": tuned}, {"recipe": recipe}),
        "plain": ({"status": "finished", "trials": []}, {"recipe": recipe}),
        "hopeless": ({"status": "diverged", "trials": tuned[1:]}, {"recipe": recipe | {"learning_rate": None}}),
        "probe": ({"status": "finished", "trial": 1, "trials": probe}, {"recipe": {}}),
        "lp_ft": ({"status": "finished", "trials": []}, {"recipe": recipe}),
    }
    for name, (selected, chosen) in files.items():
        write_json(folder / f"{name}.json", selected)
        write_json(folder / f"{name}.recipe.json", chosen)
        (folder / f"{name}.safetensors").write_bytes(b"x" * (7 + len(name)))
    # The LP-FT cell comes before the probe that it is charged for.
    cells = [cell("tuned", "finetune"), cell("plain", "norm_bias"), cell("hopeless", "finetune"),
             cell("lp_ft", "lp_ft", probe="probe"), cell("probe", "linear_probe", "features")]  # fmt: skip
    names = [one["strategy"] for one in cells]
    measure_cost(
        small.run(), cells, inputs["images"], inputs["labels"], inputs["split"], inputs["classes"],
        [str(folder / f"{name}.json") for name in names], [str(folder / f"{name}.recipe.json") for name in names],
        [str(folder / f"{name}.safetensors") for name in names], str(folder / "efficiency.json"),
    )  # fmt: skip
    return read_json(folder / "efficiency.json")


def test_every_cell_is_charged_for_what_it_uses(inputs, data, tmp_path, monkeypatch):
    result = measured(inputs, tmp_path, monkeypatch)
    forward, cells = by_hand()[0], result["cells"]
    full, norms = steps_of("finetune", data), steps_of("norm_bias", data)
    a_run = 3 * STEPS * full + 3 * VALIDATION * forward
    stopped = (STEPS + 3) * full + VALIDATION * forward  # in the third step of the second epoch
    assert cells["tuned"]["train_flops"] == a_run and cells["tuned"]["tuning_flops"] == a_run + stopped
    assert cells["plain"]["train_flops"] == 3 * STEPS * norms + 3 * VALIDATION * forward
    assert cells["plain"]["tuning_flops"] == 0
    assert cells["hopeless"]["train_flops"] == 0 and cells["hopeless"]["tuning_flops"] == stopped
    an_iteration = 4 * TRAIN * WIDTH * CLASSES
    features = (TRAIN + VALIDATION) * forward
    assert cells["probe"]["train_flops"] == features + 30 * an_iteration
    assert cells["probe"]["tuning_flops"] == 10 * an_iteration
    assert cells["lp_ft"]["train_flops"] == a_run + features + 30 * an_iteration
    assert cells["lp_ft"]["tuning_flops"] == 10 * an_iteration
    assert cells["tuned"]["steps"] == 3 * STEPS and cells["tuned"]["batch_size"] == BATCH


def test_sizes_and_latencies(inputs, tmp_path, monkeypatch):
    result = measured(inputs, tmp_path, monkeypatch)
    state = small.backbone().network.state_dict()
    assert result["model_bytes"] == sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    assert result["total_params"] == 77_587
    assert result["cells"]["probe"]["checkpoint_bytes"] == 12
    assert result["latency_ms_batch1"] > 0 and result["latency_ms_batch256"] > 0
    assert result["threads"] == 1 and result["device"] == "cpu" and result["device_name"]


def test_latency_is_the_median_of_the_passes_after_the_warm_up(inputs, monkeypatch):
    ticks = iter(np.cumsum([0, 9, 0.2, 1, 0.1, 1, 0.6]))  # the warm-up, then passes of .2, .1 and .6 s
    monkeypatch.setattr(efficiency.time, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(efficiency, "MOST", 3)
    images = Images(inputs["images"], CPU)
    data = loop.Data(images, np.zeros(60, int), np.arange(5), np.arange(2), CLASSES)
    shapes = []
    backbone = small.backbone()
    backbone.network.register_forward_hook(lambda module, given, out: shapes.append((given[0].shape, module.training)))
    assert latency_ms(backbone, data, 7, small.run(), CPU) == pytest.approx(200)
    assert shapes == [((7, 3, small.SIZE, small.SIZE), False)] * 4  # five images, repeated
