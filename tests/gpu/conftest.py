"""Every body runs on the device that it is given: on the CPU in the quick form, with `make test`, and on CUDA where there is a GPU.

These tests need torch, torchvision, timm, numpy, pytest, what their wheels bring, and psutil. So they run on a bare machine with a GPU.
"""

import os

import pytest
import torch

from ftbench.machine.devices import CUBLAS, REPEATABLE

os.environ.setdefault(CUBLAS, REPEATABLE[0])  # read once by a process; a job has a process of its own
WHY = "torch finds no CUDA device here; on a machine with a GPU: make test-gpu"


@pytest.fixture(params=os.environ.get("FTBENCH_TEST_DEVICES", "cpu,cuda").split(","))
def device(request):
    """The device that a body runs on."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip(WHY)
    return torch.device(request.param)


@pytest.fixture
def gpu(request):
    """CUDA, for what has no meaning on a CPU."""
    if not torch.cuda.is_available():
        pytest.skip(WHY)
    return torch.device("cuda")


@pytest.fixture(autouse=True)
def switches():
    """Leave torch's switches and the environment as they were: the tests of one process share them."""
    before, threads = os.environ.get(CUBLAS), torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    if torch.are_deterministic_algorithms_enabled():  # to ask for it imports the compiler
        torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if before is None:
        os.environ.pop(CUBLAS, None)
