"""Two processes on a CPU against one: the same loss curve, the same weights up to rounding, kills included."""

import csv
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import small
import torch
from safetensors.torch import load_file
from torch import nn

from ftbench.base.files import read_json
from ftbench.machine import processes as distributed
from ftbench.train import run as training
from ftbench.train.checks import Checks

RECIPE = {"epochs": 3, "batch_size": 9, "weight_decay": 0.01, "mixup": 0.3, "ema_decay": 0.9, "clip_norm": 1.0}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return small.study(tmp_path_factory.mktemp("data"))


def train(inputs, folder, processes, kind="scratch", **recipe):
    run, outputs = small.run(kind, recipe=RECIPE | recipe, gpus_per_run=processes), small.outputs(folder)
    chosen = small.selected(folder / "recipe.json", run["recipe"], 0.003)
    training.train(run=run, code="c", inputs=inputs, recipe=chosen, **outputs)
    with Path(outputs["history"]).open() as stream:
        return list(csv.DictReader(stream)), load_file(outputs["model"]), read_json(outputs["run_json"])


@pytest.fixture(scope="module")
def alone(inputs, tmp_path_factory):
    return train(inputs, tmp_path_factory.mktemp("alone"), 1)


def assert_alike(one, other):
    for row, twin in zip(one[0], other[0], strict=True):
        for name in ("train_loss", "validation_nll", "gradient_norm"):
            assert float(row[name]) == pytest.approx(float(twin[name]), rel=2e-3), name
    for name, tensor in one[1].items():
        assert torch.allclose(tensor.float(), other[1][name].float(), atol=5e-3), name
    assert one[2]["best_epoch"] == other[2]["best_epoch"]


def test_two_processes_train_as_one_does(inputs, tmp_path, alone):
    """Batches of nine: the parts differ in size, and batch norms see all nine images."""
    together = train(inputs, tmp_path, 2)
    assert_alike(together, alone)
    assert together[2]["gpus_per_run"] == 2 and together[2]["identity"] != alone[2]["identity"]
    assert not (tmp_path / "model.resume").exists()


def test_a_stopped_run_of_two_processes_goes_on_to_the_same_bits(inputs, tmp_path):
    folder, epochs = tmp_path / "run", 12
    whole = train(inputs, tmp_path / "whole", 2, epochs=epochs)

    def interrupt():  # once the first epoch is written down, from outside, as a scheduler does
        given_up = time.monotonic() + 60
        while not (folder / "model.resume" / "history.csv").exists() and time.monotonic() < given_up:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=interrupt, daemon=True)
    watcher.start()
    with pytest.raises(SystemExit) as stopped:
        train(inputs, folder, 2, epochs=epochs)
    watcher.join()
    assert stopped.value.code == 128 + signal.SIGTERM
    state = torch.load(folder / "model.resume" / "state.pt", weights_only=True)
    assert 1 <= state["epoch"] < epochs
    resumed = train(inputs, folder, 2, epochs=epochs)
    assert read_json(folder / "cost.json")["resumes"] == 1
    assert resumed[2] == whole[2]  # the record, with the digest of the model
    assert [row["train_loss"] for row in resumed[0]] == [row["train_loss"] for row in whole[0]]


def fail(_folder: str) -> None:
    """What each of two processes does below: the second fails while the first waits for it."""
    if distributed.Ranks().rank == 1:
        raise ValueError("out of order")
    torch.distributed.all_reduce(torch.ones(1))


def test_a_failing_process_fails_the_run_and_the_others_do_not_wait_for_ever(tmp_path):
    with pytest.raises(RuntimeError, match="ended with the statuses .*1"):
        distributed.run(fail, (str(tmp_path),), 2, cuda=False)


def outlive(folder: str) -> None:
    """What each of two processes does below: write down who it is, and work for ever."""
    Path(folder, str(distributed.Ranks().rank)).write_text(str(os.getpid()))
    time.sleep(600)


