"""A calibrated network as one file of ONNX, with its weights inside, for batches of any size."""

import contextlib
import io
import logging
import warnings
from pathlib import Path

import numpy as np
import torch

from ftbench.base.errors import InputError
from ftbench.export.complete import Calibrated
from ftbench.export.packages import need

OPSET = 20
INPUT, OUTPUTS = "images", ("probabilities", "features")
SMALL = 1024  # numbers; fewer are not worth a Cast


def write_onnx(network: Calibrated, stored: tuple[int, int], path: Path) -> None:
    """Write `network` as ONNX of opset OPSET: images (batch, H, W, 3) uint8 -> probabilities (batch, C), features (batch, D) float32.

    Raises InputError if torch cannot write this architecture.
    """
    need("ftbench export", "onnx", "onnxscript", "onnxruntime")
    images = torch.randint(0, 256, (2, *stored, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one fused operation, which ONNX has no name for
    try:
        with torch.no_grad(), _quiet():
            torch.onnx.export(
                network,
                (images,),
                str(path),
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=65_536)},),
            )
    except Exception as error:  # the exporter raises many types, with pages of text
        line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(
            f"torch cannot write this architecture as ONNX ({type(error).__name__}: {line[:200]}); model.safetensors is its weights alone, or take "
            "another backbone."
        ) from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def _quiet():
    """Without the exporter's own progress and advice."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # fmt: skip
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def store_as_bfloat16(path: Path, out: Path) -> None:
    """The same graph with its large weights stored as bfloat16, half the bytes; it casts them and computes in float32.

    Runtimes on CPUs have few operations in bfloat16; the cast is done once, when the file is loaded.
    """
    onnx = need("ftbench export", "onnx")
    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims, dtype=np.int64) < SMALL:
            continue
        values = torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()).to(torch.bfloat16)
        name, dims = tensor.name, list(tensor.dims)
        tensor.Clear()
        tensor.name, tensor.data_type = f"{name}_bfloat16", onnx.TensorProto.BFLOAT16
        tensor.dims.extend(dims)
        tensor.raw_data = values.view(torch.int16).numpy().tobytes()
        casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT, name=f"cast_{name}"))  # fmt: skip
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    # What the exporter noted of each value's type no longer fits the weights; a runtime infers it.
    kept = [value for value in model.graph.value_info if value.name not in {cast.output[0] for cast in casts}]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    onnx.save(model, out)
