"""Packages that only some commands need: a missing one is a sentence with the command that installs it."""

import importlib
from types import ModuleType

from ftbench.base.errors import InputError

# package as it is imported: what pip calls it, at the version of requirements.txt or as it was tried
PINNED = {
    "onnx": "onnx==1.23.2",
    "onnxruntime": "onnxruntime==1.32.0",
    "onnxscript": "onnxscript==0.7.2",
    "starlette": "starlette==1.10.0",
    "uvicorn": "uvicorn==0.54.0",
    "python_multipart": "python-multipart==0.0.34",
    "pyarrow": "pyarrow==26.0.1",
    "captum": "captum==0.9.0",
    "mlflow": "mlflow==3.17.2",
    "trackio": "trackio==0.43.0",
}


def need(what: str, *names: str) -> ModuleType:
    """The first of these packages, all imported. Raises InputError that says what they are needed for, and how to get them."""
    missing = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            if error.name and error.name.partition(".")[0] != name:
                raise
            missing.append(PINNED[name])
    if missing:
        raise InputError(f"{what} needs {' and '.join(missing)}; install it: pip install {' '.join(missing)}")
    return importlib.import_module(names[0])
