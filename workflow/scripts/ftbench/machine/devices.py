"""The device, arithmetic and thread count of a job, set once and recorded; never picked by a timing."""

import contextlib
import platform
from collections.abc import Iterator
from importlib.metadata import version

import torch

from ftbench.base.errors import InputError
from ftbench.machine.memory import keep_freed_memory
from ftbench.machine.peak_memory import peak_resident_mb

RECORDED = ("torch", "torchvision", "timm", "numpy", "scikit-learn", "snakemake")


def set_up(run: dict) -> torch.device:
    """Choose the device of `run["device"]` ("auto", "cpu", "cuda"), fix the threads and the determinism, keep freed memory.

    Raises InputError where CUDA is asked for and torch finds none.
    """
    torch.set_num_threads(run["threads"])
    name = run["device"]
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "config: device is 'cuda', but torch finds no usable CUDA device here; "
            "use device auto or cpu, or start the job where there is a GPU."
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        torch.backends.cudnn.benchmark = not run["deterministic"]
        torch.use_deterministic_algorithms(run["deterministic"], warn_only=False)
        torch.backends.cuda.matmul.allow_tf32 = run["precision"] == "bfloat16"
        torch.backends.cudnn.allow_tf32 = run["precision"] == "bfloat16"
        torch.cuda.reset_peak_memory_stats()
    kept = ", freed memory is kept" if keep_freed_memory() else ""
    print(f"device {device_name(torch.device(name))}, {run['precision']}, {torch.get_num_threads()} threads{kept}")
    return torch.device(name)


@contextlib.contextmanager
def determinism_explained(run: dict) -> Iterator[None]:
    """Turn torch's refusal of an operation that it cannot repeat bit by bit into a sentence about the config."""
    try:
        yield
    except RuntimeError as error:
        if "deterministic implementation" not in str(error):
            raise
        raise InputError(
            f"config: deterministic is true, but {run['network']['model']} needs an operation that torch cannot repeat bit by bit "
            f"on this device ({str(error).split(' ')[0]}); set it to false, or leave this backbone out."
        ) from error


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def device_name(device: torch.device) -> str:
    """'NVIDIA A100-SXM4-80GB', or the processor's model name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def peak_memory_mb(device: torch.device) -> float:
    """Peak memory of this process in MB: what CUDA allocated on a GPU, the resident set on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return peak_resident_mb()


def versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in RECORDED}
