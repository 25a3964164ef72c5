"""Static int8 quantization: weights per channel, activations by the ranges that training images give."""

import logging
from pathlib import Path

import numpy as np

from ftbench.export.onnx_file import INPUT
from ftbench.export.packages import need

QUANTIZED = ["Conv", "Gemm", "MatMul"]
IMAGES, BATCH = 256, 16  # training images that the ranges are taken from
OWN = ("resize_rows", "resize_columns", "bank", "one_hot")  # matrices of ours, which are no weights


def quantize(path: Path, out: Path, images: np.ndarray) -> None:
    """Write the float32 graph `path` with convolutions and matrix products in int8; `images` (N, H, W, 3) uint8 calibrate it.

    Resize, normalization, softmax and the comparison with neighbours stay in float32.
    """
    onnx = need("ftbench export --dtype int8", "onnx", "onnxruntime")
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    level = logging.root.level
    logging.disable(logging.WARNING)
    try:
        prepared = out.with_name("prepared.onnx")
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        excluded = [
            node.name
            for node in onnx.load(prepared).graph.node
            if node.op_type in QUANTIZED and any(part in name for part in OWN for name in node.input)
        ]
        quantize_static(
            str(prepared),
            str(out),
            _reader(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED,
            per_channel=True,
            activation_type=QuantType.QUInt8,  # with signed weights, what x86 processors multiply fastest
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded,
        )
    finally:
        logging.disable(logging.NOTSET)
        logging.root.setLevel(level)
        out.with_name("prepared.onnx").unlink(missing_ok=True)


def _reader(images: np.ndarray):
    """The images batch by batch, as onnxruntime asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.batches = iter(np.array_split(images, max(1, len(images) // BATCH)))

        def get_next(self):
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

    return Reader()
