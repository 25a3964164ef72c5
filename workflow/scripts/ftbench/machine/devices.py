"""The device, arithmetic and thread count of a job, set once and recorded; never picked by a timing."""

import contextlib
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import torch

from ftbench.base.errors import InputError
from ftbench.machine.free_memory import free_memory
from ftbench.machine.memory import keep_freed_memory
from ftbench.machine.peak_memory import peak_resident_mb

RECORDED = ("torch", "torchvision", "timm", "numpy", "scikit-learn", "snakemake")
LOW = {"bfloat16": torch.bfloat16, "float16": torch.float16}  # precisions that autocast computes in
# NVIDIA: with these workspaces, equal products give equal bits.
CUBLAS, REPEATABLE = "CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8")


def set_up(run: dict) -> torch.device:
    """Choose the device of `run["device"]` ("auto", "cpu", "cuda", "mps"), fix the threads and the determinism, keep freed memory.

    Raises InputError where CUDA or MPS is asked for and torch finds none.
    """
    torch.set_num_threads(run["threads"])
    name = _choose(run["device"])
    if name == "cuda":
        _set_up_cuda(run)
    if name == "mps":
        print("device mps: nothing was ever tested on it; compare a small study with device cpu before you trust it")
    kept = ", freed memory is kept" if keep_freed_memory() else ""
    print(f"device {device_name(torch.device(name))}, {run['precision']}, {torch.get_num_threads()} threads{kept}")
    return torch.device(name)


def _choose(name: str) -> str:
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "config: device is 'cuda', but torch finds no usable CUDA device here; "
            "use device auto or cpu, or start the job where there is a GPU."
        )
    if name == "mps" and not torch.backends.mps.is_available():
        raise InputError(
            "config: device is 'mps', but torch finds no Metal device here; use device auto or cpu, or start the job on a Mac with "
            "Apple silicon."
        )
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def _set_up_cuda(run: dict) -> None:
    """The switches of CUDA's libraries. float32 means float32: TF32, with its mantissa of 10 bits, goes with the low precisions."""
    deterministic, low = run["deterministic"], run["precision"] in LOW
    if deterministic:  # before the first matrix product: torch reads it once, and refuses to multiply without it
        given = os.environ.setdefault(CUBLAS, REPEATABLE[0])
        if given not in REPEATABLE:
            raise InputError(
                f"config: deterministic is true, but {CUBLAS} is {given!r} in the environment; valid are {' and '.join(REPEATABLE)}, or "
                "leave it unset."
            )
    torch.backends.cudnn.benchmark = not deterministic
    if torch.are_deterministic_algorithms_enabled() != deterministic:  # to ask for it imports the compiler: seconds
        torch.use_deterministic_algorithms(deterministic, warn_only=False)
    torch.backends.cuda.matmul.allow_tf32 = low
    torch.backends.cudnn.allow_tf32 = low
    torch.cuda.reset_peak_memory_stats()
    if run["precision"] == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        print("this GPU has no bfloat16 units and emulates them: precision float16 or float32 is faster here")


@contextlib.contextmanager
def determinism_explained(run: dict) -> Iterator[None]:
    """Turn torch's refusal of an operation that it cannot repeat bit by bit into a sentence about the config."""
    try:
        yield
    except RuntimeError as error:
        if not any(words in str(error) for words in ("deterministic implementation", "use_deterministic_algorithms")):
            raise
        raise InputError(
            f"config: deterministic is true, but {run['network']['model']} needs an operation that torch cannot repeat bit by bit "
            f"on this device ({str(error).split(' ')[0]}); set it to false, or leave this backbone out."
        ) from error


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    return torch.autocast(device.type, dtype=LOW.get(precision, torch.bfloat16), enabled=precision in LOW)


def gradient_scaler(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """What keeps small gradients above zero in float16, whose least number is 6e-8; with any other precision it does nothing.

    Micikevicius et al. 2018 (arXiv:1710.03740), section 3.2.
    """
    return torch.amp.GradScaler(device.type, enabled=precision == "float16")


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given, as any clock around its work has to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    if device.type == "mps":
        torch.mps.synchronize()


def random_state(device: torch.device) -> torch.Tensor | None:
    """The state of the device's own random numbers (dropout's); None where they are the CPU's."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state()
    return torch.mps.get_rng_state() if device.type == "mps" else None


def set_random_state(device: torch.device, state: torch.Tensor | None) -> None:
    if state is not None:
        (torch.mps if device.type == "mps" else torch.cuda).set_rng_state(state)


def free_bytes(device: torch.device) -> int:
    """Bytes that this process may still take on the device."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()


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
    """Peak memory of this process in MB: what torch's tensors took on a GPU, the resident set on a CPU and where both share one memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return peak_resident_mb()


def versions() -> dict[str, str]:
    """{"python": version} and those of the RECORDED packages that are installed."""
    found = {"python": platform.python_version()}
    for name in RECORDED:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
