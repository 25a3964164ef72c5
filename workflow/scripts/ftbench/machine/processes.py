"""One run on several devices of a host: each process computes its share of every batch, and their gradients are added up.

Every process sees the same weights, the same order of images and the same augmentations as a single one would, so the loss
curve is the single process's up to the order of sums (with dropout or stochastic depth, whose masks each process draws for
its own images, it is equal in distribution). Batch norms that train use the statistics of the whole batch
(`synchronise`). The first process alone writes. Gradients are added after the backward pass, not during it: a small loss of
speed for a loop that reads the same on one device and on many.
"""

import ctypes
import functools
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.distributed
import torch.multiprocessing
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

PR_SET_PDEATHSIG = 1  # of Linux's prctl


class Ranks:
    """This process among the `world` processes of a run; alone where none were started."""

    def __init__(self):
        together = torch.distributed.is_initialized()
        self.rank = torch.distributed.get_rank() if together else 0
        self.world = torch.distributed.get_world_size() if together else 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, tensors: Iterable[torch.Tensor]) -> list[torch.Tensor]:
        """This process's rows of tensors of one length; parts differ by at most one row."""
        return [tensor.tensor_split(self.world)[self.rank] for tensor in tensors]

    def add_up(self, tensors: list[torch.Tensor]) -> None:
        """Replace tensors (of equal shapes in every process) by their sums over all processes."""
        if self.world > 1 and tensors:
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            torch.distributed.all_reduce(flat)
            for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
                tensor.copy_(part.view_as(tensor))

    def of_first(self, array: np.ndarray, device: torch.device) -> np.ndarray:
        """The first process's array (of one shape in all): what is decided by it is decided alike everywhere."""
        if self.world == 1:
            return array
        tensor = torch.from_numpy(array).to(device)
        torch.distributed.broadcast(tensor, 0)
        return tensor.cpu().numpy()

    def agreed(self, number: int | None, device: torch.device) -> int | None:
        """The largest of the numbers that the processes bring; None where none has one. A signal may reach just one of them."""
        return int(self.largest(number or 0, device)) or None

    def largest(self, value: float, device: torch.device) -> float:
        """The largest of the processes' values, in float32, the same in all of them."""
        if self.world == 1:
            return value
        largest = torch.tensor(value, dtype=torch.float32, device=device)
        torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
        return float(largest)


class _Sum(torch.autograd.Function):
    """The sum over all processes. Each one's result depends on every input, so gradients are summed as well."""

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        total = x.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total


def synchronise(network: nn.Module) -> int:
    """Let batch norms in train mode use the whole batch's mean and variance; returns how many. State and names stay."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for module in norms:
        module.forward = functools.partial(_normalize, module, module.forward)
    return len(norms)


def _normalize(module: _BatchNorm, alone: Callable, x: torch.Tensor) -> torch.Tensor:
    if not module.training:
        return alone(x)
    axes = [axis for axis in range(x.ndim) if axis != 1]
    values = x.float()
    count = values.new_tensor([values.numel() / values.shape[1]])
    sums = _Sum.apply(torch.cat([values.sum(axes), values.square().sum(axes), count]))
    channels = values.shape[1]
    total = sums[-1].detach()
    mean = sums[:channels] / total
    variance = (sums[channels:-1] / total - mean.square()).clamp(min=0)
    if module.track_running_stats:
        with torch.no_grad():
            module.num_batches_tracked += 1
            module.running_mean.lerp_(mean, module.momentum)
            module.running_var.lerp_(variance * total / (total - 1), module.momentum)
    shape = [1, -1, *[1] * (x.ndim - 2)]
    normalized = (values - mean.view(shape)) * (variance + module.eps).rsqrt().view(shape)
    if module.affine:
        normalized = normalized * module.weight.view(shape) + module.bias.view(shape)
    normalized = normalized.to(x.dtype)
    if hasattr(module, "act"):  # timm's batch norm with its activation inside
        normalized = module.act(module.drop(normalized))
    return normalized


def run(work: Callable, arguments: tuple, processes: int, cuda: bool) -> None:
    """Call `work(*arguments)` in `processes` processes that know of each other; `work` is a function of a module.

    SIGTERM and SIGINT are passed on to all of them. Raises SystemExit with the status of a process that ended with one,
    and RuntimeError where one failed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    context = torch.multiprocessing.get_context("spawn")
    started = [
        context.Process(target=_work, args=(rank, processes, address, cuda, work, arguments))
        for rank in range(processes)
    ]
    for process in started:
        process.start()

    def pass_on(number: int, _frame) -> None:
        for process in started:
            if process.is_alive():
                os.kill(process.pid, number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        alive = list(started)
        while alive:
            alive[0].join(1)
            if any(process.exitcode not in (None, 0) for process in started):
                stopped = any(
                    (process.exitcode or 0) > 128 for process in started
                )  # told to: the first one still saves
                for process in started:  # the others wait for a failed one in vain
                    process.join(None if stopped else 30)
                    process.kill()
            alive = [process for process in alive if process.is_alive()]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    codes = [process.exitcode for process in started]
    if any(code > 0 for code in codes):
        code = max(codes)
        if code > 128:
            raise SystemExit(code)
    if any(codes):
        raise RuntimeError(f"the processes of this run ended with the statuses {codes}; see above for the reason")


def _work(rank: int, world: int, address: str, cuda: bool, work: Callable, arguments: tuple) -> None:
    if sys.platform == "linux":  # a killed parent, which holds the run's lock and GPUs, takes its processes with it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if rank > 0:  # one voice is enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if cuda:
        torch.cuda.set_device(rank)
    torch.distributed.init_process_group("nccl" if cuda else "gloo", init_method=address, rank=rank, world_size=world)
    try:
        work(*arguments)
    finally:
        torch.distributed.destroy_process_group()
