"""Leave torch's compiler out of a process that compiles nothing: its import takes as long as that of torch itself.

`torch._dynamo` is imported by the first step of every optimizer (torch/_compile.py, torch/optim/optimizer.py), only to say that
nothing shall be compiled there, and by torchvision.ops (roi_align.py), which timm imports too, for a question that is asked on a GPU
alone. `spare_compiler` puts stand-ins in its place that answer just this. Whoever asks them for anything else, torch.compile
first of all, gets the real compiler: they step aside and it is imported then.
"""

import importlib
import importlib.machinery
import sys
from types import ModuleType

PACKAGE, UTILS = "torch._dynamo", "torch._dynamo.utils"


def spare_compiler() -> None:
    """Put the stand-ins where the compiler would be imported from, unless it is there already."""
    if PACKAGE in sys.modules:
        return
    package, utils = _StandIn(PACKAGE), _StandIn(UTILS)
    package.__path__ = []  # a package: a module of it that is asked for goes to the finder below
    package.disable, package.graph_break, package.utils = _disable, _graph_break, utils
    utils.is_compile_supported = _is_compile_supported
    sys.modules[PACKAGE], sys.modules[UTILS] = package, utils
    sys.meta_path.insert(0, _Finder())


class _StandIn(ModuleType):
    """Knows what is set on it; anything else is looked up in the real module."""

    def __getattr__(self, name):
        if name.startswith("__"):  # the import system's own questions
            raise AttributeError(name)
        return getattr(_real(self.__name__), name)


class _Finder:
    """Imports the real compiler if one of its other modules is imported."""

    def find_spec(self, name, path=None, target=None):
        if not name.startswith(f"{PACKAGE}.") or not isinstance(sys.modules.get(PACKAGE), _StandIn):
            return None
        return importlib.machinery.ModuleSpec(name, _Loader())


class _Loader:
    def create_module(self, spec):
        return _real(spec.name)

    def exec_module(self, module):
        pass  # it is the real one, and has run


def _real(name: str) -> ModuleType:
    """The module `name` of the real compiler, after the stand-ins have gone."""
    if isinstance(sys.modules.get(PACKAGE), _StandIn):
        for stand_in in (PACKAGE, UTILS):
            sys.modules.pop(stand_in, None)
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    return importlib.import_module(name)


def _disable(fn=None, recursive=True, **others):
    """What torch._dynamo.disable gives where nothing is compiled: the function itself."""
    return fn if fn is not None else lambda wrapped: wrapped


def _graph_break(*args, **others) -> None:
    """Nothing is compiled, so there is no graph to break."""


def _is_compile_supported(device_type: str) -> bool:
    return _real(UTILS).is_compile_supported(device_type)
