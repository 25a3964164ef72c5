"""torch.compile, so that what it makes does not depend on what a process has seen before."""

import importlib

from torch import nn

# Forms of one function that are compiled: shapes, train and eval mode, what moves. Behind torch's own limit of 8 a function runs uncompiled
# from then on, with a warning in the log alone. Here the forms are few and known: sizes, stages, and the last part of a batch.
FORMS = 1024


def compile_in_place(network: nn.Module) -> None:
    """Compile `network` when it is first called, one kernel for each shape.

    torch would make a kernel for any size of what it has seen in two sizes. A resumed run sees them in another order, and would end with
    other bits.
    """
    settings = importlib.import_module("torch._dynamo.config")  # an attribute of torch would be the stand-in's
    settings.recompile_limit = settings.accumulated_recompile_limit = FORMS
    network.compile(dynamic=False)
