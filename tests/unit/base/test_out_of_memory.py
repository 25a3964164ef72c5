"""What tells of memory that ran out, and what does not."""

import errno

import pytest
import torch

from ftbench.base.out_of_memory import ADVICE, name_smaller_batch, out_of_memory


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
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "GPU"),
    (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), "GPU"),
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


@pytest.mark.parametrize("images, parts, processes, said", [
    (128, 1, 1, "128 of them at a time, did not fit; give the strategy `accumulate: 2`, which takes the same batch 64 at a time, or `batch_size: 64`"),
    (128, 4, 2, "16 of them at a time, did not fit; give the strategy `accumulate: 8`, which takes the same batch 8 at a time, or `batch_size: 64`"),
    (65, 1, 1, "65 of them at a time, did not fit; give the strategy `accumulate: 2`, which takes the same batch 33 at a time, or `batch_size: 32`"),
    (2, 1, 1, "2 of them at a time, did not fit; only a smaller image size or network helps"),
])  # fmt: skip
@pytest.mark.parametrize("error, otherwise", [
    (torch.OutOfMemoryError("CUDA out of memory."), "FTBENCH_SLOTS_PER_GPU"),
    (MemoryError(), "start fewer jobs"),
])  # fmt: skip
def test_a_step_that_did_not_fit_names_the_batch_size_to_try(images, parts, processes, said, error, otherwise):
    error = type(error)(*error.args)  # a note stays with an error
    name_smaller_batch(error, images, parts, processes)
    sentence = out_of_memory(followed(error))
    assert f"a training step of {images} images, {said}; otherwise " in sentence and otherwise in sentence
    assert sentence.endswith(".") and "\n" not in sentence


def test_another_error_of_a_step_stays_as_it_is():
    error = ValueError("no such class")
    name_smaller_batch(error, 8, 1)
    assert not hasattr(error, "__notes__")
