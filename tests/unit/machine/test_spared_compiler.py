"""torch's compiler stays out of a process that compiles nothing, and comes as soon as somebody wants it."""

import os
from pathlib import Path

import pytest
import warm_python
from test_floors import SCRIPTS

REAL = "torch._dynamo.symbolic_convert"  # a part of the real compiler, and most of its import
SPARED = "import sys, torch\nfrom ftbench.machine.spared_compiler import spare_compiler\nspare_compiler()\n"
STEP = """
network = torch.nn.Linear(3, 3)
optimizer = torch.optim.{name}(network.parameters(), lr=0.1{more})
for _ in range(2):
    optimizer.zero_grad()
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()
"""


def run(code: str) -> list[str]:
    """The words that a Python prints that has imported torch, and nothing else."""
    code = f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n{code}"
    done = warm_python.run(["-c", code], Path.cwd(), dict(os.environ), apart=True, imported=warm_python.TORCH)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    "work",
    [
        "from ftbench.model import architectures\nfor name in ('timm', 'torchvision', 'ftbench'): architectures.load(name)\n",
        STEP.format(name="AdamW", more=", fused=True"),
        STEP.format(name="SGD", more=", momentum=0.9"),
    ],
    ids=["libraries", "AdamW", "SGD"],
)  # fmt: skip
def test_what_a_job_does_needs_no_compiler(work):
    """If it fails, a library asks the compiler for more than the stand-ins know: a second or two more in every job."""
    assert run(f"{SPARED}{work}\nprint({REAL!r} in sys.modules)") == ["False"]


def test_without_the_stand_ins_it_would_be_imported():
    """If it fails, torch itself spares it now, and `spared_compiler` can go."""
    work = STEP.format(name="AdamW", more=", fused=True")
    assert run(f"import torch\n{work}\nprint({REAL!r} in sys.modules)") == ["True"]


@pytest.mark.parametrize(
    "wish",
    [
        "double = torch.compile(lambda x: 2 * x, backend='eager')\nassert double(torch.ones(1)).item() == 2",
        "import torch._dynamo.config\nassert torch._dynamo.config.__file__",
        "from torch._dynamo.utils import counters\nassert counters is not None",
        "import torch._dynamo\nassert callable(torch._dynamo.reset)",
        "from torch._dynamo.utils import is_compile_supported\nassert is_compile_supported('cpu') in (True, False)",
    ],
)
def test_who_wants_the_compiler_gets_it(wish):
    real = "module = sys.modules['torch._dynamo']\nprint(type(module).__name__, bool(module.__file__))"
    print_twins = "print(sum(name == 'torch._dynamo.utils' for name in sys.modules))"
    assert run(f"{SPARED}{STEP.format(name='SGD', more='')}\n{wish}\n{real}\n{print_twins}") == ["module", "True", "1"]


def test_a_compiler_that_is_there_stays():
    code = "import torch._dynamo\nbefore = sys.modules['torch._dynamo']\n"
    assert run(f"{code}{SPARED}print(sys.modules['torch._dynamo'] is before, len(sys.meta_path))")[0] == "True"


def test_steps_are_the_same_bits_either_way():
    step = "torch.manual_seed(0)\n" + STEP.format(name="AdamW", more=", fused=True")
    show = "print(*[value.hex() for value in network.weight.flatten().tolist()])"
    assert run(f"{SPARED}{step}{show}") == run(f"import torch\n{step}{show}")
