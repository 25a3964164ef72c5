"""What this machine can train on, and which pretrained weights it can get."""

import contextlib
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

SECONDS = 3.0  # that a server of weights has to answer
JOB_BYTES = 2e9  # of memory that one training job on a CPU may need


@dataclass(frozen=True)
class Machine:
    cores: int
    gpu: str | None = None  # its name
    jobs: int = 1  # CPU jobs side by side, by cores and memory
    bfloat16: bool = True  # whether the GPU computes in it without emulation: from compute capability 8.0 on

    @property
    def trust(self) -> str:
        """How far an estimate of the time can be trusted."""
        return "if it is of the A100's class; a smaller GPU takes longer" if self.gpu else "within a factor of two"

    def __str__(self) -> str:
        return self.gpu or f"{self.cores} CPU core{'s' * (self.cores > 1)}, no GPU"


def machine() -> Machine:
    """This machine, as Snakemake and torch see it."""
    import torch

    from ftbench.machine.free_memory import free_memory

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    jobs = max(1, min(cores, int(free_memory() / JOB_BYTES)))
    return Machine(cores, gpu, jobs, not gpu or torch.cuda.is_bf16_supported(including_emulation=False))


def obtainable(model: str, tag: str) -> str | None:
    """How torchvision's weights of a model can be had: "cache" or "network", None if not."""
    import torch
    import torchvision

    url = torchvision.models.get_model_weights(model)[tag].url
    if (Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]).is_file():
        return "cache"
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=SECONDS),
    ):
        return "network"
    return None
