"""What tells of memory that ran out, and what does not."""

import errno

import pytest
import torch

from ftbench.base.out_of_memory import ADVICE, out_of_memory


def followed(error: Exception) -> Exception:
    other = ValueError("could not be read")
    other.__context__ = error
    return other


@pytest.mark.parametrize("error, kind", [
    (MemoryError(), "CPU"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "CPU"),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 12 bytes."), "CPU"),
    (ImportError("libtorch_cuda.so: failed to map segment from shared object"), "CPU"),
    (torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB"), "GPU"),
    (followed(MemoryError()), "CPU"),
    (ValueError("can't allocate memory"), None),
    (OSError(errno.ENOSPC, "No space left on device"), None),
])  # fmt: skip
def test_errors_that_tell_of_memory(error, kind):
    said = out_of_memory(error)
    if kind is None:
        assert said is None
    else:
        assert said.startswith("Not enough memory") and said.endswith(f"{ADVICE[kind]}.") and "\n" not in said


def test_what_torch_raises_is_told():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55, dtype=torch.uint8)
    assert "Not enough memory (" in out_of_memory(caught.value)
