"""Floating-point operations, counted by torch while they happen: matrix products and convolutions, a multiply-add as two.

torch 2.14 counts the weight gradient of a grouped convolution as if every group saw all input channels: a depthwise convolution of 480
channels counts 480 times. Each of the two gradients of a convolution has the multiply-adds of its forward pass, whatever the groups.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count


def operation_counter() -> FlopCounterMode:
    """A context that counts; `get_total_flops()` of it is the sum."""
    return FlopCounterMode(display=False, custom_mapping={torch.ops.aten.convolution_backward: _convolution_backward})


def _convolution_backward(grad_shape, x_shape, w_shape, _bias, _stride, _padding, _dilation, transposed, _output_padding, _groups,
                          output_mask, out_shape=None, **_) -> int:  # fmt: skip
    """The gradients of input and weight that are asked for, each as much as the forward pass."""
    return conv_flop_count(x_shape, w_shape, grad_shape, transposed=transposed) * sum(output_mask[:2])