def test_a_killed_run_leaves_no_process_behind(tmp_path):
    parent = multiprocessing.get_context("spawn").Process(
        target=distributed.run, args=(outlive, (str(tmp_path),), 2, False)
    )
    parent.start()
    given_up = time.monotonic() + 60
    while len([path for path in tmp_path.iterdir() if path.read_text()]) < 2 and time.monotonic() < given_up:
        time.sleep(0.05)
    children = [int(path.read_text()) for path in tmp_path.iterdir()]
    assert len(children) == 2
    parent.kill()
    parent.join()
    time.sleep(1)
    assert not any(
        Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_text() for child in children
    )


def test_alone_nothing_is_shared_or_added():
    ranks, tensor = distributed.Ranks(), torch.arange(5.0)
    assert (ranks.rank, ranks.world, ranks.first) == (0, 1, True)
    assert torch.equal(ranks.share([tensor])[0], tensor)
    ranks.add_up([tensor])
    assert torch.equal(tensor, torch.arange(5.0)) and ranks.agreed(None, torch.device("cpu")) is None
    assert ranks.agreed(15, torch.device("cpu")) == 15


class OnCpu(distributed.Ranks):
    """Agrees on the CPU, of steps that are taken as on a GPU."""

    def largest(self, value: float, device: torch.device) -> float:
        return super().largest(value, torch.device("cpu"))


def looks() -> tuple[list[int], int | None]:
    """After which of eighty steps this process looks for a signal, and what it finds; the second one is slow, and gets the signal."""
    ranks, found, number = OnCpu(), [], None
    checks = Checks(ranks, torch.device("cuda"))
    for step in range(80):  # a look comes within 25 of the signal
        time.sleep(0.15 if ranks.rank and step < 3 else 0.001)
        if checks.due() and number is None:
            number = ranks.agreed(15 if ranks.rank and step > 30 else None, torch.device("cpu"))
            checks.done()
            found.append(step)
    return found, number


def together(folder: str) -> None:
    """What each of two processes does in the test below."""
    torch.manual_seed(0)
    whole, rank = torch.randn(7, 4, 3, 3) * 3 + 1, distributed.Ranks()
    norm = nn.BatchNorm2d(4)
    nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
    network = nn.Sequential(norm)
    distributed.synchronise(network)
    mine = rank.share([whole])[0].clone().requires_grad_()
    weights = rank.share([torch.linspace(-1, 1, whole.numel()).view_as(whole)])[0]
    output = network(mine)
    (output * weights).sum().backward()
    rank.add_up([norm.weight.grad, norm.bias.grad])
    first = rank.of_first(np.full(3, rank.rank), torch.device("cpu"))
    assert first.tolist() == [0, 0, 0]
    state = {"output": output.detach(), "input": mine.grad, "weight": norm.weight.grad, "bias": norm.bias.grad}
    torch.save(state | dict(norm.named_buffers()) | {"looks": looks()}, f"{folder}/{rank.rank}.pt")


def test_synchronised_batch_norm_is_torchs_on_the_whole_batch_and_processes_of_unlike_speed_look_alike(tmp_path):
    distributed.run(together, (str(tmp_path),), 2, cuda=False)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert parts[0]["looks"] == parts[1]["looks"] and parts[0]["looks"][1] == 15
    torch.manual_seed(0)
    whole = (torch.randn(7, 4, 3, 3) * 3 + 1).requires_grad_()
    norm = nn.BatchNorm2d(4)
    nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
    output = norm(whole)
    (output * torch.linspace(-1, 1, whole.numel()).view_as(whole)).sum().backward()
    assert torch.allclose(torch.cat([part["output"] for part in parts]), output, atol=1e-5)
    assert torch.allclose(torch.cat([part["input"] for part in parts]), whole.grad, atol=1e-5)
    for part in parts:
        assert torch.allclose(part["weight"], norm.weight.grad, atol=1e-4) and torch.allclose(
            part["bias"], norm.bias.grad, atol=1e-4
        )
        assert torch.allclose(part["running_mean"], norm.running_mean, atol=1e-6)
        assert torch.allclose(part["running_var"], norm.running_var, atol=1e-5)
        assert part["num_batches_tracked"] == 1
