"""A convolution whose every window covers its whole map, as a matrix product: the same numbers up to rounding, less time.

On a map of 2×2 pixels every window of a padded 3×3 kernel holds all four of them, so each output is a weighted sum of the
whole map: one matrix product, with 16 instead of 36 multiplications per pair of channels. Convolution libraries are at
their worst there: measured on two CPU cores, 256 channels, batch 128, bfloat16, forward and backward pass together fall
from 7.6 to 3.2 ms; 512 channels on one pixel from 4.4 (3×3 kernel cut to 1×1) to 1.1 ms. `ftbench.machine.skip_padding` decides where.
"""

import torch
import torch.nn.functional as F


def convolve(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, starts: tuple[list[int], list[int]]
) -> torch.Tensor:
    """x (N, I, H, W) and weight (O, I, kH, kW) -> (N, O, rows, columns).

    `starts` holds, for each row and for each column of the output, the tap of the kernel that meets the map's first row and
    column; every window covers the map, so the taps from there on, H × W of them, are those that count.
    """
    images, _, height, width = x.shape
    rows, columns = ([slice(s, s + size) for s in axis] for axis, size in zip(starts, (height, width)))
    matrix = _Matrix.apply(weight, [(row, column) for row in rows for column in columns])
    matrix = matrix.reshape(-1, matrix[0, 0].numel())  # (rows × columns × O, H × W × I)
    bias = bias if bias is None else bias.repeat(len(rows) * len(columns))
    y = F.linear(x.permute(0, 2, 3, 1).flatten(1), matrix, bias)
    return y.view(images, len(rows), len(columns), len(weight)).permute(0, 3, 1, 2)


class _Matrix(torch.autograd.Function):
    """The taps of `weight` (O, I, kH, kW) in each of P windows, as (P, O, H, W, I).

    A function of its own for its backward pass: the gradients of all windows are added up in one tensor that is laid out as
    the weight is, where torch's own slices would make one of the kernel's full size for every slice, in another layout.
    """

    @staticmethod
    def forward(ctx, weight, windows):
        ctx.save_for_backward(weight)
        ctx.windows = windows
        taps = weight.permute(0, 2, 3, 1)
        return torch.stack([taps[:, rows, columns] for rows, columns in windows])

    @staticmethod
    def backward(ctx, gradient):
        (weight,) = ctx.saved_tensors
        whole = torch.zeros_like(weight)
        taps = whole.permute(0, 2, 3, 1)
        for part, (rows, columns) in zip(gradient, ctx.windows):
            taps[:, rows, columns] += part
        return whole, None
